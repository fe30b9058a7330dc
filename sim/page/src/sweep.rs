//! The page of a sweep: tables and bars, without any script.

use crate::html::{STYLE, escaped, hash};
use crate::model::{Failure, Sweep};
use std::fmt::Write;

/// Lines of a table, at most.
const SHOWN: usize = 200;

/// Bars of the rate, at most: a longer sweep is drawn in groups of seconds.
const BARS: usize = 120;

/// The page of a sweep as one HTML file. Pages of failures are linked by the names of their files.
pub fn sweep(sweep: &Sweep) -> String {
    let policy = format!(
        "default-src 'none'; style-src 'sha256-{}'; base-uri 'none'; form-action 'none'",
        hash(STYLE)
    );
    let title = escaped(&sweep.title);
    let (class, word) = if sweep.failed { ("badge bad", "failures") } else { ("badge", "finished") };
    let mut html = format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"{policy}\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"referrer\" content=\"no-referrer\">\n\
         <title>{title} – Wavetank</title>\n<style>{STYLE}</style>\n</head>\n<body>\n\
         <header><div class=\"head\"><span class=\"{class}\">{word}</span><h1>{title}</h1></div>\
         <p id=\"sentence\">{}</p></header>\n<main>\n",
        escaped(&sweep.sentence)
    );
    html += "<section><h2>The sweep</h2><dl class=\"facts\">";
    for [name, value] in &sweep.facts {
        let _ = write!(html, "<dt>{}</dt><dd>{}</dd>", escaped(name), escaped(value));
    }
    html += "</dl></section>\n";
    failures(&mut html, &sweep.failures);
    counts(&mut html, "Outcomes", ["outcome", "seeds"], &sweep.outcomes);
    behaviours(&mut html, &sweep.behaviours);
    counts(&mut html, "Weather and damage that struck", ["fault", "times"], &sweep.faults);
    if !sweep.never.is_empty() {
        let never: Vec<String> = sweep.never.iter().map(|name| escaped(name)).collect();
        let _ = writeln!(html, "<section><h2>Never struck</h2><p>{}</p></section>", never.join(", "));
    }
    rates(&mut html, &sweep.rates);
    html += "</main>\n</body>\n</html>\n";
    html
}

fn failures(html: &mut String, failures: &[Failure]) {
    *html += "<section><h2>Distinct failures</h2>";
    if failures.is_empty() {
        *html += "<p>None.</p>";
    } else {
        *html += "<table><thead><tr><th scope=\"col\" class=\"num\">seeds</th><th scope=\"col\">the first</th>\
                  <th scope=\"col\">failure</th></tr></thead><tbody>";
        for failure in failures.iter().take(SHOWN) {
            let seed = escaped(&failure.seed);
            let link = match &failure.page {
                Some(page) => format!("<a href=\"{}\">seed {seed}</a>", escaped(page)),
                None => format!("seed {seed}"),
            };
            let replay = failure.replay.as_ref().map_or_else(String::new, |replay| {
                format!("<code class=\"replay\">{}</code>", escaped(replay))
            });
            let _ = write!(
                html,
                "<tr><td class=\"num\">{}</td><td>{link}</td><td>{}<br><code>{}</code>{replay}</td></tr>",
                failure.count,
                escaped(&failure.says),
                escaped(&failure.name)
            );
        }
        *html += "</tbody></table>";
        more(html, failures.len());
    }
    *html += "</section>\n";
}

fn counts(html: &mut String, heading: &str, columns: [&str; 2], counts: &[(String, u64)]) {
    if counts.is_empty() {
        return;
    }
    let [name, number] = columns;
    let _ = write!(
        html,
        "<section><h2>{heading}</h2><table><thead><tr><th scope=\"col\">{name}</th>\
         <th scope=\"col\" class=\"num\">{number}</th><th scope=\"col\"></th></tr></thead><tbody>"
    );
    let most = counts.iter().map(|(_, count)| *count).max().unwrap_or(1).max(1);
    for (name, count) in counts.iter().take(SHOWN) {
        let bar = bar(*count, most);
        let _ =
            write!(html, "<tr><td>{}</td><td class=\"num\">{count}</td><td>{bar}</td></tr>", escaped(name));
    }
    *html += "</tbody></table>";
    more(html, counts.len());
    *html += "</section>\n";
}

