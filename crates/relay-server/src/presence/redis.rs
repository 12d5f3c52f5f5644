//! The board in Redis: for several nodes.
//!
//! ```text
//!  {prefix}w:<account>   hash    node ─▶ its word, and until when, in Redis' own time
//!  {prefix}f:<account>   sorted set of followers, each until when
//! ```
//!
//! Both run out by themselves when nobody renews them; all commands travel in pipelines. While
//! Redis is away everything answers [`BoardLost`] at once, and the next attempt is made later.

use std::time::Duration;

use ::redis::{Client, Pipeline, RedisResult};
use async_trait::async_trait;
use chat_core::codec::{from_bytes, to_bytes};
use chat_core::id::AccountId;
use minicbor::{Decode, Encode};
use std::collections::BTreeSet;
use tokio::sync::Mutex;

use super::{Board, BoardLost, FOLLOWERS_MAX, Word};
use crate::bus::NodeId;
use crate::bus::redis::link::{Link, Linked};
use crate::bus::redis::{BadRedisUrl, RedisConfig};

/// How many accounts travel together.
const PIPELINE_MAX: usize = 500;

/// One node's view.
pub struct RedisBoard {
    link: Mutex<Link>,
    prefix: String,
    node: NodeId,
    ttl: Duration,
}

/// A word as it stands in Redis.
#[derive(Encode, Decode)]
#[cbor(map)]
struct Standing {
    /// In milliseconds since 1970, by Redis' clock.
    #[n(0)]
    until: u64,
    #[n(1)]
    word: Word,
}

impl RedisBoard {
    /// Connects when it is first used; what is not renewed stands for `ttl`.
    ///
    /// # Errors
    ///
    /// [`BadRedisUrl`].
    pub fn start(config: &RedisConfig, node: NodeId, ttl: Duration) -> Result<Self, BadRedisUrl> {
        let client = Client::open(config.url.as_str()).map_err(|_| BadRedisUrl)?;
        let link = Mutex::new(Link::new(client, config.meter.clone()));
        Ok(Self { link, prefix: config.prefix.clone(), node, ttl })
    }

    fn word_key(&self, account: AccountId) -> String {
        format!("{}w:{account}", self.prefix)
    }

    fn followers_key(&self, account: AccountId) -> String {
        format!("{}f:{account}", self.prefix)
    }

    fn ttl_ms(&self) -> u64 {
        u64::try_from(self.ttl.as_millis()).unwrap_or(u64::MAX)
    }

    /// Does something on the connection, if there is one.
    async fn on<T>(
        &self,
        work: impl AsyncFnOnce(&mut Linked) -> RedisResult<T>,
    ) -> Result<T, BoardLost> {
        let mut link = self.link.lock().await;
        let linked = link.get().await.ok_or(BoardLost)?;
        match work(linked).await {
            Ok(done) => {
                link.worked();
                Ok(done)
            }
            Err(error) => {
                link.failed(&error);
                Err(BoardLost)
            }
        }
    }

    async fn write(
        &self,
        linked: &mut Linked,
        words: &[(AccountId, Option<Word>)],
    ) -> RedisResult<()> {
        for words in words.chunks(PIPELINE_MAX) {
            let until = linked.now_ms().saturating_add(self.ttl_ms());
            let mut pipeline = Pipeline::new();
            for (account, word) in words {
                let (key, node) = (self.word_key(*account), self.node.as_bytes().as_slice());
                match word {
                    Some(word) => {
                        let standing = to_bytes(&Standing { until, word: word.clone() });
                        pipeline.cmd("HSET").arg(&key).arg(node).arg(standing).ignore();
                        pipeline.cmd("PEXPIRE").arg(&key).arg(self.ttl_ms()).ignore();
                    }
                    None => drop(pipeline.cmd("HDEL").arg(&key).arg(node).ignore()),
                }
            }
            pipeline.exec_async(&mut linked.connection).await?;
        }
        Ok(())
    }

    async fn ask(
        &self,
        linked: &mut Linked,
        accounts: &[AccountId],
    ) -> RedisResult<Vec<Option<Word>>> {
        let mut words = Vec::with_capacity(accounts.len());
        for accounts in accounts.chunks(PIPELINE_MAX) {
            let mut pipeline = Pipeline::new();
            for account in accounts {
                pipeline.cmd("HVALS").arg(self.word_key(*account));
            }
            let found: Vec<Vec<Vec<u8>>> = pipeline.query_async(&mut linked.connection).await?;
            let now = linked.now_ms();
            words.extend(found.iter().map(|said| fold(said, now)));
        }
        Ok(words)
    }
}

/// What the nodes say whose words still stand.
fn fold(said: &[Vec<u8>], now: u64) -> Option<Word> {
    let standing = said.iter().filter_map(|bytes| from_bytes::<Standing>(bytes).ok());
    let words: Vec<Word> = standing.filter(|one| one.until > now).map(|one| one.word).collect();
    Word::fold(&words)
}

