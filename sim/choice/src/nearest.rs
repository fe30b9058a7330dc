//! Finds the closest known name to a name that does not exist.

/// Names with a score above this count as alike. The parser of the command line uses the same limit for flags.
const ALIKE: f64 = 0.7;

/// The name that is closest to a text; `None` if none is close.
///
/// ```
/// use wavetank_choice::nearest::nearest;
///
/// assert_eq!(nearest("harhs", ["calm", "swarm", "harsh"]), Some("harsh"));
/// assert_eq!(nearest("zzz", ["calm", "swarm", "harsh"]), None);
/// ```
pub fn nearest<'a>(text: &str, names: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let scored = names.into_iter().map(|name| (strsim::jaro(text, name), name));
    let close = scored.filter(|(score, _)| *score > ALIKE);
    close.max_by(|(one, _), (other, _)| one.total_cmp(other)).map(|(_, name)| name)
}

/// The end of a message that suggests the closest name; empty if none is close.
pub fn did_you_mean<'a>(text: &str, names: impl IntoIterator<Item = &'a str>) -> String {
    nearest(text, names).map_or_else(String::new, |name| format!("; did you mean {name}?"))
}
