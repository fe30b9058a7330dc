//! Pages: `report`, and `run --report`. How they look and work is tested in a browser: `.ci/page/check.py`.

use crate::common::{folder, name, wavetank, wavetank_in};
use serde_json::Value;
use std::fs;
use std::path::Path;

/// The token of the first failure that a report tells of.
fn token(report: &str) -> &str {
    let line =
        report.lines().find_map(|line| line.trim().strip_prefix("replay: ")).expect("a line that replays");
    line.rsplit(' ').next().expect("a token")
}

/// The data of a page.
fn data(page: &Path) -> Value {
    let page = fs::read_to_string(page).expect("a page");
    let data = page.split("id=\"data\">").nth(1).and_then(|rest| rest.split("</script>").next());
    serde_json::from_str(data.expect("data")).expect("JSON")
}

#[test]
fn a_page_holds_the_run_its_states_and_the_run_that_passes() {
    let folder = folder("page");
    let (_, said, _) = wavetank(&["run", "bug-v02", "--seed", "1"]);
    let page = folder.join("page.html");
    let (code, out, err) = wavetank(&["report", token(&said), "-o", name(&page)]);
    assert_eq!((code, &*out), (0, ""), "{err}");
    let data = data(&page);
    assert_eq!((data["outcome"].as_str(), data["failed"].as_bool()), (Some("stalled"), Some(true)));
    assert!(
        data["deciding"]["says"].as_str().is_some_and(|says| said.contains(says)),
        "{}",
        data["deciding"]
    );
    let runs = data["runs"].as_array().expect("runs");
    assert_eq!(runs.len(), 2);
    assert_eq!((runs[0]["failed"].as_bool(), runs[1]["failed"].as_bool()), (Some(true), Some(false)));
    for run in runs {
        let steps = run["steps"]["text"].as_array().expect("steps").len() as u64;
        assert_eq!(run["shots"]["count"].as_u64(), Some(steps + 1));
        assert_eq!(run["shots"]["chosen"].as_array().map(Vec::len), Some(steps as usize + 1));
    }
    // a waits for b, b for c, c for a; the host is lane 0.
    assert_eq!(runs[0]["cycle"].to_string(), "[[1,2],[2,3],[3,1]]");
    let differs = data["differs_at"][0].as_u64().expect("a step");
    assert_eq!(Some(differs), data["deciding"]["steps"][0].as_u64());
}

#[test]
fn a_saved_failure_gives_the_same_page_as_its_token() {
    let folder = folder("saved");
    let (_, said, _) = wavetank_in(&folder, &["run", "bug-g04", "--seed", "1"]);
    let kept = said.lines().find_map(|line| line.trim().strip_prefix("kept: ")).expect("a file");
    for (from, to) in [(token(&said), "token.html"), (kept, "file.html")] {
        let (code, _, err) = wavetank_in(&folder, &["report", from, "-o", to]);
        assert_eq!(code, 0, "{err}");
    }
    let [one, other] = ["token.html", "file.html"].map(|page| data(&folder.join(page)));
    assert_eq!(one["runs"], other["runs"]);
    // The setting that decides was drawn in this step.
    assert_eq!(one["deciding"]["steps"].to_string(), "[1]");
}

#[test]
fn a_sweep_has_a_page_that_links_its_failures() {
    let folder = folder("sweep");
    let pages = folder.join("pages");
    wavetank(&["run", "bug-g04", "--seeds", "0..20", "--jobs", "1", "--report", name(&pages)]);
    let index = fs::read_to_string(pages.join("index.html")).expect("a page");
    let linked = index.split("<a href=\"").nth(1).and_then(|rest| rest.split('"').next()).expect("a link");
    assert_eq!(data(&pages.join(linked))["outcome"], "stalled");
}

#[test]
fn what_cannot_be_shown_or_written_is_told() {
    let page = folder("refused").join("page.html");
    let (code, _, err) = wavetank(&["report", "wt1.nonsense", "-o", name(&page)]);
    assert_eq!(code, 2, "{err}");
    let (code, _, err) = wavetank(&["report", "wt1.nonsense"]);
    assert!(code == 2 && err.contains("--output"), "{err}");
    let (_, said, _) = wavetank(&["run", "bug-g04", "--seed", "1"]);
    let (code, _, err) = wavetank(&["report", token(&said), "-o", "/no/such/folder/page.html"]);
    assert!(code == 2 && err.contains("--output"), "{err}");
}
