//! What a story's relay stands on: the story is the same, and so is its end.
//!
//! ```text
//!  embedded   alice ─▶ node ◀─ bob              SQLite, one process, no bus between nodes
//!  cluster    alice ─▶ node ──redis── node ◀─ bob      both on one PostgreSQL database
//! ```

use relay_server::config::BlobStore;
use relay_server::testing::TestRelay;
use tempfile::TempDir;

use crate::services;

/// Whatever people can use: one node, or several that are one relay.
pub trait Nodes {
    /// The node that the person with this number uses: neighbours use different ones.
    fn node(&self, person: usize) -> &TestRelay;
}

impl Nodes for TestRelay {
    fn node(&self, _: usize) -> &TestRelay {
        self
    }
}

/// The nodes of one relay.
#[derive(Debug)]
pub struct Stand {
    nodes: Vec<TestRelay>,
    _blobs: Option<TempDir>,
}

impl Stand {
    /// Tells `story` on one node with SQLite.
    pub async fn embedded(story: impl AsyncFnOnce(&Self)) {
        story(&Self { nodes: vec![TestRelay::start().await], _blobs: None }).await;
    }

    /// Tells `story` on two nodes with PostgreSQL, Redis, and one folder for the bytes of blobs.
    ///
    /// # Panics
    ///
    /// If there is no room for temporary files.
    #[allow(clippy::expect_used)]
    pub async fn cluster(story: impl AsyncFnOnce(&Self)) {
        services::with_database(async |database| {
            let folder = TempDir::new().expect("no temporary folder");
            let node = || {
                TestRelay::builder()
                    .postgres(database)
                    .redis(services::redis())
                    .blob_store(BlobStore::Disk(folder.path().to_owned()))
                    .start()
            };
            let nodes = vec![node().await, node().await];
            story(&Self { nodes, _blobs: Some(folder) }).await;
        })
        .await;
    }
}

impl Nodes for Stand {
    // INVARIANT: every stand has a node, so the remainder is the number of one.
    #[allow(clippy::indexing_slicing)]
    fn node(&self, person: usize) -> &TestRelay {
        &self.nodes[person % self.nodes.len()]
    }
}

/// Makes a test of each story on each stand.
#[macro_export]
macro_rules! on_both_stands {
    ($($story:ident),* $(,)?) => {
        mod embedded {
            $(#[tokio::test]
            async fn $story() {
                $crate::stand::Stand::embedded(super::$story).await;
            })*
        }
        mod cluster {
            $(#[tokio::test]
            async fn $story() {
                $crate::stand::Stand::cluster(super::$story).await;
            })*
        }
    };
}
