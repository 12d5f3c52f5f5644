//! Files: up in pieces, down in parts, held back until they are whole, and never believed before.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

use std::io::Cursor;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use chat_sdk::content::Attachment;
use chat_sdk::transport::{Answer, Method, Request, Transport as _};
use chat_sdk::{
    Client, Content, Draft, Event, Kind, Message, NewAttachment, Status, Timer, Transferred,
};
use chat_tests::on_both_stands;
use chat_tests::stand::{Nodes as _, Stand};
use tokio::io::AsyncReadExt as _;

use crate::meddling::Meddling;
use crate::people::{PASSWORD, builder, clock, open, people, with_file, within};

on_both_stands! {
    a_file_arrives_as_it_was_sent,
    an_image_has_a_thumbnail_and_words_beside_it,
    what_is_said_meanwhile_does_not_wait_for_a_file,
    an_upload_that_was_dropped_goes_on,
    an_upload_goes_on_after_a_restart,
    answers_and_pieces_that_get_lost_do_no_harm,
    a_file_that_changed_is_not_sent,
    an_upload_that_is_cancelled_leaves_nothing,
    another_blob_or_a_part_of_it_is_not_believed,
    a_download_goes_on_after_a_pause_and_after_a_restart,
    a_part_of_a_file_is_read_without_the_rest,
    a_forwarded_file_is_not_uploaded_again,
    a_file_vanishes_with_its_message,
}

/// Several pieces, and not a multiple of anything.
const LONG: usize = 1_400_003;

async fn a_file_arrives_as_it_was_sent(relay: &Stand) {
    let [mut alice, mut bob] = people(relay, ["alice", "bob"]).await;
    let chat = alice.client.direct("bob").await.unwrap();
    for length in [0, 1, 65_536, LONG] {
        let file = contents(length);

        let new = NewAttachment::named("/tmp/a file.bin").captioned("here");
        let message = chat.send_attachment(new, &mut Cursor::new(&file)).await.unwrap();
        let heard = bob.message().await;

        alice.reaches(message, Status::Sent).await;
        let attachment = attached(&heard);
        assert_eq!(heard.text(), Some("here"));
        assert_eq!(attachment.name.as_deref(), Some("a file.bin"));
        assert_eq!(attachment.size, length as u64);
        assert!(fetched(&bob.client, &attachment).await.unwrap() == file, "{length} bytes");
    }
}

async fn an_image_has_a_thumbnail_and_words_beside_it(relay: &Stand) {
    let [alice, mut bob] = people(relay, ["alice", "bob"]).await;
    let chat = alice.client.direct("bob").await.unwrap();
    let mut photo = Cursor::new(Vec::new());
    let pixels = image::RgbImage::from_fn(900, 300, |x, y| image::Rgb([shade(x), shade(y), 0]));
    pixels.write_to(&mut photo, image::ImageFormat::Png).unwrap();

    let new = NewAttachment::named("photo.png").media_type("image/png");
    chat.send_attachment(new.clone(), &mut photo.clone()).await.unwrap();
    let with = attached(&bob.message().await);
    chat.send_attachment(new.without_thumbnail(), &mut photo).await.unwrap();
    let without = attached(&bob.message().await);

    assert_eq!(with.dimensions, Some((900, 300)));
    let thumbnail = with.thumbnail.unwrap();
    assert_eq!((thumbnail.width, thumbnail.height), (320, 107));
    assert!(image::load_from_memory(&thumbnail.bytes).is_ok());
    assert_eq!((without.thumbnail, without.dimensions), (None, None));
}

async fn what_is_said_meanwhile_does_not_wait_for_a_file(relay: &Stand) {
    let [mut alice, mut bob] = people(relay, ["alice", "bob"]).await;
    let chat = alice.client.direct("bob").await.unwrap();
    let file = contents(LONG);

    let upload = chat.attach(NewAttachment::unnamed(), &mut Cursor::new(&file)).await.unwrap();
    let shown = chat.message(upload.message()).await.unwrap().unwrap();
    chat.send("in the meantime").await.unwrap();
    assert_eq!(bob.hears().await, ["in the meantime"]);
    within(alice.client.flush()).await.unwrap();
    upload.run(&mut Cursor::new(&file)).await.unwrap();

    assert_eq!(shown.status, Status::Queued);
    assert!(attached(&shown).file.is_none());
    assert_eq!(bob.message().await.id, upload.message());
    let mut told = Vec::new();
    while told.last().is_none_or(|it: &Transferred| it.done < it.total) {
        told.push(alice.wait_for(transferred).await);
    }
    assert!(told.len() > 2, "several pieces");
    assert_eq!(*upload.progress().borrow(), *told.last().unwrap());
}

