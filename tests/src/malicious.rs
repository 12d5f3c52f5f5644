//! A relay that lies: the real one, and somebody in between who changes what is said.
//!
//! ```text
//!                     ┌───────────────── MaliciousRelay ─────────────────┐
//!  client "bob" ──▶ Line ──▶ request, frame ──swallowed? ──no──▶ Network ──▶ the real relay
//!               ◀──      ◀── answer, frames ◀──rewritten? ◀─────
//!                     ◀── frames that nobody sent
//! ```
//!
//! It sits at the SDK's transport port, so it decodes and encodes nothing twice: requests are seen
//! as they go to HTTP, answers are read and written as the bodies of `chat-core`, frames are the
//! frames. Lies are switched on one by one, each for one person's line or for all, and off together
//! by [`MaliciousRelay::tell_the_truth`]. Everything that passes is taken down, to be told again
//! where it does not belong.
//!
//! What it cannot do is what a relay cannot do: it has nobody's keys.

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use bytes::Bytes;
use chat_core::codec::to_bytes;
use chat_core::envelope::{Envelope, Header};
use chat_core::frame::{ClientFrame, RelayFrame};
use chat_core::reject::Reject;
use chat_sdk::transport::{
    AccessToken, Answer, FrameSink, FrameStream, Link, Method, Network, Origin, Request, Transport,
};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::sync::mpsc;

/// A relay between which and its clients somebody sits.
#[derive(Clone, Debug)]
pub struct MaliciousRelay {
    url: String,
    plot: Arc<Mutex<Plot>>,
}

/// The lies that are told now, and what was heard.
#[derive(Default)]
struct Plot {
    lies: Vec<(Who, Lie)>,
    links: HashMap<String, mpsc::UnboundedSender<RelayFrame>>,
    heard: Vec<Heard>,
}

/// To whom a lie is told.
#[derive(Clone, Debug, Eq, PartialEq)]
enum Who {
    Everybody,
    Only(String),
}

impl Who {
    fn includes(&self, name: &str) -> bool {
        match self {
            Self::Everybody => true,
            Self::Only(only) => only == name,
        }
    }
}

type OnFrame = Box<dyn FnMut(RelayFrame) -> Vec<RelayFrame> + Send>;
type OnSend = Box<dyn FnMut(&ClientFrame) -> Option<Vec<RelayFrame>> + Send>;
type OnRequest = Box<dyn FnMut(&Asked) -> Option<Answer> + Send>;
type OnAnswer = Box<dyn FnMut(&Asked, Answer) -> Answer + Send>;
type OnPath = Box<dyn FnMut(&Asked) -> Option<String> + Send>;

enum Lie {
    Frame(OnFrame),
    Send(OnSend),
    Request(OnRequest),
    Answer(OnAnswer),
    Path(OnPath),
}

/// A request, as far as lies go by it.
#[derive(Clone, Debug)]
pub struct Asked {
    /// What it does.
    pub method: Method,
    /// Path and query.
    pub path: String,
    /// Its body.
    pub body: Option<Vec<u8>>,
}

/// Something that passed.
#[derive(Clone, Debug)]
enum Heard {
    ToClient(String, RelayFrame),
    ToRelay(String, ClientFrame),
    Answer(String, Asked, Bytes),
    Request(String, Asked),
}

impl MaliciousRelay {
    /// In front of the relay at `url`; honest until it is told otherwise.
    #[must_use]
    pub fn before(url: &str) -> Self {
        Self { url: url.to_owned(), plot: Arc::default() }
    }

    /// The way to the relay for the client that lies know by this name.
    ///
    /// # Panics
    ///
    /// If the relay's URL is none.
    #[must_use]
    #[allow(clippy::expect_used)]
    pub fn line(&self, name: &str) -> Arc<dyn Transport> {
        let origin = Origin::parse(&self.url).expect("a relay has a URL");
        let network = Network::to(origin).expect("TLS can be set up");
        Arc::new(Line { name: name.to_owned(), network, plot: Arc::clone(&self.plot) })
    }

