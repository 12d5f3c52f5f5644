//! A hash tree, so that one signature covers many keys that are handed out one by one.
//!
//! Leaves and nodes are hashed as in RFC 9162 §2.1.1: `SHA-256(0x00 ‖ leaf)` and
//! `SHA-256(0x01 ‖ left ‖ right)`, the left subtree taking the largest power of two below the
//! number of leaves. A path lists the siblings from the leaf to the root. [`Frontier`] gives the root
//! of leaves that come one after the other.

mod frontier;

pub use self::frontier::Frontier;
use crate::codec::Digest;

/// The hash of one leaf.
#[must_use]
pub fn leaf(bytes: &[u8]) -> Digest {
    Digest::of_parts(&[&[0], bytes])
}

/// The root over `leaves`; the hash of nothing for none.
#[must_use]
pub fn root(leaves: &[Digest]) -> Digest {
    match leaves {
        [] => Digest::of(&[]),
        [only] => *only,
        _ => {
            let (left, right) = leaves.split_at(split(leaves.len()));
            node(&root(left), &root(right))
        }
    }
}

/// The siblings that lead from leaf `index` to the root; empty if there is no such leaf.
#[must_use]
pub fn path(leaves: &[Digest], index: usize) -> Vec<Digest> {
    if leaves.len() < 2 || index >= leaves.len() {
        return Vec::new();
    }
    let at = split(leaves.len());
    let (left, right) = leaves.split_at(at);
    let (mut path, sibling) = if index < at {
        (path(left, index), root(right))
    } else {
        (path(right, index - at), root(left))
    };
    path.push(sibling);
    path
}

/// Tells whether `leaf` is leaf `index` of the `size` leaves under `root`.
#[must_use]
pub fn verify(root: &Digest, size: usize, index: usize, leaf: Digest, path: &[Digest]) -> bool {
    index < size && climb(size, index, leaf, path).as_ref() == Some(root)
}

fn climb(size: usize, index: usize, leaf: Digest, path: &[Digest]) -> Option<Digest> {
    if size == 1 {
        return path.is_empty().then_some(leaf);
    }
    let (sibling, rest) = path.split_last()?;
    let at = split(size);
    if index < at {
        Some(node(&climb(at, index, leaf, rest)?, sibling))
    } else {
        Some(node(sibling, &climb(size - at, index - at, leaf, rest)?))
    }
}

fn node(left: &Digest, right: &Digest) -> Digest {
    Digest::of_parts(&[&[1], left.as_bytes(), right.as_bytes()])
}

/// The largest power of two below `size`, for a size of two or more.
fn split(size: usize) -> usize {
    1 << (size - 1).ilog2()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn leaves(count: u8) -> Vec<Digest> {
        (0..count).map(|number| leaf(&[number])).collect()
    }

    #[test]
    fn every_leaf_of_every_size_is_proved_by_its_path() {
        for size in 1..=33 {
            let leaves = leaves(size);
            let root = root(&leaves);
            for (index, leaf) in leaves.iter().enumerate() {
                let path = path(&leaves, index);
                assert!(verify(&root, leaves.len(), index, *leaf, &path));
                assert!(!verify(&root, leaves.len(), index + 1, *leaf, &path));
                assert!(!verify(&root, leaves.len(), index, super::leaf(b"other"), &path));
            }
        }
    }

    #[test]
    fn a_path_that_is_too_long_or_too_short_proves_nothing() {
        let leaves = leaves(8);
        let path = path(&leaves, 3);

        assert!(!verify(&root(&leaves), 8, 3, leaves[3], &path[1..]));
        assert!(!verify(&root(&leaves), 8, 3, leaves[3], &[path.clone(), path].concat()));
    }

    /// RFC 9162 §2.1.5 draws this tree of seven leaves.
    #[test]
    fn the_tree_has_the_shape_of_the_rfc() {
        let d = leaves(7);
        let k = node(&node(&d[0], &d[1]), &node(&d[2], &d[3]));
        let l = node(&node(&d[4], &d[5]), &d[6]);

        assert_eq!(root(&d), node(&k, &l));
        assert_eq!(path(&d, 6), [node(&d[4], &d[5]), k]);
    }
}
