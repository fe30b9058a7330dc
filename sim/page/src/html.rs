//! One HTML file with its own style, script and data.
//!
//! Names and values come from guests, peers and files, so nobody may be able to run anything with them. The data stands
//! in an element that the browser does not run, and every `<` in it is escaped, so that no text can end the element. The
//! script puts texts into the page as text nodes only. The page's Content-Security-Policy allows nothing but this one
//! style and this one script, by their hashes, and no network at all.

use crate::model::Page;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};

pub(crate) const STYLE: &str = include_str!("../assets/page.css");
const SCRIPT: &str = include_str!("../assets/page.js");
const BODY: &str = include_str!("../assets/page.html");

/// The page as one HTML file.
pub fn html(page: &Page) -> String {
    let data = serde_json::to_string(page).expect("plain data can be written as JSON");
    whole(&page.title, BODY, STYLE, SCRIPT, &data)
}

/// An HTML file of these parts. All but `title` and `data` are our own.
fn whole(title: &str, body: &str, style: &str, script: &str, data: &str) -> String {
    let policy = format!(
        "default-src 'none'; style-src 'sha256-{}'; script-src 'sha256-{}'; base-uri 'none'; form-action 'none'",
        hash(style),
        hash(script)
    );
    let title = escaped(title);
    let data = inert(data);
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"{policy}\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"referrer\" content=\"no-referrer\">\n\
         <title>{title} – Wavetank</title>\n<style>{style}</style>\n</head>\n\
         {body}\n<script type=\"application/json\" id=\"data\">{data}</script>\n\
         <script>{script}</script>\n</html>\n"
    )
}

pub(crate) fn hash(text: &str) -> String {
    STANDARD.encode(Sha256::digest(text.as_bytes()))
}

/// JSON that can stand in a script element: nothing in it ends the element or begins a comment.
fn inert(json: &str) -> String {
    json.replace('<', "\\u003c").replace('\u{2028}', "\\u2028").replace('\u{2029}', "\\u2029")
}

/// A text in HTML.
pub(crate) fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            c if c.is_control() || matches!(c, '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}') => {
                escaped.push('\u{fffd}');
            }
            c => escaped.push(c),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Run, Section};

    const HOSTILE: &str = "</script><script>alert(1)</script><!--<script>\u{0}\u{2028}&\"'`";

    fn page(name: &str) -> String {
        let run = Run { texts: vec![name.into()], ..Run::default() };
        let report = vec![Section { heading: name.into(), lines: vec![name.into()] }];
        html(&Page { title: name.into(), report, runs: vec![run], ..Page::default() })
    }

    #[test]
    fn no_text_ends_the_data_or_the_title() {
        let (plain, hostile) = (page("plain"), page(HOSTILE));
        let count = |page: &str, part: &str| page.matches(part).count();
        for part in ["<script", "</script", "<!--", "<title", "</title", "\u{2028}", "\u{0}"] {
            assert_eq!(count(&hostile, part), count(&plain, part), "{part:?}");
        }
        // It arrives as it was.
        let data = hostile.split("id=\"data\">").nth(1).and_then(|rest| rest.split("</script>").next());
        let data: serde_json::Value = serde_json::from_str(data.expect("data")).expect("JSON");
        assert_eq!(data["title"], HOSTILE);
        assert_eq!(data["runs"][0]["texts"][0], HOSTILE);
    }

    #[test]
    fn the_policy_allows_this_style_and_this_script_only() {
        let page = page("plain");
        let policy = page.split("content=\"default-src").nth(1).and_then(|rest| rest.split('"').next());
        let policy = policy.expect("a policy");
        for part in ["style", "script"] {
            let inside = page
                .split(&format!("<{part}>"))
                .nth(1)
                .and_then(|rest| rest.split(&format!("</{part}>")).next());
            let allowed = format!("{part}-src 'sha256-{}'", hash(inside.expect("the element")));
            assert!(policy.contains(&allowed), "{part}: {policy}");
        }
        assert!(!policy.contains("unsafe"), "{policy}");
        for outside in ["src=\"", "href=\"http", "url(", "fetch(", "XMLHttpRequest", "import(", "style=\""] {
            assert!(!page.contains(outside), "{outside}");
        }
    }

    #[test]
    fn the_script_makes_no_markup_out_of_texts() {
        for call in ["innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "Function("] {
            assert!(!SCRIPT.contains(call), "{call}");
        }
    }
}
