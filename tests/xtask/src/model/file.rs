//! Reading a model: its variants, and what each of its queries is expected to come to.
//!
//! ```text
//!  // sessions: 2                           runs of each principal side by side
//!  line // - weak                           not in the variant *weak*
//!  // + weak: line                          only in the variant *weak*
//!  queries[
//!      // holds: what the query means       expected of the model
//!      // weak: broken                      expected of the variant
//!      confidentiality? m
//! ```
//!
//! A query that has a variant's verdict has one for each variant; the model is Verifpal's own
//! language, and to Verifpal all of this is comment.

use std::collections::BTreeSet;

/// What a query is expected to come to.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Verdict {
    /// No attack is found; of an equivalence: both sides are always the same.
    Holds,
    /// There is an attack; of an equivalence: the sides can differ.
    Broken,
}

impl Verdict {
    fn read(word: &str) -> Option<Self> {
        match word {
            "holds" | "same" => Some(Self::Holds),
            "broken" | "differ" => Some(Self::Broken),
            _ => None,
        }
    }

    /// Returns the digit that stands for it in Verifpal's result code.
    pub(crate) fn digit(self) -> char {
        match self {
            Self::Holds => '0',
            Self::Broken => '1',
        }
    }
}

/// A query, as one variant of a model has it.
#[derive(Debug, Eq, PartialEq)]
pub(crate) struct Query {
    /// `confidentiality? m1`.
    pub(crate) asks: String,
    /// In words.
    pub(crate) means: String,
    pub(crate) expected: Verdict,
}

/// A model, or a variant of one, as Verifpal is to read it.
#[derive(Debug)]
pub(crate) struct Variant {
    /// `envelope`, or `envelope_unbound`.
    pub(crate) name: String,
    pub(crate) source: String,
    pub(crate) sessions: u8,
    pub(crate) queries: Vec<Query>,
}

/// Reads a model and makes its variants, the model itself first.
///
/// # Errors
///
/// A sentence that says what is missing: the number of sessions, a query's meaning, a verdict.
pub(crate) fn variants(name: &str, model: &str) -> Result<Vec<Variant>, String> {
    let sessions = model.lines().find_map(|line| line.strip_prefix("// sessions: "));
    let sessions = sessions.and_then(|number| number.trim().parse().ok());
    let sessions = sessions.ok_or_else(|| format!("{name} has no line `// sessions: …`"))?;
    let named = std::iter::once(None).chain(names(model).into_iter().map(Some));
    named
        .map(|variant| {
            let queries = queries(name, model, variant)?;
            if queries.is_empty() {
                return Err(format!("{name} asks nothing"));
            }
            let file =
                variant.map_or_else(|| name.to_owned(), |variant| format!("{name}_{variant}"));
            let source = variant.map_or_else(|| model.to_owned(), |variant| source(model, variant));
            Ok(Variant { name: file, source, sessions, queries })
        })
        .collect()
}

/// The names of the variants, from the lines that they add or take away.
fn names(model: &str) -> BTreeSet<&str> {
    let taken = model.lines().flat_map(|line| line.split("// - ").skip(1)).map(str::trim);
    let added = model.lines().filter_map(|line| Some(added(line)?.0));
    taken.chain(added).collect()
}

/// Splits `// + variant: line`.
fn added(line: &str) -> Option<(&str, &str)> {
    line.trim().strip_prefix("// + ")?.split_once(": ")
}

fn source(model: &str, variant: &str) -> String {
    let keep = |line: &&str| line.split("// - ").skip(1).all(|name| name.trim() != variant);
    let lines = model.lines().filter(keep);
    let lines =
        lines.map(|line| added(line).filter(|(of, _)| *of == variant).map_or(line, |it| it.1));
    lines.flat_map(|line| [line, "\n"]).collect()
}

fn queries(name: &str, model: &str, variant: Option<&str>) -> Result<Vec<Query>, String> {
    let behind = model.split_once("queries[").ok_or_else(|| format!("{name} has no queries"))?.1;
    let (mut queries, mut remarks) = (Vec::new(), Vec::new());
    for line in behind.lines().map(str::trim) {
        if let Some(remark) = line.strip_prefix("// ") {
            remarks.extend(remark.split_once(": "));
        } else if line.contains('?') {
            let query = query(line, &std::mem::take(&mut remarks), variant);
            queries.push(query.ok_or_else(|| {
                format!("{name}: `{line}` lacks what it means, or what {variant:?} comes to")
            })?);
        }
    }
    Ok(queries)
}

/// Of the remarks above a query the first says what it means, the others what variants come to.
fn query(asks: &str, remarks: &[(&str, &str)], variant: Option<&str>) -> Option<Query> {
    let ((verdict, means), others) = remarks.split_first()?;
    let expected = match variant {
        None => Verdict::read(verdict)?,
        Some(variant) => Verdict::read(others.iter().find(|(of, _)| *of == variant)?.1)?,
    };
    Some(Query { asks: asks.to_owned(), means: (*means).to_owned(), expected })
}

#[cfg(test)]
mod tests {
    use super::*;

    const MODEL: &str = "\
// A model.
// sessions: 2
a = 1 // - weak
// + weak: a = 2
b = 1 // - weak // - other
queries[
\t// holds: secrecy
\t// weak: broken
\t// other: holds
\tconfidentiality? m
]
";

    #[test]
    fn a_model_is_read_with_its_variants() {
        let variants = variants("m", MODEL).unwrap();

        let names: Vec<_> = variants.iter().map(|variant| variant.name.as_str()).collect();
        assert_eq!(names, ["m", "m_other", "m_weak"]);
        assert_eq!(variants[0].source, MODEL);
        assert_eq!(variants[0].sessions, 2);
        let expected = variants.iter().map(|variant| variant.queries[0].expected);
        assert_eq!(expected.collect::<Vec<_>>(), [Verdict::Holds, Verdict::Holds, Verdict::Broken]);
        assert_eq!(variants[2].queries[0].means, "secrecy");
    }

    #[test]
    fn a_variant_loses_its_lines_and_gains_others() {
        let weak = source(MODEL, "weak");
        let other = source(MODEL, "other");

        assert!(weak.contains("\na = 2\nqueries[") && !weak.contains("b = 1"));
        assert!(other.contains("a = 1") && !other.contains("\na = 2") && !other.contains("b = 1"));
    }

    #[test]
    fn a_query_without_a_verdict_for_each_variant_is_refused() {
        for lacking in ["// sessions: 2", "\t// holds: secrecy\n", "\t// weak: broken\n"] {
            assert!(variants("m", &MODEL.replace(lacking, "")).is_err(), "{lacking}");
        }
        assert!(variants("m", &MODEL.replace("weak: broken", "weak: perhaps")).is_err());
        assert!(variants("m", &MODEL.replace("confidentiality? m", "")).is_err());
    }
}
