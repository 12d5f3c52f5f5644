//! Reads a trace of `strace -f -yy -xx`: which message's row, flush and accept came when.
//!
//! ```text
//!  812 pwrite64(9<\x2f…\x2d\x77\x61\x6c>, "\x0d\x00…", 4096, 56) = 4096
//!  812 fdatasync(9<\x2f…\x2d\x77\x61\x6c> <unfinished ...>
//!  812 <... fdatasync resumed>)      = 0
//!  815 sendto(14<TCP:[127.0.0.1:…->127.0.0.1:…]>, "\x82\x1a…", 28, MSG_NOSIGNAL, NULL, 0) = 28
//! ```
//!
//! A call counts as done at the line with its result, and as begun at the line with its name: for
//! a flush that helps nobody, both must lie between the row's result and the frame's beginning.

use std::collections::HashMap;

use chat_core::codec::from_bytes;
use chat_core::frame::RelayFrame;
use chat_core::id::MessageId;

/// The calls that write to a file or a socket.
const WRITES: [&str; 6] = ["write", "pwrite64", "writev", "pwritev", "sendto", "sendmsg"];
const FLUSHES: [&str; 2] = ["fdatasync", "fsync"];

/// How far the message that is next in turn has got, by line.
#[derive(Default)]
struct Turn {
    row: Option<usize>,
    flushed: bool,
}

/// A call that has begun.
struct Begun<'a> {
    at: usize,
    call: &'a str,
}

/// Checks that each of `messages`, sent one after the other, was on disk before it was accepted;
/// returns how many accepts there were.
///
/// # Errors
///
/// A sentence about the first accept that came too early, or that has no message.
pub(super) fn check(trace: &str, messages: &[MessageId]) -> Result<usize, String> {
    let ids: Vec<String> = messages.iter().map(|message| hex(message.as_bytes())).collect();
    let mut begun: HashMap<&str, Begun<'_>> = HashMap::new();
    let (mut turn, mut accepts) = (Turn::default(), 0_usize);
    for (at, line) in trace.lines().enumerate() {
        let Some((thread, rest)) = line.split_once(' ') else { continue };
        let rest = rest.trim_start();
        let is_resumed = rest.starts_with("<... ");
        if !is_resumed {
            // The frame is on its way from the moment the call begins, whatever becomes of it.
            for sequence in accepted_in(rest) {
                let place = sequence.to_string();
                if ids.get(accepts).is_none() || usize::try_from(sequence) != Ok(accepts + 1) {
                    return Err(format!("line {}: accept {place} has no message", at + 1));
                }
                if !turn.flushed {
                    return Err(format!("line {}: accept {place} came before its flush", at + 1));
                }
                turn = Turn::default();
                accepts += 1;
            }
            begun.insert(thread, Begun { at, call: rest });
            if rest.ends_with("<unfinished ...>") {
                continue;
            }
        }
        let Some(Begun { at: began, call }) = begun.remove(thread) else { continue };
        if !on_log(call) {
            continue;
        }
        if is_call(call, &WRITES) {
            let holds = ids.get(accepts).is_some_and(|id| call.contains(id.as_str()));
            if turn.row.is_none() && holds {
                turn.row = Some(at);
            }
        } else if is_call(call, &FLUSHES) && rest.ends_with("= 0") {
            turn.flushed |= turn.row.is_some_and(|row| row < began);
        }
    }
    Ok(accepts)
}

fn is_call(call: &str, names: &[&str]) -> bool {
    call.split_once('(').is_some_and(|(name, _)| names.contains(&name))
}

/// Tells whether the call is on SQLite's log; names of files are written out in bytes, too.
fn on_log(call: &str) -> bool {
    call.split_once('>').is_some_and(|(file, _)| file.ends_with(&hex(b"-wal")))
}

/// The sequences of the accepted frames that a call begins to write to a socket.
fn accepted_in(call: &str) -> Vec<u64> {
    let is_socket = call.split_once('<').is_some_and(|(_, file)| file.starts_with("TCP"));
    if !is_socket || !is_call(call, &WRITES) {
        return Vec::new();
    }
    let bytes: Vec<u8> = call.split('"').skip(1).step_by(2).flat_map(unhex).collect();
    let mut frames = bytes.as_slice();
    let mut found = Vec::new();
    while let Some((frame, rest)) = next_frame(frames) {
        if let Ok(RelayFrame::Accepted { sequence, .. }) = from_bytes(frame) {
            found.push(sequence);
        }
        frames = rest;
    }
    found
}