    /// Where the real relay is.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    // ── lies ────────────────────────────────────────────────────────────────────────────────────

    /// From now on, what the relay says to `name` becomes what `lie` makes of it.
    pub fn says_to(
        &self,
        name: &str,
        lie: impl FnMut(RelayFrame) -> Vec<RelayFrame> + Send + 'static,
    ) {
        self.add(Who::Only(name.to_owned()), Lie::Frame(Box::new(lie)));
    }

    /// From now on, frames of `name` that `lie` gives something for do not arrive; the frames that
    /// it gives are the answer.
    pub fn swallows_of(
        &self,
        name: &str,
        lie: impl FnMut(&ClientFrame) -> Option<Vec<RelayFrame>> + Send + 'static,
    ) {
        self.add(Who::Only(name.to_owned()), Lie::Send(Box::new(lie)));
    }

    /// From now on, requests of `name` that `lie` gives an answer to do not arrive.
    pub fn answers(&self, name: &str, lie: impl FnMut(&Asked) -> Option<Answer> + Send + 'static) {
        self.add(Who::Only(name.to_owned()), Lie::Request(Box::new(lie)));
    }

    /// From now on, requests for `path`, whoever asks, are answered with `body`.
    pub fn answers_all(&self, path: &str, body: &impl Serialize) {
        let (path, answer) = (path.to_owned(), ok(body));
        let lie = move |asked: &Asked| {
            (asked.path == path)
                .then(|| Answer { status: answer.status, body: answer.body.clone() })
        };
        self.add(Who::Everybody, Lie::Request(Box::new(lie)));
    }

    /// From now on, what the relay answers `name` where the path contains `path` becomes what
    /// `lie` makes of it. Refusals pass as they are.
    pub fn rewrites<T: Serialize + DeserializeOwned>(
        &self,
        name: &str,
        path: &str,
        mut lie: impl FnMut(T) -> T + Send + 'static,
    ) {
        let path = path.to_owned();
        let lie = move |asked: &Asked, answer: Answer| {
            if !asked.path.contains(&path) || !(200..300).contains(&answer.status) {
                return answer;
            }
            match serde_json::from_slice(&answer.body) {
                Ok(body) => Answer { status: answer.status, ..ok(&lie(body)) },
                Err(_) => answer,
            }
        };
        self.add(Who::Only(name.to_owned()), Lie::Answer(Box::new(lie)));
    }

    /// From now on, requests of `name` that `lie` gives another path for are answered with what is
    /// there: by the real relay, and as that means it.
    pub fn leads_astray(
        &self,
        name: &str,
        lie: impl FnMut(&Asked) -> Option<String> + Send + 'static,
    ) {
        self.add(Who::Only(name.to_owned()), Lie::Path(Box::new(lie)));
    }

    /// Says `frame` to `name` now, of its own accord.
    ///
    /// # Panics
    ///
    /// If nobody of that name is connected.
    #[allow(clippy::expect_used)]
    pub fn tells(&self, name: &str, frame: RelayFrame) {
        let links = &self.plot().links;
        links.get(name).and_then(|link| link.send(frame).ok()).expect("they are connected");
    }

    /// Ends all lies.
    pub fn tell_the_truth(&self) {
        self.plot().lies.clear();
    }

    // ── what was heard ──────────────────────────────────────────────────────────────────────────

    /// The messages that `name` was really given, as they came.
    #[must_use]
    pub fn delivered_to(&self, name: &str) -> Vec<RelayFrame> {
        self.said_to(name, |frame| matches!(frame, RelayFrame::Deliver { .. }))
    }

    /// The frames for `name` that are `wanted`, as they came.
    #[must_use]
    pub fn said_to(&self, name: &str, wanted: impl Fn(&RelayFrame) -> bool) -> Vec<RelayFrame> {
        let plot = self.plot();
        let frames = plot.heard.iter().filter_map(|heard| match heard {
            Heard::ToClient(to, frame) if to == name && wanted(frame) => Some(frame.clone()),
            _ => None,
        });
        frames.collect()
    }

