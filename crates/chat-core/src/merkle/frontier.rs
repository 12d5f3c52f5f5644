//! A hash tree that grows leaf by leaf: the roots of its full subtrees and nothing else.
//!
//! ```text
//!  seven leaves         peaks            root
//!
//!        ·              one over 4  ─┐
//!      ·   ·            one over 2  ─┤  node(4, node(2, 1))
//!     · · · ·  · ·  ·   one over 1  ─┘
//! ```
//!
//! There is a peak for each bit of the number of leaves, so the tree over a file of 5 GiB is 17
//! digests, and its state can be written down after any leaf.

use minicbor::{Decode, Decoder, Encode, Encoder};

use super::node;
use crate::codec::Digest;

/// A growing tree, as much of it as is needed to go on.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Frontier {
    leaves: u32,
    /// From the largest subtree to the smallest.
    peaks: Vec<Digest>,
}

impl Frontier {
    /// A tree without leaves.
    #[must_use]
    pub const fn new() -> Self {
        Self { leaves: 0, peaks: Vec::new() }
    }

    /// How many leaves it has.
    #[must_use]
    pub const fn leaves(&self) -> u32 {
        self.leaves
    }

    /// Adds one leaf, already hashed by [`super::leaf`].
    ///
    /// A tree of 2³² - 1 leaves stays as it is: nothing of ours comes near.
    pub fn push(&mut self, leaf: Digest) {
        let Some(leaves) = self.leaves.checked_add(1) else { return };
        let mut peak = leaf;
        // Two peaks of one size become one of twice the size: the carry of the addition.
        for _ in 0..leaves.trailing_zeros() {
            let Some(left) = self.peaks.pop() else { break };
            peak = node(&left, &peak);
        }
        self.peaks.push(peak);
        self.leaves = leaves;
    }

    /// The root over the leaves so far, as [`super::root`] gives it.
    #[must_use]
    pub fn root(&self) -> Digest {
        let over = |right: Digest, left: &Digest| node(left, &right);
        match self.peaks.split_last() {
            Some((last, before)) => before.iter().rev().fold(*last, over),
            None => super::root(&[]),
        }
    }
}

/// `[leaves, [* peak]]`
impl<C> Encode<C> for Frontier {
    fn encode<W: minicbor::encode::Write>(
        &self,
        e: &mut Encoder<W>,
        ctx: &mut C,
    ) -> Result<(), minicbor::encode::Error<W::Error>> {
        e.array(2)?.u32(self.leaves)?.encode_with(&self.peaks, ctx)?.ok()
    }
}

impl<'b, C> Decode<'b, C> for Frontier {
    fn decode(d: &mut Decoder<'b>, _: &mut C) -> Result<Self, minicbor::decode::Error> {
        let wrong = || minicbor::decode::Error::message("the peaks do not fit the leaves");
        if d.array()? != Some(2) {
            return Err(wrong());
        }
        let leaves = d.u32()?;
        if d.array()? != Some(u64::from(leaves.count_ones())) {
            return Err(wrong());
        }
        let peaks = (0..leaves.count_ones()).map(|_| d.decode()).collect::<Result<_, _>>()?;
        Ok(Self { leaves, peaks })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::{DecodeError, from_bytes, to_bytes};
    use crate::merkle::{leaf, root};

    #[test]
    fn a_grown_tree_has_the_root_of_the_whole() {
        let leaves: Vec<Digest> = (0..=130u8).map(|number| leaf(&[number])).collect();
        let mut tree = Frontier::new();
        assert_eq!(tree.root(), root(&[]));

        for (place, leaf) in leaves.iter().enumerate() {
            tree.push(*leaf);

            assert_eq!(tree.root(), root(&leaves[..=place]), "{} leaves", place + 1);
            assert_eq!(usize::try_from(tree.leaves()), Ok(place + 1));
        }
    }

    #[test]
    fn a_tree_goes_on_from_its_encoding() {
        for size in 0..=33u8 {
            let mut tree = Frontier::new();
            (0..size).for_each(|number| tree.push(leaf(&[number])));

            let mut again: Frontier = from_bytes(&to_bytes(&tree)).unwrap();

            assert_eq!(again, tree);
            again.push(leaf(b"next"));
            tree.push(leaf(b"next"));
            assert_eq!(again.root(), tree.root());
        }
    }

    #[test]
    fn peaks_that_do_not_fit_the_leaves_are_refused() {
        let peak = leaf(b"a leaf");

        for leaves in [0, 3, u32::MAX] {
            let bytes = to_bytes(&(leaves, vec![peak]));
            assert_eq!(from_bytes::<Frontier>(&bytes), Err(DecodeError::Malformed));
        }
        assert!(from_bytes::<Frontier>(&to_bytes(&(4u32, vec![peak]))).is_ok());
        let longer = to_bytes(&(4u32, vec![peak], 0u8));
        assert_eq!(from_bytes::<Frontier>(&longer), Err(DecodeError::Malformed));
    }
}
