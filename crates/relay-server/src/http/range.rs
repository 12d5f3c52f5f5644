//! `Range` of a request (RFC 9110 §14): one range of bytes, or all of them.

use std::ops::Range;

/// What a request asks for.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Wanted {
    /// Everything: no range, one that is not understood, or more than one.
    All,
    /// These bytes, at least one.
    Part(Range<u64>),
    /// None that there are.
    Nothing,
}

/// Reads the header's value, for something of `length` bytes.
pub(super) fn read(value: &str, length: u64) -> Wanted {
    let Some(set) = value.trim().strip_prefix("bytes=") else { return Wanted::All };
    // A server may ignore what it does not want to answer in parts.
    let Some((first, last)) = set.trim().split_once('-') else { return Wanted::All };
    let (first, last) = (first.trim(), last.trim());
    let range = match (number(first), number(last)) {
        (Some(first), Some(last)) if first <= last => first..last.saturating_add(1).min(length),
        (Some(first), None) if last.is_empty() => first..length,
        (None, Some(suffix)) if first.is_empty() => length.saturating_sub(suffix)..length,
        _ => return Wanted::All,
    };
    if range.is_empty() { Wanted::Nothing } else { Wanted::Part(range) }
}

/// A number in digits; one that does not fit is as large as there is.
fn number(text: &str) -> Option<u64> {
    let is_number = !text.is_empty() && text.bytes().all(|c| c.is_ascii_digit());
    is_number.then(|| text.parse().unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_is_read_as_rfc_9110_has_it() {
        for (value, expected) in [
            ("bytes=0-499", Wanted::Part(0..500)),
            ("bytes=500-999", Wanted::Part(500..1000)),
            ("bytes=-500", Wanted::Part(9_500..10_000)),
            ("bytes=9500-", Wanted::Part(9_500..10_000)),
            ("bytes=0-0", Wanted::Part(0..1)),
            ("bytes=-1", Wanted::Part(9_999..10_000)),
            ("bytes=-20000", Wanted::Part(0..10_000)),
            ("bytes=9999-99999999999999999999999", Wanted::Part(9_999..10_000)),
            ("bytes=10000-", Wanted::Nothing),
            ("bytes=99999999999999999999999-", Wanted::Nothing),
            ("bytes=-0", Wanted::Nothing),
        ] {
            assert_eq!(read(value, 10_000), expected, "{value}");
        }
    }

    #[test]
    fn what_is_no_single_range_asks_for_everything() {
        for value in [
            "",
            "bytes",
            "bytes=",
            "bytes=-",
            "bytes=a-b",
            "bytes=5-2",
            "bytes=0-1,4-5",
            "bytes=+1-2",
            "lines=0-1",
            "bytes=1",
            "bytes=--1",
            "bytes=0x1-2",
        ] {
            assert_eq!(read(value, 10_000), Wanted::All, "{value}");
        }
    }
}
