//! Compression of a body, when its author's app has said that it may.
//!
//! ```text
//!  body ─▶ raw DEFLATE (RFC 1951) ─▶ kept if the padded message gets shorter ─▶ sealed, padded
//!                                    and its own length noted in the content
//! ```
//!
//! What is compressed shows in its length whether two parts of it are alike. Whoever can put text
//! beside a secret, and see lengths, finds the secret by trying. So compression is never chosen by
//! this crate or by a kind of content: the app asks for it, message by message, for text of one
//! author that is in no way an answer to somebody else's wishes. It must not ask for quotes,
//! forwards, previews, or what a bot makes of what it was told. Padding comes afterwards.
//!
//! Inflating writes into room of the length that the content states, which is checked before the
//! room is made, and stops at its end: a bomb gets no more than a body may have.
//! Normative: `docs/protocol/envelope.md` §2.1.

use chat_core::codec::Bytes;
use chat_core::envelope::Content;
use chat_core::limits::PAYLOAD_BYTES_MAX;
use miniz_oxide::deflate::compress_to_vec;
use miniz_oxide::inflate::TINFLStatus;
use miniz_oxide::inflate::core::inflate_flags::TINFL_FLAG_USING_NON_WRAPPING_OUTPUT_BUF;
use miniz_oxide::inflate::core::{DecompressorOxide, decompress};
use zeroize::Zeroizing;

use crate::padding::padded_length;

/// Shorter bodies are left as they are: they fit the first step of the padding, or nearly.
pub const BODY_BYTES_MIN: usize = 256;
/// The level at which DEFLATE's gain on text stops to pay for its time.
const LEVEL: u8 = 6;

/// Compresses the body of `content`, if the message gets shorter by it.
///
/// Only for text of one author, at the app's word; see the head of this module.
#[must_use]
pub fn deflated(content: Content) -> Content {
    let length = content.body.len();
    if length < BODY_BYTES_MIN || content.inflated_length.is_some() {
        return content;
    }
    let deflated = Zeroizing::new(compress_to_vec(&content.body, LEVEL));
    let (Ok(inflated_length), Ok(body)) = (u32::try_from(length), Bytes::new(deflated.to_vec()))
    else {
        return content;
    };
    if padded_length(body.len()) >= padded_length(length) {
        return content;
    }
    Content { body, inflated_length: Some(inflated_length), ..content }
}

/// The same content with its body as it was; `None` if it is not what it says.
pub(crate) fn inflated(content: Content) -> Option<Content> {
    let Some(length) = content.inflated_length else { return Some(content) };
    let length = usize::try_from(length).ok().filter(|length| *length <= PAYLOAD_BYTES_MAX)?;
    let mut body = Zeroizing::new(vec![0; length]);
    let flags = TINFL_FLAG_USING_NON_WRAPPING_OUTPUT_BUF;
    let (status, read, written) =
        decompress(&mut DecompressorOxide::new(), &content.body, &mut body, 0, flags);
    let is_whole = status == TINFLStatus::Done && read == content.body.len() && written == length;
    let body = is_whole.then(|| Bytes::new(body.to_vec()).ok())??;
    Some(Content { body, inflated_length: None, ..content })
}
