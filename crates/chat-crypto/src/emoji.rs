//! Sixty-four emoji that say six bits each: what people compare when digits are too dull.
//!
//! ```text
//!  bytes  ─ six bits at a time, the highest first ─▶  emoji, emoji, emoji, …
//! ```
//!
//! Each is one code point of Unicode 9 or older that is drawn in colour without a selector, a thing
//! that has a name in every language, and unlike the others in shape and colour. No faces, hands,
//! flags, hearts, clock times, weapons or signs of faith. The list never changes: a place in it is
//! a number of the protocol. Normative: `docs/protocol/linking.md` §7.

use std::fmt;

/// How many bits an emoji says.
pub const BITS: usize = 6;

/// A place in [`LIST`].
#[derive(Clone, Copy, Eq, Hash, PartialEq)]
pub struct Emoji(u8);

impl Emoji {
    /// The first of [`LIST`].
    pub(crate) const FIRST: Self = Self(0);

    /// The emoji itself.
    #[must_use]
    pub fn symbol(self) -> char {
        self.entry().0
    }

    /// Its name in English, for screen readers and for reading aloud.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.entry().1
    }

    /// Its place in [`LIST`]: where translations of the name are looked up.
    #[must_use]
    pub fn place(self) -> usize {
        usize::from(self.0)
    }

    fn entry(self) -> (char, &'static str) {
        // INVARIANT: `of` makes no places but those of six bits, and the list has 64.
        LIST.get(self.place()).copied().unwrap_or(LIST[0])
    }

    /// The first `N` emoji that `bytes` say.
    ///
    /// # Panics
    ///
    /// Does not compile if `bytes` has fewer bits than that.
    pub(crate) fn of<const N: usize, const BYTES: usize>(bytes: &[u8; BYTES]) -> [Self; N] {
        const { assert!(N * BITS <= BYTES * 8, "there are too few bytes for so many emoji") };
        std::array::from_fn(|place| {
            let bits = (place * BITS..).take(BITS);
            let value = bits.fold(0, |value, bit| {
                let byte = bytes.get(bit / 8).copied().unwrap_or_default();
                (value << 1) | (byte >> (7 - bit % 8) & 1)
            });
            Self(value)
        })
    }
}

impl fmt::Display for Emoji {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.symbol())
    }
}

impl fmt::Debug for Emoji {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.symbol(), self.name())
    }
}

/// All of them with their names; the place is what counts.
pub const LIST: [(char, &str); 64] = [
    ('🐘', "elephant"),
    ('🐢', "turtle"),
    ('🐟', "fish"),
    ('🐝', "bee"),
    ('🐍', "snake"),
    ('🐓', "rooster"),
    ('🐈', "cat"),
    ('🐎', "horse"),
    ('🦋', "butterfly"),
    ('🐙', "octopus"),
    ('🐌', "snail"),
    ('🦁', "lion"),
    ('🐧', "penguin"),
    ('🐪', "camel"),
    ('🐸', "frog"),
    ('🦀', "crab"),
    ('🌳', "tree"),
    ('🌵', "cactus"),
    ('🌷', "tulip"),
    ('🍄', "mushroom"),
    ('🍎', "apple"),
    ('🍌', "banana"),
    ('🍇', "grapes"),
    ('🍋', "lemon"),
    ('🍉', "watermelon"),
    ('🌽', "corn"),
    ('🥕', "carrot"),
    ('🍞', "bread"),
    ('🥚', "egg"),
    ('🧀', "cheese"),
    ('🎂', "cake"),
    ('🍦', "ice cream"),
    ('🌞', "sun"),
    ('🌙', "moon"),
    ('⭐', "star"),
    ('🌈', "rainbow"),
    ('🔥', "fire"),
    ('⛄', "snowman"),
    ('🌊', "wave"),
    ('🌋', "volcano"),
    ('🚗', "car"),
    ('🚲', "bicycle"),
    ('🚂', "train"),
    ('🚀', "rocket"),
    ('⛵', "sailboat"),
    ('🚜', "tractor"),
    ('🎈', "balloon"),
    ('🎁', "gift"),
    ('🔑', "key"),
    ('🔔', "bell"),
    ('💡', "light bulb"),
    ('⏰', "alarm clock"),
    ('📖', "book"),
    ('👓', "glasses"),
    ('🎩', "hat"),
    ('👟', "shoe"),
    ('☔', "umbrella"),
    ('🎸', "guitar"),
    ('🥁', "drum"),
    ('🎺', "trumpet"),
    ('⚽', "ball"),
    ('🔨', "hammer"),
    ('⚓', "anchor"),
    ('🏠', "house"),
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn no_emoji_and_no_name_stands_twice() {
        let symbols: BTreeSet<_> = LIST.iter().map(|(symbol, _)| symbol).collect();
        let names: BTreeSet<_> = LIST.iter().map(|(_, name)| name).collect();

        assert_eq!((symbols.len(), names.len()), (64, 64));
    }

    #[test]
    fn six_bits_at_a_time_the_highest_first() {
        let places = |bytes: &[u8; 3]| Emoji::of::<4, 3>(bytes).map(Emoji::place);

        assert_eq!(places(&[0, 0, 0]), [0, 0, 0, 0]);
        assert_eq!(places(&[0xff, 0xff, 0xff]), [63, 63, 63, 63]);
        assert_eq!(places(&[0b0000_0100, 0b0010_0000, 0b1100_0100]), [1, 2, 3, 4]);
    }

    #[test]
    fn an_emoji_says_its_name() {
        let [emoji] = Emoji::of::<1, 1>(&[0b1111_1100]);

        assert_eq!((emoji.symbol(), emoji.name(), emoji.place()), ('🏠', "house", 63));
        assert_eq!(format!("{emoji} {emoji:?}"), "🏠 🏠 house");
    }
}
