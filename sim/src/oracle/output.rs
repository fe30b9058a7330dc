//! Output that a scenario expects: the place at which a cell's output first differs from it.

/// Bytes of a text that a report quotes.
const QUOTED_BYTES: usize = 80;

/// Says how the output of `stream` (as `the stdout of echo`) lacks the expected text; `None` if it contains it.
pub fn lacking(stream: &str, output: &str, expected: &str) -> Option<String> {
    if output.contains(expected) {
        return None;
    }
    if output.is_empty() {
        return Some(format!("{stream} is empty, and {} was expected in it", quoted(expected)));
    }
    let shared = longest_shared_start(output, expected);
    let found_at = output.find(&expected[..shared]).unwrap_or(0);
    // From the start of the line on that differs, as far as both texts have it.
    let line_start = expected[..shared].rfind('\n').map_or(0, |newline| newline + 1);
    let expected_line = first_line(&expected[line_start..]);
    let seen_line = first_line(&output[found_at + line_start..]);
    if shared == 0 {
        return Some(format!("{stream} is {}, and {} was expected in it", quoted(output), quoted(expected)));
    }
    let number = expected[..line_start].matches('\n').count() + 1;
    let of_line = if expected.trim_end().contains('\n') {
        format!(" (line {number} of the expected text)")
    } else {
        String::new()
    };
    let expected_line = quoted(expected_line);
    if seen_line.is_empty() {
        return Some(format!("{stream} ends where {expected_line} was expected{of_line}"));
    }
    Some(format!("{stream} has {} where {expected_line} was expected{of_line}", quoted(seen_line)))
}

/// The length of the longest start of `expected` that `output` contains.
fn longest_shared_start(output: &str, expected: &str) -> usize {
    // If a start is contained, every shorter one is too.
    let ends: Vec<usize> = expected.char_indices().map(|(at, _)| at).chain([expected.len()]).collect();
    let contained = ends.partition_point(|&end| output.contains(&expected[..end]));
    ends[contained - 1]
}

/// The text up to its first line break, which is part of it.
fn first_line(text: &str) -> &str {
    text.split_inclusive('\n').next().unwrap_or("")
}

/// A text in quotation marks, cut off if it is long.
fn quoted(text: &str) -> String {
    if text.len() <= QUOTED_BYTES {
        return format!("{text:?}");
    }
    let end = (0..=QUOTED_BYTES).rev().find(|&end| text.is_char_boundary(end)).unwrap_or(0);
    format!("{:?}… ({} bytes in all)", &text[..end], text.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_difference_is_quoted() {
        let long = "x".repeat(200);
        let cut = format!("o is {:?}… (200 bytes in all), and \"a\" was expected in it", "x".repeat(80));
        for (output, expected, lack) in [
            ("one\ntwo\n", "two", None),
            ("", "two", Some("o is empty, and \"two\" was expected in it")),
            ("zero", "two", Some("o is \"zero\", and \"two\" was expected in it")),
            (
                "total: 12\n",
                "total: 13\n",
                Some("o has \"total: 12\\n\" where \"total: 13\\n\" was expected"),
            ),
            (
                "head\na: 1\nb: 3\nc: 4\n",
                "a: 1\nb: 2\n",
                Some("o has \"b: 3\\n\" where \"b: 2\\n\" was expected (line 2 of the expected text)"),
            ),
            (
                "a: 1\n",
                "a: 1\nb: 2\n",
                Some("o ends where \"b: 2\\n\" was expected (line 2 of the expected text)"),
            ),
            ("grün", "grüß", Some("o has \"grün\" where \"grüß\" was expected")),
            (&long, "a", Some(&cut)),
        ] {
            assert_eq!(lacking("o", output, expected).as_deref(), lack, "{output:?} and {expected:?}");
        }
    }
}
