//! A file: where its blob is, how it opens, and what an app shows before it is fetched.
//!
//! ```text
//!  { 0: text, ? 1: [blob, description], 2: size, 3: media type, ? 4: name, ? 5: [width, height],
//!    ? 6: [media type, width, height, bytes] }                                     the thumbnail
//! ```
//!
//! Key 1 is absent only on the sender's own device, while the blob is on its way up. The relay sees
//! the blob's id and length; the rest is content like any other.

use std::fmt;
use std::sync::Arc;

use chat_core::codec::{Bytes, from_bytes, to_bytes};
use chat_core::id::BlobId;
use chat_crypto::attachment::AttachmentDescription;
use minicbor::{Decode, Encode};

use super::text::{self, Text};
use crate::error::{Kind, Result};

pub(super) const KIND: &str = "attachment";

/// Longest name of a file, in bytes of UTF-8.
pub const FILE_NAME_BYTES_MAX: usize = 255;
/// Longest media type, in bytes.
pub const MEDIA_TYPE_BYTES_MAX: usize = 127;
/// Largest thumbnail, in bytes.
pub const THUMBNAIL_BYTES_MAX: usize = 32 * 1024;
/// Widest and highest thumbnail, in pixels.
pub const THUMBNAIL_PIXELS_MAX: u32 = 1_024;
/// Longest words beside a file, in bytes of UTF-8.
pub const CAPTION_BYTES_MAX: usize = 16 * 1024;
/// Longest description: one with as many runs as there may be.
const DESCRIPTION_BYTES_MAX: usize = 24 * 1024;

/// A file in a message.
#[derive(Clone, Eq, PartialEq)]
#[non_exhaustive]
pub struct Attachment {
    /// The words beside it, and what they refer to; empty for none.
    pub caption: Text,
    /// Where it is and how it opens; absent while this device still uploads it.
    pub file: Option<AttachedFile>,
    /// How many bytes it has. Until it was fetched, this is its sender's word.
    pub size: u64,
    /// What it is, as a media type (RFC 6838): its sender's word, to be believed like a file name.
    pub media_type: String,
    /// Its name, without any folder.
    pub name: Option<String>,
    /// Width and height of an image, in pixels: its sender's word.
    pub dimensions: Option<(u32, u32)>,
    /// What to show before it is fetched.
    pub thumbnail: Option<Thumbnail>,
}

/// What to show in an image's place before it is fetched.
#[derive(Clone, Eq, PartialEq)]
#[non_exhaustive]
pub struct Thumbnail {
    /// What `bytes` are: `image/jpeg` or `image/png`.
    pub media_type: String,
    /// In pixels, at most [`THUMBNAIL_PIXELS_MAX`].
    pub width: u32,
    /// In pixels, at most [`THUMBNAIL_PIXELS_MAX`].
    pub height: u32,
    /// The image; at most [`THUMBNAIL_BYTES_MAX`]. Decode it with limits, as everything from others.
    pub bytes: Vec<u8>,
}

/// Where a file is and how it opens; clones are the same one.
#[derive(Clone)]
pub struct AttachedFile(Arc<Described>);

struct Described {
    blob: BlobId,
    description: AttachmentDescription,
    encoded: Vec<u8>,
}

impl AttachedFile {
    pub(crate) fn new(blob: BlobId, description: AttachmentDescription) -> Self {
        let encoded = description.to_bytes().to_vec();
        Self(Arc::new(Described { blob, description, encoded }))
    }

    /// The blob at the relay.
    #[must_use]
    pub fn blob(&self) -> BlobId {
        self.0.blob
    }

    /// Key, size and digest.
    #[must_use]
    pub fn description(&self) -> &AttachmentDescription {
        &self.0.description
    }
}

impl Eq for AttachedFile {}

impl PartialEq for AttachedFile {
    fn eq(&self, other: &Self) -> bool {
        self.0.blob == other.0.blob && self.0.encoded == other.0.encoded
    }
}

#[derive(Encode, Decode)]
#[cbor(map)]
struct Body {
    #[n(0)]
    caption: Bytes<{ CAPTION_BYTES_MAX + 4096 }>,
    #[n(1)]
    file: Option<FileBody>,
    #[n(2)]
    size: u64,
    #[n(3)]
    media_type: String,
    #[n(4)]
    name: Option<String>,
    #[n(5)]
    dimensions: Option<(u32, u32)>,
    #[n(6)]
    thumbnail: Option<ThumbnailBody>,
}

#[derive(Encode, Decode)]
#[cbor(array)]
struct FileBody {
    #[n(0)]
    blob: BlobId,
    #[n(1)]
    description: Bytes<DESCRIPTION_BYTES_MAX>,
}

#[derive(Encode, Decode)]
#[cbor(array)]
struct ThumbnailBody {
    #[n(0)]
    media_type: String,
    #[n(1)]
    width: u32,
    #[n(2)]
    height: u32,
    #[n(3)]
    bytes: Bytes<THUMBNAIL_BYTES_MAX>,
}

pub(super) fn encode(attachment: &Attachment) -> Result<Vec<u8>> {
    if attachment.caption.text.len() > CAPTION_BYTES_MAX || !is_sound(attachment) {
        return Err(Kind::TooLarge.into());
    }
    let file = attachment.file.as_ref().map(|file| {
        Ok::<_, crate::Error>(FileBody {
            blob: file.blob(),
            description: Bytes::new(file.0.encoded.clone())?,
        })
    });
    let thumbnail = attachment.thumbnail.as_ref().map(|thumbnail| {
        Ok::<_, crate::Error>(ThumbnailBody {
            media_type: thumbnail.media_type.clone(),
            width: thumbnail.width,
            height: thumbnail.height,
            bytes: Bytes::new(thumbnail.bytes.clone())?,
        })
    });
    Ok(to_bytes(&Body {
        caption: Bytes::new(text::encode(&attachment.caption)?)?,
        file: file.transpose()?,
        size: attachment.size,
        media_type: attachment.media_type.clone(),
        name: attachment.name.clone(),
        dimensions: attachment.dimensions,
        thumbnail: thumbnail.transpose()?,
    }))
}