async fn an_upload_that_was_dropped_goes_on(relay: &Stand) {
    let [alice, mut bob] = people(relay, ["alice", "bob"]).await;
    let chat = alice.client.direct("bob").await.unwrap();
    let file = contents(LONG);
    let upload = chat.attach(NewAttachment::unnamed(), &mut Cursor::new(&file)).await.unwrap();

    let mut progress = upload.progress();
    let mut source = Cursor::new(&file);
    tokio::select! {
        _ = upload.run(&mut source) => panic!("it is done before it was dropped"),
        changed = progress.wait_for(|it| it.done > 0) => drop(changed.unwrap()),
    }
    let [waiting] = alice.client.uploads().await.unwrap().try_into().unwrap();
    waiting.run(&mut Cursor::new(&file)).await.unwrap();

    let heard = attached(&bob.message().await);
    assert!(fetched(&bob.client, &heard).await.unwrap() == file);
    assert!(alice.client.uploads().await.unwrap().is_empty());
}

async fn an_upload_goes_on_after_a_restart(relay: &Stand) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("alice.store");
    let [mut bob] = people(relay, ["bob"]).await;
    let alice = with_file(relay, "alice", &path).await;
    let chat = alice.client.direct("bob").await.unwrap();
    let file = contents(LONG);
    let upload = chat.attach(NewAttachment::unnamed(), &mut Cursor::new(&file)).await.unwrap();
    let (mut progress, mut source) = (upload.progress(), Cursor::new(&file));
    tokio::select! {
        _ = upload.run(&mut source) => panic!("it is done before it was stopped"),
        changed = progress.wait_for(|it| it.done > 0) => drop(changed.unwrap()),
    }
    alice.client.close().await.unwrap();

    let alice = open(relay, &path).await;
    let [upload] = alice.client.uploads().await.unwrap().try_into().unwrap();
    assert!(upload.progress().borrow().done > 0);
    upload.run(&mut Cursor::new(&file)).await.unwrap();

    let heard = bob.message().await;
    assert_eq!(heard.id, upload.message());
    assert!(fetched(&bob.client, &attached(&heard)).await.unwrap() == file);
}

async fn answers_and_pieces_that_get_lost_do_no_harm(relay: &Stand) {
    let [_alice, mut bob] = people(relay, ["alice", "bob"]).await;
    let (line, laptop) = over_a_line(relay).await;
    let chat = laptop.direct("bob").await.unwrap();
    let file = contents(LONG);
    // Every second piece fails; the relay has taken none of those.
    let pieces = Arc::new(AtomicUsize::new(0));
    line.meddle(move |request| {
        let is_piece = request.method == Method::PutOctets;
        (is_piece && pieces.fetch_add(1, Ordering::SeqCst).is_multiple_of(2))
            .then(|| Err(Kind::RelayUnreachable.into()))
    });

    chat.send_attachment(NewAttachment::unnamed(), &mut Cursor::new(&file)).await.unwrap();

    let heard = attached(&bob.message().await);
    assert!(fetched(&bob.client, &heard).await.unwrap() == file);
}

async fn a_file_that_changed_is_not_sent(relay: &Stand) {
    let [alice, _bob] = people(relay, ["alice", "bob"]).await;
    let chat = alice.client.direct("bob").await.unwrap();
    let file = contents(LONG);
    let upload = chat.attach(NewAttachment::unnamed(), &mut Cursor::new(&file)).await.unwrap();

    let shorter = upload.run(&mut Cursor::new(&file[..LONG - 1])).await;
    let longer = upload.run(&mut Cursor::new([&file[..], b"x"].concat())).await;

    assert_eq!(shorter.unwrap_err().code(), "source_changed");
    assert_eq!(longer.unwrap_err().code(), "source_changed");
}

