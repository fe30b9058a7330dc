//! Words of a command line, quoted so that a shell reads them back unchanged.

use std::borrow::Cow;
use std::fmt::Write;

/// Quotes a word for a POSIX shell if needed. The result is always on one line.
///
/// ```
/// use wavetank_sim::shell::word;
///
/// assert_eq!(word("./guest.wasm"), "./guest.wasm");
/// assert_eq!(word("it's two"), r"'it'\''s two'");
/// assert_eq!(word("a\nb"), r"$'a\012b'");
/// ```
pub fn word(text: &str) -> Cow<'_, str> {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "_-./,:=@%+".contains(c);
    if !text.is_empty() && text.chars().all(is_plain) {
        return text.into();
    }
    if !text.chars().any(char::is_control) {
        return format!("'{}'", text.replace('\'', r"'\''")).into();
    }
    let mut quoted = String::from("$'");
    for c in text.chars() {
        match c {
            '\'' | '\\' => quoted.extend(['\\', c]),
            c if c.is_control() => {
                for byte in c.encode_utf8(&mut [0; 4]).bytes() {
                    let _ = write!(quoted, "\\{byte:03o}");
                }
            }
            c => quoted.push(c),
        }
    }
    quoted.push('\'');
    quoted.into()
}

/// Quotes words and puts spaces between them.
pub fn words(words: &[String]) -> String {
    words.iter().map(|text| word(text)).collect::<Vec<_>>().join(" ")
}