/// A WebSocket message in one unmasked binary frame (RFC 6455 §5.2), and what follows it.
fn next_frame(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, body) = match bytes {
        [0x82, 126, high, low, body @ ..] => (usize::from(u16::from_be_bytes([*high, *low])), body),
        [0x82, length, body @ ..] if *length < 126 => (usize::from(*length), body),
        _ => return None,
    };
    body.split_at_checked(length)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("\\x{byte:02x}")).collect()
}

fn unhex(text: &str) -> Vec<u8> {
    text.split("\\x").skip(1).filter_map(|two| u8::from_str_radix(two.get(..2)?, 16).ok()).collect()
}

mod tests {
    use chat_core::codec::to_bytes;
    use chat_core::time::Timestamp;

    use super::*;

    const LOG: &str = "\\x61\\x2d\\x77\\x61\\x6c"; // a-wal
    const SOCKET: &str = "TCP:[127.0.0.1:7300->127.0.0.1:40000]";

    fn message(number: u8) -> MessageId {
        MessageId::from_bytes([number; 16])
    }

    fn row(number: u8) -> String {
        let page = hex(message(number).as_bytes());
        format!("7 pwrite64(9<{LOG}>, \"\\x0d{page}\", 4096, 56) = 4096\n")
    }

    fn accept(sequence: u64) -> String {
        let accepted = RelayFrame::Accepted { request: 3, sequence, at: Timestamp::default() };
        let frame = to_bytes(&accepted);
        let bytes = hex(&[&[0x82, u8::try_from(frame.len()).unwrap()], frame.as_slice()].concat());
        format!("8 sendto(14<{SOCKET}>, \"{bytes}\", 20, MSG_NOSIGNAL, NULL, 0) = 20\n")
    }

    const FLUSH: &str = "7 fdatasync(9<\\x61\\x2d\\x77\\x61\\x6c>) = 0\n";
    const FLUSH_BEGINS: &str = "7 fdatasync(9<\\x61\\x2d\\x77\\x61\\x6c> <unfinished ...>\n";
    const FLUSH_ENDS: &str = "7 <... fdatasync resumed>) = 0\n";

    #[test]
    fn row_flush_accept_is_in_order() {
        let whole = [row(1), FLUSH.into(), accept(1)].concat();
        let split = [row(2), FLUSH_BEGINS.into(), FLUSH_ENDS.into(), accept(2)].concat();

        assert_eq!(check(&(whole + &split), &[message(1), message(2)]), Ok(2));
    }

    #[test]
    fn an_accept_before_the_flush_is_caught() {
        let early = [row(1), accept(1), FLUSH.into()].concat();
        let meanwhile = [row(1), FLUSH_BEGINS.into(), accept(1), FLUSH_ENDS.into()].concat();
        let never = [row(1), accept(1)].concat();

        for trace in [early, meanwhile, never] {
            let caught = check(&trace, &[message(1)]).unwrap_err();

            assert!(caught.ends_with("accept 1 came before its flush"), "{caught}");
        }
    }

    #[test]
    fn a_flush_of_something_else_does_not_count() {
        let before = [FLUSH.into(), row(1), accept(1)].concat();
        let begun_before = [FLUSH_BEGINS.into(), row(1).replace("7 p", "6 p"), FLUSH_ENDS.into()];
        let begun_before = [begun_before.concat(), accept(1)].concat();
        let other_file = [row(1), FLUSH.replace("\\x2d", ""), accept(1)].concat();
        let failed = [row(1), FLUSH.replace("= 0", "= -1 EIO"), accept(1)].concat();
        let other_row = [row(9), FLUSH.into(), accept(1)].concat();

        for trace in [before, begun_before, other_file, failed, other_row] {
            assert!(check(&trace, &[message(1)]).is_err(), "{trace}");
        }
    }

    #[test]
    fn a_second_accept_needs_a_flush_of_its_own() {
        let trace = [row(1), FLUSH.into(), accept(1), row(2), accept(2)].concat();

        assert!(check(&trace, &[message(1), message(2)]).is_err());
    }
}