async fn an_upload_that_is_cancelled_leaves_nothing(relay: &Stand) {
    let [alice, mut bob] = people(relay, ["alice", "bob"]).await;
    let chat = alice.client.direct("bob").await.unwrap();
    let file = contents(LONG);
    let upload = chat.attach(NewAttachment::unnamed(), &mut Cursor::new(&file)).await.unwrap();
    let (message, mut progress) = (upload.message(), upload.progress());
    let mut source = Cursor::new(&file);
    tokio::select! {
        _ = upload.run(&mut source) => panic!("it is done before it was stopped"),
        changed = progress.wait_for(|it| it.done > 0) => drop(changed.unwrap()),
    }

    upload.cancel().await.unwrap();
    chat.send("never mind").await.unwrap();

    assert_eq!(bob.hears().await, ["never mind"]);
    assert_eq!(chat.message(message).await.unwrap(), None);
    assert!(alice.client.uploads().await.unwrap().is_empty());
}

async fn another_blob_or_a_part_of_it_is_not_believed(relay: &Stand) {
    let [alice, mut bob] = people(relay, ["alice", "bob"]).await;
    let chat = alice.client.direct("bob").await.unwrap();
    let (line, bobs) = {
        let line = Meddling::at(relay.node(0).url());
        let clock = clock();
        let builder = builder(relay.node(0).url(), &clock).transport(line.clone()).in_memory();
        (line, builder.login("bob", PASSWORD).await.unwrap())
    };
    for file in [contents(LONG), contents(LONG).into_iter().rev().collect()] {
        chat.send_attachment(NewAttachment::unnamed(), &mut Cursor::new(&file)).await.unwrap();
    }
    let (first, second) = (attached(&bob.message().await), attached(&bob.message().await));
    let blob = |attachment: &Attachment| attachment.file.as_ref().unwrap().blob();

    // The relay serves the other blob, of the same length and by the same person.
    let (wanted, other) = (blob(&first), blob(&second));
    // Bob's second device gets it as it lies at the relay.
    let token = line.token_of(&bobs).await;
    let request =
        Request { method: Method::Get, path: format!("/v1/blobs/{other}"), body: None, token };
    let real = line.request(request).await.unwrap().body;
    line.meddle(move |request| {
        let Method::GetPart { first, last } = request.method else { return None };
        let (first, last) = (length(first), (length(last) + 1).min(real.len()));
        let is_it = request.path.ends_with(&wanted.to_string());
        is_it.then(|| Ok(Answer { status: 206, body: real.slice(first..last) }))
    });
    let swapped = fetched(&bobs, &first).await;

    // It cuts the blob short, and flips a bit.
    line.meddle(move |request| match request.method {
        Method::GetPart { first, .. } if first > 0 => {
            Some(Ok(Answer { status: 206, body: Bytes::new() }))
        }
        _ => None,
    });
    let short = fetched(&bobs, &first).await;
    line.meddle(|request| match request.method {
        Method::GetPart { first, last } => {
            let body = vec![7; length(last - first + 1)].into();
            Some(Ok(Answer { status: 206, body }))
        }
        _ => None,
    });
    let invented = fetched(&bobs, &first).await;
    line.stop();

    for refused in [swapped, short, invented] {
        assert_eq!(refused.unwrap_err().code(), "attachment_not_authentic");
    }
    assert_ne!(wanted, other);
    assert!(fetched(&bobs, &first).await.unwrap() == contents(LONG));
}

async fn a_download_goes_on_after_a_pause_and_after_a_restart(relay: &Stand) {
    let [alice, mut bob] = people(relay, ["alice", "bob"]).await;
    let chat = alice.client.direct("bob").await.unwrap();
    let file = contents(LONG);
    chat.send_attachment(NewAttachment::unnamed(), &mut Cursor::new(&file)).await.unwrap();
    let attachment = attached(&bob.message().await);
    let mut download = bob.client.download(&attachment).unwrap();
    // A disk that takes a chunk and a half, and then nothing.
    let (mut full, mut taken) = tokio::io::duplex(100_000);
    let mut progress = download.progress();
    tokio::select! {
        _ = download.write_to(&mut full) => panic!("it is done before it was dropped"),
        changed = progress.wait_for(|it| it.done == 100_000) => drop(changed.unwrap()),
    }
    let mut saved = vec![0; usize::try_from(download.position()).unwrap()];
    taken.read_exact(&mut saved).await.unwrap();

    let (place, snapshot) = download.to_snapshot();
    let mut resumed = bob.client.resume_download(&attachment, &snapshot).unwrap();
    let mut again = saved[..usize::try_from(place).unwrap()].to_vec();
    resumed.write_to(&mut again).await.unwrap();
    download.write_to(&mut saved).await.unwrap();

    assert_eq!(place, 65_536, "what nobody has taken is not behind us");
    assert!(saved == file && again == file);
    assert_eq!(download.position(), LONG as u64);
}

