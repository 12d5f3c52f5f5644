//! Thumbnails: a small JPEG of an image, made before it is sent.
//!
//! The image may come from anywhere (a web page, another app), so it is decoded within limits: a
//! file of few bytes that unpacks to gigabytes is no image. Only the pixels go into the thumbnail;
//! where a photograph was taken stays in the file that holds it.

use std::io::Cursor;

use image::codecs::jpeg::JpegEncoder;
use image::{DynamicImage, ImageDecoder as _, ImageReader, Limits};

use crate::content::{THUMBNAIL_BYTES_MAX, Thumbnail};

/// Largest image that gets a thumbnail, in bytes of its file.
pub(super) const IMAGE_BYTES_MAX: u64 = 32 * 1024 * 1024;
/// Widest and highest image that is decoded.
const PIXELS_MAX: u32 = 16_384;
/// Most memory that decoding may take.
const MEMORY_MAX: u64 = 256 * 1024 * 1024;
/// Widest and highest thumbnail.
const SIDE: u32 = 320;
/// JPEG's qualities, tried until the thumbnail is small enough.
const QUALITIES: [u8; 3] = [75, 50, 25];

/// An image's size in pixels, and a thumbnail of it; nothing if it is no image of a kind that is
/// known here, or beyond the limits.
pub(super) fn of(file: &[u8]) -> Option<((u32, u32), Thumbnail)> {
    let mut reader = ImageReader::new(Cursor::new(file)).with_guessed_format().ok()?;
    let mut limits = Limits::default();
    limits.max_image_width = Some(PIXELS_MAX);
    limits.max_image_height = Some(PIXELS_MAX);
    limits.max_alloc = Some(MEMORY_MAX);
    reader.limits(limits);
    let mut decoder = reader.into_decoder().ok()?;
    let (width, height) = decoder.dimensions();
    // SECURITY: before a decoder is trusted to count, what it is about to make is counted.
    if u64::from(width) * u64::from(height) * 4 > MEMORY_MAX {
        return None;
    }
    let orientation = decoder.orientation().ok();
    let mut image = DynamicImage::from_decoder(decoder).ok()?;
    if let Some(orientation) = orientation {
        image.apply_orientation(orientation);
    }
    let dimensions = (image.width(), image.height());
    let small = image.thumbnail(SIDE, SIDE).into_rgb8();
    let (width, height) = small.dimensions();
    for quality in QUALITIES {
        let mut bytes = Vec::new();
        JpegEncoder::new_with_quality(&mut bytes, quality).encode_image(&small).ok()?;
        if bytes.len() <= THUMBNAIL_BYTES_MAX {
            let media_type = "image/jpeg".to_owned();
            return Some((dimensions, Thumbnail { media_type, width, height, bytes }));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use image::{ImageFormat, Rgb, RgbImage};

    use super::*;

    #[test]
    fn a_photograph_gets_a_thumbnail_of_its_shape() {
        let photo = RgbImage::from_fn(1200, 600, shade);

        let (dimensions, thumbnail) = of(&png(photo)).unwrap();

        assert_eq!(dimensions, (1200, 600));
        assert_eq!((thumbnail.width, thumbnail.height), (320, 160));
        assert!(thumbnail.bytes.len() <= THUMBNAIL_BYTES_MAX);
        let read = image::load_from_memory(&thumbnail.bytes).unwrap();
        assert_eq!((read.width(), read.height()), (320, 160));
    }

    #[test]
    fn a_few_bytes_that_promise_gigabytes_are_no_image() {
        let mut bomb = png(RgbImage::new(1, 1));
        // Width and height stand in the header chunk, followed by five bytes and its checksum.
        for (width, height) in [(u32::MAX >> 1, 1), (PIXELS_MAX, PIXELS_MAX), (60_000, 60_000)] {
            bomb[16..20].copy_from_slice(&width.to_be_bytes());
            bomb[20..24].copy_from_slice(&height.to_be_bytes());
            let checksum = crc32(&bomb[12..29]);
            bomb[29..33].copy_from_slice(&checksum.to_be_bytes());

            assert!(of(&bomb).is_none(), "{width} × {height}");
        }
    }

    #[test]
    fn what_is_no_image_or_ends_early_gets_no_thumbnail() {
        let whole = png(RgbImage::from_fn(64, 64, shade));

        for file in [&b""[..], b"GIF89a", b"<svg/>", &[0xff; 4096], &whole[..whole.len() / 2]] {
            assert!(of(file).is_none());
        }
    }

    fn shade(x: u32, y: u32) -> Rgb<u8> {
        let [[.., red], [.., green]] = [x.to_be_bytes(), y.to_be_bytes()];
        Rgb([red, green, 9])
    }

    fn png(image: RgbImage) -> Vec<u8> {
        let mut bytes = Cursor::new(Vec::new());
        image.write_to(&mut bytes, ImageFormat::Png).unwrap();
        bytes.into_inner()
    }

    fn crc32(bytes: &[u8]) -> u32 {
        !bytes.iter().fold(u32::MAX, |crc, byte| {
            (0..8).fold(crc ^ u32::from(*byte), |crc, _| {
                (crc >> 1) ^ (0xedb8_8320 & (crc & 1).wrapping_neg())
            })
        })
    }
}
