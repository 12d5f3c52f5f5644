//! Pictures of people and conversations, as far as a message carries them.

/// Most bytes of a picture in a profile or in the details of a conversation: enough for a reference
/// to an attachment with its key, or for a thumbnail.
pub const PICTURE_BYTES_MAX: usize = 3 * 1024;