async fn a_part_of_a_file_is_read_without_the_rest(relay: &Stand) {
    let [alice, mut bob] = people(relay, ["alice", "bob"]).await;
    let chat = alice.client.direct("bob").await.unwrap();
    let file = contents(LONG);
    chat.send_attachment(NewAttachment::unnamed(), &mut Cursor::new(&file)).await.unwrap();
    let attachment = attached(&bob.message().await);

    for range in [0..10, 65_530..65_540, 700_000..1_300_000, LONG..LONG] {
        let part = range.start as u64..range.end as u64;
        let read = bob.client.read_attachment(&attachment, part).await.unwrap();
        assert!(read == file[range]);
    }
    let beyond = bob.client.read_attachment(&attachment, 0..LONG as u64 + 1).await;
    assert_eq!(beyond.unwrap_err().code(), "argument_invalid");
}

async fn a_forwarded_file_is_not_uploaded_again(relay: &Stand) {
    let [_alice, mut bob, mut carol] = people(relay, ["alice", "bob", "carol"]).await;
    let (line, laptop) = over_a_line(relay).await;
    let file = contents(LONG);
    let at_bob = laptop.direct("bob").await.unwrap();
    let message = at_bob
        .send_attachment(NewAttachment::named("x").captioned("for bob"), &mut Cursor::new(&file))
        .await
        .unwrap();
    let first = attached(&bob.message().await);
    let uploads = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&uploads);
    line.meddle(move |request| {
        if request.path.starts_with("/v1/blobs") {
            counted.fetch_add(1, Ordering::SeqCst);
        }
        None
    });

    let sent = at_bob.message(message).await.unwrap().unwrap();
    let at_carol = laptop.direct("carol").await.unwrap();
    at_carol.send_with(Draft::forward(&sent).unwrap()).await.unwrap();

    let heard = attached(&carol.message().await);
    assert!(heard.caption.forwarded);
    assert_eq!(heard.file, first.file);
    assert!(fetched(&carol.client, &heard).await.unwrap() == file);
    assert_eq!(uploads.load(Ordering::SeqCst), 0);
}

async fn a_file_vanishes_with_its_message(relay: &Stand) {
    let [mut alice, mut bob] = people(relay, ["alice", "bob"]).await;
    let chat = alice.client.direct("bob").await.unwrap();
    let brief = NewAttachment::named("secret.bin")
        .captioned("burn this")
        .expiring(Timer::after_sent(Duration::from_secs(3600)));
    let file = contents(1000);
    let message = chat.send_attachment(brief, &mut Cursor::new(&file)).await.unwrap();
    let heard = bob.message().await;
    assert!(heard.expires_at.is_some());
    alice.reaches(message, Status::Sent).await;

    for person in [&mut alice, &mut bob] {
        person.clock.advance(Duration::from_secs(3601));
        person.loses(message).await;
        assert!(person.client.search("burn", 10).await.unwrap().is_empty());
        let left = person.only_conversation().await.message(message).await.unwrap();
        assert_eq!(left, None);
    }
}

fn contents(length: usize) -> Vec<u8> {
    (0_u8..251).cycle().step_by(31).take(length).collect()
}

fn length(bytes: u64) -> usize {
    usize::try_from(bytes).unwrap()
}

fn shade(place: u32) -> u8 {
    place.to_be_bytes()[3]
}

fn attached(message: &Message) -> Attachment {
    let Content::Attachment(attachment) = &message.content else { panic!("no file") };
    attachment.clone()
}

fn transferred(event: &Event) -> Option<Transferred> {
    match event {
        Event::Transferred { transferred, .. } => Some(*transferred),
        _ => None,
    }
}

async fn fetched(client: &Client, attachment: &Attachment) -> chat_sdk::Result<Vec<u8>> {
    let mut saved = Vec::new();
    within(client.download(attachment)?.write_to(&mut saved)).await?;
    Ok(saved)
}

/// Another device of alice's, behind a network that a story meddles with.
async fn over_a_line(relay: &Stand) -> (Arc<Meddling>, Client) {
    let line = Meddling::at(relay.node(0).url());
    let clock = clock();
    let builder = builder(relay.node(0).url(), &clock).transport(line.clone()).in_memory();
    let client = builder.login("alice", PASSWORD).await.unwrap();
    (line, client)
}
