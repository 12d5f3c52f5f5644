//! What is counted of blobs.

use super::{Counter, sample};

/// Counters of blobs.
#[derive(Debug, Default)]
pub struct BlobMetrics {
    /// Bytes that were uploaded and placed.
    pub bytes_in: Counter,
    /// Bytes that were handed out.
    pub bytes_out: Counter,
    /// Blobs that became complete.
    pub completed: Counter,
    /// Blobs that went because nothing named them.
    pub collected: Counter,
    /// Objects that were deleted.
    pub deleted: Counter,
    /// Objects that no row knew.
    pub orphans: Counter,
    /// Reads that met a missing or damaged object.
    pub damaged: Counter,
}

impl BlobMetrics {
    pub(super) fn render(&self, text: &mut String) {
        for (name, help, counter) in [
            ("blob_bytes_in_total", "Bytes of blobs uploaded.", &self.bytes_in),
            ("blob_bytes_out_total", "Bytes of blobs handed out.", &self.bytes_out),
            ("blobs_completed_total", "Blobs that became complete.", &self.completed),
            ("blobs_collected_total", "Blobs that nothing named.", &self.collected),
            ("blob_objects_deleted_total", "Objects deleted.", &self.deleted),
            ("blob_orphans_total", "Objects that no row knew.", &self.orphans),
            ("blobs_damaged_total", "Reads that met a damaged object.", &self.damaged),
        ] {
            sample(text, name, help, "counter", counter.get());
        }
    }
}
