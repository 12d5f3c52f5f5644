//! Housekeeping of blobs: what nothing names, what was replaced, what a crash has left.
//!
//! Rows go first and bytes after them, in batches; what is cut off in between goes on with the next
//! sweep, at any node.

use std::time::Duration;

use chat_core::time::Timestamp;

use crate::blobs::{BlobError, ObjectName};
use crate::service::Services;
use crate::storage::StorageError;

/// How many blobs one transaction collects.
const BLOBS_A_SWEEP: usize = 200;
/// How many objects are deleted before their names are forgotten.
const OBJECTS_A_SWEEP: usize = 500;
/// An object that no row knows belongs to nobody once it is so old; until then, to an upload.
const ORPHAN_AFTER: Duration = Duration::from_secs(24 * 3600);

/// Deletes blobs that are due, and the objects of all that went before; returns how many blobs.
///
/// # Errors
///
/// [`StorageError`]; what was deleted before it stays so.
pub async fn collect(services: &Services) -> Result<u64, StorageError> {
    let mut total = 0;
    loop {
        let collected = services.storage.collect_blobs(services.now(), BLOBS_A_SWEEP).await?;
        services.metrics.blobs.collected.add(collected);
        total += collected;
        delete_garbage(services).await?;
        if collected < BLOBS_A_SWEEP as u64 {
            return Ok(total);
        }
    }
}

async fn delete_garbage(services: &Services) -> Result<(), StorageError> {
    loop {
        let garbage = services.storage.blob_garbage(OBJECTS_A_SWEEP).await?;
        let deleted = delete(services, &garbage).await;
        services.storage.forget_garbage(&deleted).await?;
        // What could not be deleted waits for the next sweep.
        if garbage.len() < OBJECTS_A_SWEEP || deleted.len() < garbage.len() {
            return Ok(());
        }
    }
}

async fn delete(services: &Services, objects: &[ObjectName]) -> Vec<ObjectName> {
    let mut deleted = Vec::with_capacity(objects.len());
    for object in objects {
        match services.depot.objects.delete(*object).await {
            Ok(()) => deleted.push(*object),
            Err(error) => tracing::warn!(%error, "an object could not be deleted yet"),
        }
    }
    services.metrics.blobs.deleted.add(deleted.len() as u64);
    deleted
}

/// Deletes objects whose names begin with `shard` and that no row knows, and bodies that were never
/// placed; returns how many objects.
///
/// # Errors
///
/// [`BlobError`].
pub async fn sweep_orphans(services: &Services, shard: u8) -> Result<usize, BlobError> {
    let age = u64::try_from(ORPHAN_AFTER.as_millis()).unwrap_or(u64::MAX);
    let before = Timestamp::from_millis(services.now().as_millis().saturating_sub(age));
    services.depot.sweep_spool(before).await?;
    let mut found = services.depot.objects.list(shard).await?;
    found.retain(|object| object.written_at < before);
    if found.is_empty() {
        return Ok(0);
    }
    // Asked for after the list: what is on the list and has a row has it by now.
    let known = services.storage.known_objects(shard).await.map_err(|error| {
        tracing::warn!(%error, "objects cannot be compared with their rows");
        BlobError::Unavailable
    })?;
    let orphans = found.iter().map(|object| object.name).filter(|name| !known.contains(name));
    let deleted = delete(services, &orphans.collect::<Vec<_>>()).await;
    services.metrics.blobs.orphans.add(deleted.len() as u64);
    Ok(deleted.len())
}
