//! The marks of checks in test binaries.
//!
//! A test binary of libtest can list its tests, but not say which of them are checks. So each check that the attribute
//! [`test`](macro@crate::test) makes has a text in its binary that names it. The check reads that text itself, which
//! keeps it there, and `cargo wavetank` finds it in the file without running anything.

/// Begins a mark. Everything up to [`END`] is the mark, with [`BETWEEN`] between its parts.
const BEGIN: &str = "\u{1e}wavetank check\u{1f}";

/// Stands between the parts of a mark.
const BETWEEN: char = '\u{1f}';

/// Ends a mark.
const END: char = '\u{1e}';

/// Maximum length of a mark in bytes. What looks like the beginning of a mark may be anything.
const MAX_BYTES: usize = 8 * 1024;

/// The mark of a check.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Marker {
    /// The path of its module. It begins with the name of the crate.
    pub module: String,
    /// The name of its function.
    pub function: String,
    /// The file that it is in.
    pub file: String,
    /// The line, from 1.
    pub line: u32,
}

impl Marker {
    /// Reads a whole mark; `None` if it is none.
    pub fn read(text: &str) -> Option<Self> {
        let parts: Vec<&str> = text.strip_prefix(BEGIN)?.strip_suffix(END)?.split(BETWEEN).collect();
        let [module, function, file, line] = parts[..] else { return None };
        if parts.iter().any(|part| part.is_empty() || part.chars().any(char::is_control)) {
            return None;
        }
        let line = line.parse().ok()?;
        Some(Marker { module: module.into(), function: function.into(), file: file.into(), line })
    }

    /// The marks in a file, by name, each once.
    pub fn all_in(bytes: &[u8]) -> Vec<Self> {
        let begin = BEGIN.as_bytes();
        let mut found = Vec::new();
        let mut rest = bytes;
        while let Some(at) = rest.iter().position(|&byte| byte == begin[0]) {
            rest = &rest[at..];
            if rest.starts_with(begin) {
                let within = &rest[..rest.len().min(MAX_BYTES)];
                let end = within[1..].iter().position(|&byte| byte == END as u8);
                let mark = end.and_then(|end| std::str::from_utf8(&within[..=end + 1]).ok());
                found.extend(mark.and_then(Self::read));
            }
            rest = &rest[1..];
        }
        found.sort();
        found.dedup();
        found
    }

    /// The name of the check: its path.
    pub fn name(&self) -> String {
        format!("{}::{}", self.module, self.function)
    }

    /// The name of its test in its binary: its path without the crate.
    pub fn test(&self) -> String {
        match self.module.split_once("::") {
            Some((_, module)) => format!("{module}::{}", self.function),
            None => self.function.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_are_found_among_other_bytes() {
        let marks = [
            "\u{1e}wavetank check\u{1f}shop::cart\u{1f}buys\u{1f}src/cart.rs\u{1f}7\u{1e}",
            "\u{1e}wavetank check\u{1f}shop\u{1f}adds\u{1f}src/lib.rs\u{1f}3\u{1e}",
        ];
        let mut bytes = b"\x7fELF\x1e\x1ewavetank check\x1f\0no mark\x1e".to_vec();
        for text in [marks[0], "between", marks[1], marks[1], "\u{1e}wavetank check\u{1f}"] {
            bytes.extend(text.as_bytes());
        }
        bytes.push(0xff);
        let found = Marker::all_in(&bytes);
        let named: Vec<(String, String, u32)> =
            found.iter().map(|mark| (mark.name(), mark.test(), mark.line)).collect();
        assert_eq!(
            named,
            [("shop::adds".into(), "adds".into(), 3), ("shop::cart::buys".into(), "cart::buys".into(), 7)]
        );
    }

    #[test]
    fn other_texts_are_no_marks() {
        for text in [
            "",
            "\u{1e}wavetank check\u{1f}\u{1e}",
            "\u{1e}wavetank check\u{1f}a\u{1f}b\u{1f}c\u{1f}d\u{1e}",
            "\u{1e}wavetank check\u{1f}a\u{1f}b\u{1f}c\u{1f}1\u{1f}2\u{1e}",
            "\u{1e}wavetank check\u{1f}a\n\u{1f}b\u{1f}c\u{1f}1\u{1e}",
        ] {
            assert_eq!(Marker::read(text), None, "{text:?}");
        }
    }
}