fn behaviours(html: &mut String, behaviours: &[(String, u64, String)]) {
    if behaviours.is_empty() {
        return;
    }
    let _ = write!(
        html,
        "<section><h2>Distinct behaviours: {}</h2><table><thead><tr><th scope=\"col\">behaviour</th>\
         <th scope=\"col\">a seed</th><th scope=\"col\" class=\"num\">seeds</th><th scope=\"col\"></th></tr></thead><tbody>",
        behaviours.len()
    );
    let most = behaviours.iter().map(|(_, count, _)| *count).max().unwrap_or(1).max(1);
    for (name, count, seed) in behaviours.iter().take(SHOWN) {
        let (name, seed, bar) = (escaped(name), escaped(seed), bar(*count, most));
        let _ = write!(
            html,
            "<tr><td><code>{name}</code></td><td>{seed}</td><td class=\"num\">{count}</td><td>{bar}</td></tr>"
        );
    }
    *html += "</tbody></table>";
    more(html, behaviours.len());
    *html += "</section>\n";
}

/// Seeds by second, as bars, and the same as a table.
fn rates(html: &mut String, rates: &[u64]) {
    if rates.is_empty() {
        return;
    }
    let seconds = rates.len().div_ceil(BARS).max(1);
    let groups: Vec<u64> = rates.chunks(seconds).map(|group| group.iter().sum()).collect();
    let most = groups.iter().max().copied().unwrap_or(1).max(1);
    let _ = write!(
        html,
        "<section><h2>Worlds by time</h2><p>Each bar is of {seconds} s. The highest is of {most} worlds.</p>\
         <svg width=\"100%\" height=\"90\" viewBox=\"0 0 {} 80\" preserveAspectRatio=\"none\" role=\"img\" aria-label=\"Worlds by time\">",
        groups.len() * 10
    );
    for (place, worlds) in groups.iter().enumerate() {
        let height = worlds * 78 / most;
        let _ = write!(
            html,
            "<rect class=\"act\" x=\"{}\" y=\"{}\" width=\"8\" height=\"{height}\"/>",
            place * 10 + 1,
            80 - height
        );
    }
    *html += "</svg><details><summary>The bars as a table</summary><table><thead><tr><th scope=\"col\" class=\"num\">from second</th>\
              <th scope=\"col\" class=\"num\">worlds</th></tr></thead><tbody>";
    for (place, worlds) in groups.iter().enumerate() {
        let from = place * seconds;
        let _ = write!(html, "<tr><td class=\"num\">{from}</td><td class=\"num\">{worlds}</td></tr>");
    }
    *html += "</tbody></table></details></section>\n";
}

fn bar(count: u64, most: u64) -> String {
    let width = (count * 200 / most).max(1);
    format!(
        "<svg width=\"200\" height=\"10\" aria-hidden=\"true\"><rect class=\"act\" width=\"{width}\" height=\"10\"/></svg>"
    )
}

fn more(html: &mut String, all: usize) {
    if all > SHOWN {
        let _ = write!(html, "<p class=\"tag\">… {} more</p>", all - SHOWN);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_text_and_failures_are_linked() {
        let hostile = "<img src=x onerror=alert(1)>\"'&\u{7}";
        let failure = Failure {
            name: hostile.into(),
            says: hostile.into(),
            seed: "7".into(),
            count: 3,
            page: Some("a b\".html".into()),
            replay: Some(hostile.into()),
        };
        let page = sweep(&Sweep {
            title: hostile.into(),
            failed: true,
            failures: vec![failure],
            outcomes: vec![(hostile.into(), 2)],
            behaviours: vec![(hostile.into(), 2, "1".into())],
            faults: vec![(hostile.into(), 2)],
            never: vec![hostile.into()],
            rates: vec![1; 1000],
            ..Sweep::default()
        });
        assert!(!page.contains("<img") && !page.contains("<script") && !page.contains('\u{7}'), "{page}");
        assert!(page.contains("<a href=\"a b&quot;.html\">seed 7</a>"), "{page}");
        assert_eq!(page.matches("class=\"act\" x=").count(), 112);
    }
}