#[async_trait]
impl Board for RedisBoard {
    async fn say(&self, words: &[(AccountId, Option<Word>)]) -> Result<(), BoardLost> {
        self.on(async |linked: &mut Linked| self.write(linked, words).await).await
    }

    async fn read(&self, accounts: &[AccountId]) -> Result<Vec<Option<Word>>, BoardLost> {
        self.on(async |linked: &mut Linked| self.ask(linked, accounts).await).await
    }

    async fn follow(&self, pairs: &[(AccountId, AccountId)]) -> Result<(), BoardLost> {
        self.on(async |linked: &mut Linked| {
            for pairs in pairs.chunks(PIPELINE_MAX) {
                let (now, ttl) = (linked.now_ms(), self.ttl_ms());
                let mut pipeline = Pipeline::new();
                for (followed, follower) in pairs {
                    let key = self.followers_key(*followed);
                    let follower = follower.as_bytes().as_slice();
                    let until = now.saturating_add(ttl);
                    pipeline.cmd("ZADD").arg(&key).arg(until).arg(follower).ignore();
                    pipeline.cmd("ZREMRANGEBYSCORE").arg(&key).arg("-inf").arg(now).ignore();
                    pipeline.cmd("PEXPIRE").arg(&key).arg(ttl).ignore();
                }
                pipeline.exec_async(&mut linked.connection).await?;
            }
            Ok(())
        })
        .await
    }

    async fn followers(&self, accounts: &[AccountId]) -> Result<Vec<AccountId>, BoardLost> {
        let found = self
            .on(async |linked: &mut Linked| {
                let mut found: Vec<Vec<Vec<u8>>> = Vec::new();
                for accounts in accounts.chunks(PIPELINE_MAX) {
                    let now = format!("({}", linked.now_ms());
                    let mut pipeline = Pipeline::new();
                    for account in accounts {
                        let key = self.followers_key(*account);
                        let range = pipeline.cmd("ZRANGEBYSCORE").arg(key).arg(&now).arg("+inf");
                        range.arg("LIMIT").arg(0).arg(FOLLOWERS_MAX);
                    }
                    let some: Vec<_> = pipeline.query_async(&mut linked.connection).await?;
                    found.extend(some);
                }
                Ok(found)
            })
            .await?;
        let followers = found.iter().flatten().filter_map(|id| AccountId::try_from(&**id).ok());
        Ok(followers.collect::<BTreeSet<_>>().into_iter().collect())
    }

    /// What was said runs out by itself; whoever leaves in order has taken it back before.
    async fn close(&self) {}
}

impl std::fmt::Debug for RedisBoard {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RedisBoard").field("node", &self.node).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::presence::{WORD_TTL, conformance};

    conformance::suite!(with_boards);

    async fn with_boards<F>(test: impl FnOnce(conformance::Two) -> F)
    where
        F: Future<Output = ()>,
    {
        let prefix = format!("test-{:016x}:", rand::random::<u64>());
        let config = RedisConfig { prefix, ..RedisConfig::at(server()) };
        let node = |byte| Arc::new(board(&config, byte, WORD_TTL));
        test([node(1), node(2)]).await;
    }

    fn board(config: &RedisConfig, node: u8, ttl: Duration) -> RedisBoard {
        RedisBoard::start(config, NodeId::from_bytes([node; 16]), ttl).unwrap()
    }

    fn server() -> String {
        std::env::var("SEALWIRE_TEST_REDIS").expect("run the tests with `cargo xtask test`")
    }

    #[tokio::test]
    async fn a_node_that_died_takes_its_people_with_it() {
        let prefix = format!("test-{:016x}:", rand::random::<u64>());
        let config = RedisConfig { prefix, ..RedisConfig::at(server()) };
        let (dead, alive) = (board(&config, 1, Duration::ZERO), board(&config, 2, WORD_TTL));
        let (alice, bob) = (AccountId::from_bytes([1; 16]), AccountId::from_bytes([2; 16]));
        let online = Word::everywhere(chat_core::presence::Availability::Online);
        let away = Word::everywhere(chat_core::presence::Availability::Away);

        dead.say(&[(alice, Some(online.clone())), (bob, Some(online))]).await.unwrap();
        alive.say(&[(bob, Some(away.clone()))]).await.unwrap();

        assert_eq!(alive.read(&[alice, bob]).await.unwrap(), [None, Some(away)]);
    }

    #[tokio::test]
    async fn a_lost_board_answers_at_once_that_it_is() {
        let board = board(&RedisConfig::at("redis://127.0.0.1:1"), 1, WORD_TTL);

        let said = board.say(&[(AccountId::from_bytes([1; 16]), None)]).await;

        assert_eq!(said, Err(BoardLost));
        assert_eq!(board.read(&[]).await, Err(BoardLost));
    }
}
