//! What every [`Blobs`](super::Blobs) must do, as tests that each of them runs.
//!
//! `suite!(with_blobs)` makes a test of each sentence; `with_blobs` brings an empty store, and a
//! spool that it takes from.

use std::sync::Arc;

use tokio::io::AsyncReadExt as _;

use super::block::BlockReader;
use super::spool::{Spool, Spooled};
use super::{BlobError, Blobs, ObjectName};

macro_rules! suite {
    ($with_blobs:path) => {
        $crate::blobs::conformance::suite! { $with_blobs;
            what_is_kept_comes_back_whole_and_in_part,
            nothing_is_there_before_it_is_kept,
            what_is_deleted_is_gone_and_may_be_deleted_again,
            objects_are_listed_by_the_beginning_of_their_names,
            many_are_kept_and_read_at_once,
        }
    };
    ($with_blobs:path; $($sentence:ident,)*) => {
        $(#[tokio::test(flavor = "multi_thread")]
        async fn $sentence() {
            $with_blobs($crate::blobs::conformance::$sentence).await;
        })*
    };
}
pub(super) use suite;

/// More than two blocks.
const SIZE: usize = 150_000;

pub(super) async fn what_is_kept_comes_back_whole_and_in_part(blobs: Arc<dyn Blobs>, spool: Spool) {
    let bytes = content(1, SIZE);
    let spooled = spooled(&spool, &bytes).await;
    let (name, path) = (spooled.name(), spooled.path().to_owned());

    blobs.keep(spooled).await.unwrap();

    for (start, end) in [(0, SIZE), (0, 1), (65_535, 65_537), (65_536, 131_072), (149_999, SIZE)] {
        let part = read(&blobs, name, start as u64, end as u64).await.unwrap();
        assert!(part == bytes[start..end], "{start} to {end}");
    }
    let mut raw = Vec::new();
    let mut reader = blobs.read(name, 10, 20).await.unwrap();
    reader.read_to_end(&mut raw).await.unwrap();
    assert_eq!(raw, bytes[10..30]);
    assert!(!path.exists(), "the spool is empty again");
}

pub(super) async fn nothing_is_there_before_it_is_kept(blobs: Arc<dyn Blobs>, spool: Spool) {
    let spooled = spooled(&spool, b"hello").await;
    let (name, path) = (spooled.name(), spooled.path().to_owned());

    let early = blobs.read(name, 0, 5).await.err();
    drop(spooled);

    assert_eq!(early, Some(BlobError::Missing));
    assert!(blobs.list(name.shard()).await.unwrap().is_empty());
    assert!(!path.exists(), "what is not kept goes");
}

pub(super) async fn what_is_deleted_is_gone_and_may_be_deleted_again(
    blobs: Arc<dyn Blobs>,
    spool: Spool,
) {
    let spooled = spooled(&spool, b"hello").await;
    let name = spooled.name();
    blobs.keep(spooled).await.unwrap();

    assert_eq!(blobs.delete(name).await, Ok(()));

    assert_eq!(blobs.delete(name).await, Ok(()));
    assert_eq!(blobs.read(name, 0, 5).await.err(), Some(BlobError::Missing));
    assert!(blobs.list(name.shard()).await.unwrap().is_empty());
}

pub(super) async fn objects_are_listed_by_the_beginning_of_their_names(
    blobs: Arc<dyn Blobs>,
    spool: Spool,
) {
    let mut names = Vec::new();
    for _ in 0..5 {
        let spooled = spooled(&spool, b"hello").await;
        names.push(spooled.name());
        blobs.keep(spooled).await.unwrap();
    }

    let mut listed = Vec::new();
    for shard in names.iter().map(ObjectName::shard).collect::<std::collections::BTreeSet<_>>() {
        let found = blobs.list(shard).await.unwrap();
        assert!(found.iter().all(|object| object.name.shard() == shard));
        assert!(found.iter().all(|object| object.written_at.as_millis() > 1_700_000_000_000));
        listed.extend(found.into_iter().map(|object| object.name));
    }

    names.sort_unstable();
    listed.sort_unstable();
    assert_eq!(listed, names);
}

pub(super) async fn many_are_kept_and_read_at_once(blobs: Arc<dyn Blobs>, spool: Spool) {
    let keep = |number: u8| {
        let (blobs, spool) = (blobs.clone(), spool.clone());
        tokio::spawn(async move {
            let bytes = content(number, SIZE);
            let spooled = spooled(&spool, &bytes).await;
            let name = spooled.name();
            blobs.keep(spooled).await.unwrap();
            assert!(read(&blobs, name, 0, SIZE as u64).await.unwrap() == bytes, "{number}");
        })
    };

    let all: Vec<_> = (0..32).map(keep).collect();

    for one in all {
        one.await.unwrap();
    }
}

async fn spooled(spool: &Spool, bytes: &[u8]) -> Spooled {
    let mut body = spool.begin().await.unwrap();
    for part in bytes.chunks(10_000) {
        body.write(part).await.unwrap();
    }
    body.finish().await.unwrap()
}

async fn read(
    blobs: &Arc<dyn Blobs>,
    name: ObjectName,
    start: u64,
    end: u64,
) -> Result<Vec<u8>, BlobError> {
    let mut reader = BlockReader::open(&**blobs, name, SIZE as u64, start, end).await?;
    let mut bytes = Vec::new();
    while let Some(block) = reader.next().await? {
        bytes.extend_from_slice(&block);
    }
    Ok(bytes)
}

fn content(number: u8, length: usize) -> Vec<u8> {
    (0..length).map(|place| number.wrapping_add((place % 251).to_le_bytes()[0])).collect()
}
