//! Text from a guest or its peer, made safe to show to people.

use std::borrow::Cow;

/// Returns the text on one line, unable to control a terminal or to mislead a line-based reader. Control characters,
/// other line ends and characters that change the writing direction are escaped as in Rust. Tabs stay.
///
/// ```
/// assert_eq!(wavetank::escape_control("a\n::error::b \u{1b}[31m"), "a\\n::error::b \\u{1b}[31m");
/// assert_eq!(wavetank::escape_control("plain \"ä\"\\"), "plain \"ä\"\\");
/// ```
pub fn escape_control(text: &str) -> Cow<'_, str> {
    if !text.contains(steers) {
        return text.into();
    }
    let mut escape_control = String::with_capacity(text.len());
    for c in text.chars() {
        if steers(c) { escape_control.extend(c.escape_debug()) } else { escape_control.push(c) }
    }
    escape_control.into()
}

fn steers(c: char) -> bool {
    (c.is_control() && c != '\t') || matches!(c, '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}