pub(super) fn decode(body: &[u8]) -> Option<Attachment> {
    let body = from_bytes::<Body>(body).ok()?;
    let file = match body.file {
        None => None,
        Some(FileBody { blob, description }) => {
            let description = AttachmentDescription::from_bytes(&description).ok()?;
            // SECURITY: a size that is not the file's would make an app reserve what never comes.
            if description.size() != body.size {
                return None;
            }
            Some(AttachedFile::new(blob, description))
        }
    };
    let thumbnail = body.thumbnail.map(|it| Thumbnail {
        media_type: it.media_type,
        width: it.width,
        height: it.height,
        bytes: it.bytes.into_vec(),
    });
    let attachment = Attachment {
        caption: text::decode(&body.caption)?,
        file,
        size: body.size,
        media_type: body.media_type,
        name: body.name,
        dimensions: body.dimensions,
        thumbnail,
    };
    is_sound(&attachment).then_some(attachment)
}

/// Both sides hold the same limits.
fn is_sound(attachment: &Attachment) -> bool {
    let Attachment { media_type, name, thumbnail, .. } = attachment;
    let printable = |text: &str| !text.chars().any(char::is_control);
    // SECURITY: a name is a name, not a path that leads out of the folder it is saved in.
    let is_name = |name: &String| {
        (1..=FILE_NAME_BYTES_MAX).contains(&name.len())
            && printable(name)
            && !name.contains(['/', '\\'])
            && name != "."
            && name != ".."
    };
    let is_thumbnail = |it: &Thumbnail| {
        (1..=THUMBNAIL_PIXELS_MAX).contains(&it.width)
            && (1..=THUMBNAIL_PIXELS_MAX).contains(&it.height)
            && it.bytes.len() <= THUMBNAIL_BYTES_MAX
            && it.media_type.len() <= MEDIA_TYPE_BYTES_MAX
            && printable(&it.media_type)
    };
    media_type.len() <= MEDIA_TYPE_BYTES_MAX
        && printable(media_type)
        && name.as_ref().is_none_or(is_name)
        && thumbnail.as_ref().is_none_or(is_thumbnail)
}

impl fmt::Debug for Attachment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Attachment(..)")
    }
}

impl fmt::Debug for Thumbnail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Thumbnail(..)")
    }
}

impl fmt::Debug for AttachedFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AttachedFile(..)")
    }
}

#[cfg(test)]
mod tests {
    use chat_crypto::attachment::AttachmentSealer;
    use rand_chacha::ChaCha20Rng;
    use rand_core::SeedableRng as _;

    use super::*;

    #[test]
    fn what_is_written_is_read_again() {
        let whole = photo();
        let waiting = Attachment { file: None, thumbnail: None, name: None, ..photo() };

        for attachment in [whole, waiting] {
            let body = encode(&attachment).unwrap();

            assert_eq!(decode(&body), Some(attachment));
        }
    }

    #[test]
    fn a_name_that_leads_elsewhere_is_neither_sent_nor_read() {
        for name in ["", ".", "..", "../../etc/passwd", "a\\b", "a\nb", &"x".repeat(256)] {
            let named = Attachment { name: Some(name.to_owned()), ..photo() };

            assert_eq!(encode(&named).unwrap_err().code(), "too_large");
        }
        let honest = encode(&photo()).unwrap();
        let at = honest.windows(9).position(|window| window == b"photo.jpg").unwrap();
        let mut forged = honest;
        forged[at..at + 2].copy_from_slice(b"./");
        assert_eq!(decode(&forged), None);
    }

    #[test]
    fn a_size_that_is_not_the_files_is_not_read() {
        let body = encode(&Attachment { size: 1 << 40, ..photo() }).unwrap();

        assert_eq!(decode(&body), None);
    }

    #[test]
    fn a_thumbnail_beyond_its_limits_is_refused() {
        let small = photo().thumbnail.unwrap();
        for thumbnail in [
            Thumbnail { width: THUMBNAIL_PIXELS_MAX + 1, ..small.clone() },
            Thumbnail { height: 0, ..small.clone() },
            Thumbnail { bytes: vec![0; THUMBNAIL_BYTES_MAX + 1], ..small },
        ] {
            let refused = encode(&Attachment { thumbnail: Some(thumbnail), ..photo() });

            assert_eq!(refused.unwrap_err().code(), "too_large");
        }
    }

    fn photo() -> Attachment {
        let rng = &mut ChaCha20Rng::seed_from_u64(1);
        let mut sealer = AttachmentSealer::new(5, rng).unwrap();
        let mut blob = vec![0; 4096];
        sealer.seal(b"photo", &mut blob).unwrap();
        while !sealer.is_done() {
            sealer.seal(&[], &mut blob).unwrap();
        }
        Attachment {
            caption: "look".to_owned().into(),
            file: Some(AttachedFile::new(BlobId::random(rng), sealer.finish().unwrap())),
            size: 5,
            media_type: "image/jpeg".into(),
            name: Some("photo.jpg".into()),
            dimensions: Some((4000, 3000)),
            thumbnail: Some(Thumbnail {
                media_type: "image/jpeg".into(),
                width: 320,
                height: 240,
                bytes: vec![7; 100],
            }),
        }
    }
}
