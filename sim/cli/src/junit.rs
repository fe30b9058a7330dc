//! The reporter for JUnit XML, which most CI systems read: a test case for each seed that failed, and one for all
//! others, if there are any.
//!
//! Worlds whose process hung or died are errors, other failures are failures, and known faults of libraries are
//! skipped. There are no times, so that the same sweep gives the same file.

use crate::files::Target;
use crate::report::Report;
use crate::terminal::Stop;
use std::fmt::Write as _;
use wavetank_sim::Seed;
use wavetank_sim::record::Record;
use wavetank_sim::worker::words::counted;

/// Writes the file.
pub(crate) fn write(file: Target, report: &Report) -> Result<(), Stop> {
    file.write(|file| file.write_all(xml(report).as_bytes()))
}

fn xml(report: &Report) -> String {
    let told: Vec<&Record> = report.records.iter().filter(|record| !record.is_finished()).collect();
    let is_error = |record: &&&Record| ["hung", "aborted"].contains(&&*record.outcome);
    let errors = told.iter().filter(is_error).count();
    let skipped = told.iter().filter(|record| record.known.is_some()).count();
    let finished = report.records.len() - told.len();
    let cases = told.len() + usize::from(finished > 0);
    let failures = told.len() - errors - skipped;
    let suite = escaped(&report.heading.title);
    let place = report
        .heading
        .at
        .as_ref()
        .map_or_else(String::new, |at| format!(" file=\"{}\" line=\"{}\"", escaped(&at.file), at.line));
    let mut xml = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    let counts =
        format!("tests=\"{cases}\" failures=\"{failures}\" errors=\"{errors}\" skipped=\"{skipped}\"");
    let _ = writeln!(xml, "<testsuites name=\"wavetank\" {counts}>");
    let _ = writeln!(xml, "  <testsuite name=\"{suite}\" {counts}>");
    if finished > 0 {
        let finished = counted(finished as u64, "seed");
        let _ = writeln!(xml, "    <testcase classname=\"{suite}\" name=\"{finished} that finished\"/>");
    }
    for record in told {
        let _ =
            writeln!(xml, "    <testcase classname=\"{suite}\" name=\"seed {}\"{place}>", Seed(record.seed));
        let says = escaped(&record.says);
        let element = match &record.known {
            Some(known) => {
                let _ = writeln!(xml, "      <skipped message=\"known ({}): {says}\"/>", escaped(known));
                None
            }
            None if is_error(&&record) => Some("error"),
            None => Some("failure"),
        };
        if let Some(element) = element {
            let mut lines = record.detail.clone();
            lines.extend(record.token.iter().map(|t| format!("replay: {}", report.heading.replay_line(t))));
            let kind = escaped(record.failure.as_ref().unwrap_or(&record.outcome));
            let text = escaped(&lines.join("\n"));
            let _ = writeln!(xml, "      <{element} type=\"{kind}\" message=\"{says}\">{text}</{element}>");
        }
        let _ = writeln!(xml, "    </testcase>");
    }
    xml += "  </testsuite>\n</testsuites>\n";
    xml
}

/// Escapes text for tags and quotes. Characters that XML 1.0 cannot hold become a question mark.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped += "&amp;",
            '<' => escaped += "&lt;",
            '>' => escaped += "&gt;",
            '"' => escaped += "&quot;",
            '\n' => escaped += "&#10;",
            '\t' => escaped.push(c),
            c if c < ' ' || ['\u{fffe}', '\u{ffff}'].contains(&c) => escaped.push('?'),
            c => escaped.push(c),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_xml_cannot_hold_is_escaped() {
        assert_eq!(escaped("a<b> & \"c\"\n\u{1b}[0m"), "a&lt;b&gt; &amp; &quot;c&quot;&#10;?[0m");
    }
}