    /// The frames of `name` that are `wanted`, as they came.
    #[must_use]
    pub fn said_by(&self, name: &str, wanted: impl Fn(&ClientFrame) -> bool) -> Vec<ClientFrame> {
        let plot = self.plot();
        let frames = plot.heard.iter().filter_map(|heard| match heard {
            Heard::ToRelay(from, frame) if from == name && wanted(frame) => Some(frame.clone()),
            _ => None,
        });
        frames.collect()
    }

    /// The last thing of this form that `name` was truly answered, where the path contains `path`.
    ///
    /// # Panics
    ///
    /// If nothing was.
    #[must_use]
    #[allow(clippy::expect_used)]
    pub fn answered<T: DeserializeOwned>(&self, name: &str, path: &str) -> T {
        let plot = self.plot();
        let answer = plot.heard.iter().rev().find_map(|heard| match heard {
            Heard::Answer(to, asked, body) if to == name && asked.path.contains(path) => {
                serde_json::from_slice(body).ok()
            }
            _ => None,
        });
        answer.expect("there was such an answer")
    }

    /// How many requests of `name` with this method and path there were.
    #[must_use]
    pub fn requests_of(&self, name: &str, method: Method, path: &str) -> usize {
        let plot = self.plot();
        let requests = plot.heard.iter().filter(|heard| {
            matches!(heard, Heard::Request(from, asked)
                if from == name && asked.method == method && asked.path.contains(path))
        });
        requests.count()
    }

    fn add(&self, who: Who, lie: Lie) {
        self.plot().lies.push((who, lie));
    }

    fn plot(&self) -> MutexGuard<'_, Plot> {
        lock(&self.plot)
    }
}

fn lock(plot: &Mutex<Plot>) -> MutexGuard<'_, Plot> {
    plot.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A good answer.
///
/// # Panics
///
/// If `body` has no JSON form.
#[allow(clippy::expect_used)]
pub fn ok(body: &impl Serialize) -> Answer {
    let body = serde_json::to_vec(body).expect("the bodies of chat-core have a JSON form");
    Answer { status: 200, body: body.into() }
}

/// A refusal.
#[must_use]
pub fn refusal(reject: &Reject) -> Answer {
    Answer { status: reject.code.http_status(), ..ok(reject) }
}

/// The same envelope under another header.
///
/// # Panics
///
/// If it had no header.
#[must_use]
#[allow(clippy::expect_used)]
pub fn with_header(envelope: &Envelope, change: impl FnOnce(&mut Header)) -> Envelope {
    let mut header = envelope.read_header().expect("it has a header");
    change(&mut header);
    let header = chat_core::codec::Bytes::new(to_bytes(&header)).expect("a header is short");
    Envelope { header, ..envelope.clone() }
}

impl Plot {
    fn rewrite(&mut self, name: &str, frame: RelayFrame) -> Vec<RelayFrame> {
        self.heard.push(Heard::ToClient(name.to_owned(), frame.clone()));
        let mut frames = vec![frame];
        for (who, lie) in &mut self.lies {
            if let (true, Lie::Frame(lie)) = (who.includes(name), lie) {
                frames = frames.into_iter().flat_map(lie).collect();
            }
        }
        frames
    }

    fn swallow(&mut self, name: &str, frame: &ClientFrame) -> Option<Vec<RelayFrame>> {
        self.heard.push(Heard::ToRelay(name.to_owned(), frame.clone()));
        self.lies.iter_mut().find_map(|(who, lie)| match lie {
            Lie::Send(lie) if who.includes(name) => lie(frame),
            _ => None,
        })
    }

    fn answer(&mut self, name: &str, asked: &Asked) -> Option<Answer> {
        self.heard.push(Heard::Request(name.to_owned(), asked.clone()));
        // The newest lie goes first.
        self.lies.iter_mut().rev().find_map(|(who, lie)| match lie {
            Lie::Request(lie) if who.includes(name) => lie(asked),
            _ => None,
        })
    }

