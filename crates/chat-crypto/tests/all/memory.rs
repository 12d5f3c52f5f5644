//! Looking for secrets in the memory of this very process.

use std::collections::{HashMap, HashSet};
use std::fs::{self, File};
use std::ops::Range;
use std::os::unix::fs::FileExt as _;

/// What needles are kept under, so that the search does not find its own list.
const MASK: u64 = 0x5ea1_31e5_0bad_cafe;
const PIECE: usize = 64 << 10;

/// The first 16 bytes of secrets, masked.
#[derive(Default)]
pub(crate) struct Needles {
    alive: HashSet<[u64; 2]>,
    past: HashSet<[u64; 2]>,
    public: HashSet<[u64; 2]>,
}

impl Needles {
    /// Notes a secret that lives.
    pub(crate) fn one(&mut self, secret: &[u8]) {
        self.alive.insert(masked(secret));
    }

    /// Notes every secret of a snapshot, all of which live.
    pub(crate) fn living(&mut self, snapshot: &[u8]) {
        self.note(snapshot, |needles| &mut needles.alive);
    }

    /// Notes every secret of an earlier snapshot; those that still live count as alive.
    pub(crate) fn past(&mut self, snapshot: &[u8]) {
        self.note(snapshot, |needles| &mut needles.past);
    }

    /// Notes bytes that everybody may see, wherever they stand.
    pub(crate) fn public(&mut self, bytes: &[u8]) {
        self.public.extend(bytes.windows(16).map(masked));
    }

    /// CBOR byte strings of 32 bytes are keys, those of 64 a private and a public one, or a seed.
    fn note(&mut self, snapshot: &[u8], list: impl Fn(&mut Self) -> &mut HashSet<[u64; 2]>) {
        for (at, head) in snapshot.windows(2).enumerate() {
            let rest = &snapshot[at + 2..];
            match head {
                [0x58, 32] if rest.len() >= 32 => drop(list(self).insert(masked(rest))),
                [0x58, 64] if rest.len() >= 64 => {
                    list(self).insert(masked(rest));
                    self.public.insert(masked(&rest[32..]));
                }
                _ => {}
            }
        }
    }

    /// How many secrets are to be found while they live.
    pub(crate) fn len(&self) -> usize {
        self.alive.difference(&self.public).count()
    }
}

fn masked(bytes: &[u8]) -> [u64; 2] {
    let word = |at| u64::from_le_bytes(bytes[at..at + 8].try_into().unwrap()) ^ MASK;
    [word(0), word(8)]
}

/// How many of the needles were found.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Found {
    pub(crate) alive: usize,
    pub(crate) past: usize,
}

/// Searches everything that this process can write to, but for `stack`.
pub(crate) fn search(needles: &Needles, stack: &Range<usize>) -> Found {
    let memory = File::open("/proc/self/mem").unwrap();
    let mut piece = vec![0; PIECE + 16];
    let own = piece.as_ptr() as usize..piece.as_ptr() as usize + piece.len();
    let wanted: HashMap<u64, Vec<u64>> = needles.alive.union(&needles.past).fold(
        HashMap::new(),
        |mut wanted: HashMap<u64, Vec<u64>>, [first, second]| {
            wanted.entry(*first).or_default().push(*second);
            wanted
        },
    );
    // Most places are dismissed by the first two bytes.
    let mut starts = vec![false; 1 << 16];
    for first in wanted.keys() {
        let [low, high, ..] = (first ^ MASK).to_le_bytes();
        starts[usize::from(u16::from_le_bytes([low, high]))] = true;
    }

    let mut found = HashSet::new();
    for region in writable() {
        for start in region.clone().step_by(PIECE) {
            let length = (region.end - start).min(PIECE + 16);
            // What was unmapped in between cannot be read, and needs not; what is before it, is.
            let Ok(length) = memory.read_at(&mut piece[..length], start as u64) else { continue };
            for at in 0..length.saturating_sub(15) {
                if !starts[usize::from(u16::from_le_bytes([piece[at], piece[at + 1]]))] {
                    continue;
                }
                let place = start + at;
                let [first, second] = masked(&piece[at..]);
                let there = wanted.get(&first).is_some_and(|seconds| seconds.contains(&second));
                if there && ![stack, &own].iter().any(|range| range.contains(&place)) {
                    found.insert([first, second]);
                }
            }
        }
    }
    piece.fill(0);
    std::hint::black_box(&piece);
    let secrets = found.difference(&needles.public).count();
    let alive =
        found.intersection(&needles.alive).filter(|it| !needles.public.contains(*it)).count();
    Found { alive, past: secrets - alive }
}

/// Where this process can write.
fn writable() -> Vec<Range<usize>> {
    let maps = fs::read_to_string("/proc/self/maps").unwrap();
    let address = |text: &str| usize::from_str_radix(text, 16).unwrap();
    let regions = maps.lines().filter_map(|line| {
        let (range, rest) = line.split_once(' ')?;
        let (start, end) = range.split_once('-')?;
        rest.starts_with("rw").then(|| address(start)..address(end))
    });
    regions.collect()
}
