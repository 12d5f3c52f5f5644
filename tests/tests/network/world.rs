//! A small world: three people, one of them with two devices, who talk while the network is bad.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use chat_core::id::{ConversationId, MessageId};
use chat_sdk::{Client, Event, Events, SystemClock};
use chat_tests::impatient::Impatient;
use chat_tests::weather::{Bug, Weather};
use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use tokio::sync::watch;

use super::books::{Books, Device};
use crate::people::{CHEAP, PASSWORD};

/// Most things that happen in a world.
const ACTS: std::ops::Range<usize> = 10..30;
/// The longest pause between two of them.
const PAUSE_MAX: Duration = Duration::from_millis(6);
/// Longer than anything takes that comes at all.
const PATIENCE: Duration = Duration::from_secs(60);

/// The devices of a world, and what happens to them.
pub(super) struct World {
    rng: ChaCha8Rng,
    weather: Arc<Weather>,
    devices: Vec<Client>,
    books: Arc<Mutex<Books>>,
    news: watch::Receiver<u64>,
    readers: BTreeMap<ConversationId, Vec<Device>>,
}

impl World {
    /// Lets a world of this seed live from beginning to end, and checks the books.
    pub(super) async fn live(url: &str, seed: u64, bug: Option<Bug>) -> Result<(), String> {
        let mut world = Self::begin(url, seed, bug).await;
        world.weather.rise();
        world.act().await;
        // Whatever has to be done, most of it is done while the weather is bad.
        world.everybody_goes_online().await;
        world.flush().await?;
        world.weather.settle();
        world.end().await
    }

    async fn begin(url: &str, seed: u64, bug: Option<Bug>) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let weather = Weather::of(seed, bug);
        // In some worlds three devices are a large group, which talks on sender chains.
        let sessions = if rng.random_bool(0.3) { 2 } else { 256 };
        let suffix: u32 = rand::random();
        let names = ["a", "b", "c"].map(|name| format!("{name}-{seed:x}-{suffix:x}"));
        let mut devices = Vec::new();
        for (number, name) in [0, 1, 2, 0].into_iter().map(|name| &names[name]).enumerate() {
            let builder = Client::builder(url)
                .transport(weather.line(url, number as u64))
                .clock(Arc::new(Impatient(SystemClock)))
                .sessions_a_message_max(sessions)
                .password_hardening(CHEAP)
                .in_memory();
            devices.push(match number {
                0..3 => builder.register(name, PASSWORD).await.unwrap().client,
                _ => builder.login(name, PASSWORD).await.unwrap(),
            });
        }
        let (books, news) = listen(&devices, &weather);
        let direct = devices[0].direct(&names[1]).await.unwrap().id();
        let group = devices[0].create_group("", &[&names[1], &names[2]]).await.unwrap().id();
        let readers = BTreeMap::from([(direct, vec![0, 1, 3]), (group, vec![0, 1, 2, 3])]);
        let mut world = Self { rng, weather, devices, books, news, readers };
        world.everybody_knows().await;
        world
    }

    /// Waits until every device has the conversations it is in.
    async fn everybody_knows(&mut self) {
        loop {
            self.news.borrow_and_update();
            let mut knows = true;
            for (place, readers) in &self.readers {
                for reader in readers {
                    knows &= self.devices[*reader].conversation(*place).await.is_ok();
                }
            }
            if knows {
                return;
            }
            self.news.changed().await.unwrap();
        }
    }

    async fn act(&mut self) {
        for _ in 0..self.rng.random_range(ACTS) {
            let device = self.rng.random_range(0..self.devices.len());
            match self.rng.random_range(0..100) {
                0..75 => self.say(device).await,
                75..83 => self.devices[device].go_offline().await.unwrap(),
                83..93 => self.devices[device].go_online().await.unwrap(),
                _ => self.look(device).await,
            }
            tokio::time::sleep(self.rng.random_range(Duration::ZERO..PAUSE_MAX)).await;
        }
    }

    async fn say(&mut self, device: Device) {
        let places: Vec<_> =
            self.readers.iter().filter(|(_, in_it)| in_it.contains(&device)).collect();
        let place = *places[self.rng.random_range(0..places.len())].0;
        for _ in 0..self.rng.random_range(1..4) {
            self.say_in(device, place).await;
        }
    }

    async fn say_in(&self, device: Device, place: ConversationId) -> MessageId {
        let conversation = self.devices[device].conversation(place).await.unwrap();
        let message = conversation.send("words").await.unwrap();
        self.books.lock().unwrap().attempt(device, place, message);
        message
    }

    async fn look(&self, device: Device) {
        for conversation in self.devices[device].conversations().await.unwrap() {
            conversation.mark_seen().await.unwrap();
        }
    }

    /// Lets everything arrive that is still to come, and after it one more of everybody: what came
    /// twice, or late, would have come by then.
    async fn end(mut self) -> Result<(), String> {
        let mut last = Vec::new();
        for (place, readers) in &self.readers {
            for device in readers {
                last.push((*device, *place, self.say_in(*device, *place).await));
            }
        }
        self.flush().await?;
        let everybody_has_it = tokio::time::timeout(PATIENCE, self.hears(&last)).await.is_ok();
        let books = self.books.lock().unwrap();
        books.check(&self.readers)?;
        if everybody_has_it { Ok(()) } else { Err("the last messages do not come".to_owned()) }
    }

    async fn everybody_goes_online(&self) {
        for device in &self.devices {
            device.go_online().await.unwrap();
        }
    }

    async fn flush(&self) -> Result<(), String> {
        for (number, device) in self.devices.iter().enumerate() {
            if tokio::time::timeout(PATIENCE, device.flush()).await.is_err() {
                self.books.lock().unwrap().check_complaints()?;
                let state = device.connection_state();
                return Err(format!("device {number} does not get rid of everything: {state:?}"));
            }
        }
        Ok(())
    }

    /// Waits until everybody has these messages.
    async fn hears(&mut self, last: &[(Device, ConversationId, MessageId)]) {
        loop {
            self.news.borrow_and_update();
            let is_over = {
                let books = self.books.lock().unwrap();
                last.iter().all(|(by, place, message)| {
                    let mut readers = self.readers[place].iter().filter(|reader| *reader != by);
                    readers.all(|reader| books.has(*reader, *place, *message))
                })
            };
            if is_over {
                return;
            }
            self.news.changed().await.unwrap();
        }
    }
}

/// Takes down what every device is told.
fn listen(devices: &[Client], weather: &Arc<Weather>) -> (Arc<Mutex<Books>>, watch::Receiver<u64>) {
    let (books, news) = (Arc::<Mutex<Books>>::default(), watch::Sender::new(0));
    let heard = news.subscribe();
    for (device, client) in devices.iter().enumerate() {
        let (mut events, books): (Events, _) = (client.events(), Arc::clone(&books));
        let (weather, news) = (Arc::clone(weather), news.clone());
        tokio::spawn(async move {
            while let Some(event) = events.next().await {
                {
                    let mut books = books.lock().unwrap();
                    books.note(device, &event);
                    if let Event::Message(message) = &event
                        && weather.doubled().contains(&message.id)
                    {
                        books.note(device, &event);
                    }
                }
                news.send_modify(|count| *count += 1);
            }
        });
    }
    (books, heard)
}