    fn lead_astray(&mut self, name: &str, asked: &Asked) -> Option<String> {
        self.lies.iter_mut().find_map(|(who, lie)| match lie {
            Lie::Path(lie) if who.includes(name) => lie(asked),
            _ => None,
        })
    }

    fn reword(&mut self, name: &str, asked: &Asked, answer: Answer) -> Answer {
        self.heard.push(Heard::Answer(name.to_owned(), asked.clone(), answer.body.clone()));
        self.lies.iter_mut().fold(answer, |answer, (who, lie)| match lie {
            Lie::Answer(lie) if who.includes(name) => lie(asked, answer),
            _ => answer,
        })
    }
}

impl fmt::Debug for Plot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Plot").field("lies", &self.lies.len()).finish_non_exhaustive()
    }
}

// ── the way there ───────────────────────────────────────────────────────────────────────────────

#[derive(Debug)]
struct Line {
    name: String,
    network: Network,
    plot: Arc<Mutex<Plot>>,
}

#[async_trait]
impl Transport for Line {
    fn origin(&self) -> &Origin {
        self.network.origin()
    }

    async fn request(&self, request: Request) -> chat_sdk::Result<Answer> {
        let asked = Asked {
            method: request.method,
            path: request.path.clone(),
            body: request.body.clone(),
        };
        let lie = lock(&self.plot).answer(&self.name, &asked);
        if let Some(lie) = lie {
            return Ok(lie);
        }
        let path = lock(&self.plot).lead_astray(&self.name, &asked).unwrap_or(request.path);
        let answer = self.network.request(Request { path, ..request }).await?;
        Ok(lock(&self.plot).reword(&self.name, &asked, answer))
    }

    async fn connect(&self, token: &AccessToken) -> chat_sdk::Result<Link> {
        let Link { sink, stream } = self.network.connect(token).await?;
        let (aside, told) = mpsc::unbounded_channel();
        lock(&self.plot).links.insert(self.name.clone(), aside.clone());
        let (name, plot) = (self.name.clone(), Arc::clone(&self.plot));
        let sink = Sink { name: name.clone(), sink, plot: Arc::clone(&plot), aside };
        let stream = Stream { name, stream, plot, told, ready: VecDeque::new() };
        Ok(Link { sink: Box::new(sink), stream: Box::new(stream) })
    }
}

#[derive(Debug)]
struct Sink {
    name: String,
    sink: Box<dyn FrameSink>,
    plot: Arc<Mutex<Plot>>,
    aside: mpsc::UnboundedSender<RelayFrame>,
}

#[async_trait]
impl FrameSink for Sink {
    async fn send(&mut self, frame: &ClientFrame) -> chat_sdk::Result<()> {
        let swallowed = lock(&self.plot).swallow(&self.name, frame);
        let Some(answers) = swallowed else { return self.sink.send(frame).await };
        for answer in answers {
            // Whoever hung up wants no answer.
            let _ = self.aside.send(answer);
        }
        Ok(())
    }

    async fn close(&mut self) {
        self.sink.close().await;
    }
}

#[derive(Debug)]
struct Stream {
    name: String,
    stream: Box<dyn FrameStream>,
    plot: Arc<Mutex<Plot>>,
    told: mpsc::UnboundedReceiver<RelayFrame>,
    ready: VecDeque<RelayFrame>,
}

#[async_trait]
impl FrameStream for Stream {
    async fn next(&mut self) -> chat_sdk::Result<Option<RelayFrame>> {
        loop {
            if let Some(frame) = self.ready.pop_front() {
                return Ok(Some(frame));
            }
            tokio::select! {
                // What is told now comes before what the relay says later.
                biased;
                Some(frame) = self.told.recv() => self.ready.push_back(frame),
                frame = self.stream.next() => match frame? {
                    Some(frame) => self.ready.extend(lock(&self.plot).rewrite(&self.name, frame)),
                    None => return Ok(None),
                },
            }
        }
    }
}
