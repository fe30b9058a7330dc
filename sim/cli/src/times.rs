//! Times on the command line.

use std::time::Duration;

/// A time, as 30s, 10m or 2h.
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    let wrong = || format!("not a time: {text:?} (write a number and s, m or h, as 30s, 10m or 2h)");
    let unit = text.chars().last().ok_or_else(wrong)?;
    let seconds_each = match unit {
        's' => 1,
        'm' => 60,
        'h' => 3600,
        _ => return Err(wrong()),
    };
    let number: u64 = text[..text.len() - 1].parse().map_err(|_| wrong())?;
    Ok(Duration::from_secs(number.saturating_mul(seconds_each)))
}

/// A time above zero.
pub(crate) fn some_time(text: &str) -> Result<Duration, String> {
    let time = duration(text)?;
    if time.is_zero() { Err("no time at all: write 1s or more".into()) } else { Ok(time) }
}

/// A time above zero, in seconds if it has no unit.
pub(crate) fn seconds(text: &str) -> Result<Duration, String> {
    let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if is_number { some_time(&format!("{text}s")) } else { some_time(text) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times() {
        assert_eq!(duration("10m"), Ok(Duration::from_secs(600)));
        for text in ["", "m", "10", "-1s", "1 h"] {
            assert!(duration(text).is_err(), "{text}");
        }
    }
}
