//! The structure of the code: neither crates nor modules depend on each other in a circle.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use wavetank_tests::in_repository;

/// Each node with the nodes that it depends on.
type Graph = BTreeMap<String, BTreeSet<String>>;

/// The crates of the workspace, each with the folder of its sources.
const CRATES: [(&str, &str); 8] = [
    ("wavetank", "src"),
    ("wavetank-choice", "sim/choice/src"),
    ("wavetank-macros", "sim/macros/src"),
    ("wavetank-trace", "sim/trace/src"),
    ("wavetank-page", "sim/page/src"),
    ("wavetank-sim", "sim/src"),
    ("wavetank-cli", "sim/cli/src"),
    ("wavetank-lab", "sim/lab/src"),
];

#[test]
fn modules_depend_on_each_other_in_no_circle() {
    for (name, folder) in CRATES {
        let graph = modules(&in_repository(folder));
        assert!(graph.len() > 1, "{name}: {graph:?}");
        assert_eq!(circle(&graph), None, "{name}");
    }
}

#[test]
fn crates_depend_on_each_other_in_no_circle_and_only_downwards() {
    let mut graph = Graph::new();
    for (name, folder) in CRATES {
        let manifest = in_repository(folder).parent().expect("src has a parent").join("Cargo.toml");
        let manifest: toml::Table = fs::read_to_string(manifest).expect("a manifest").parse().expect("TOML");
        let mut on = BTreeSet::new();
        for table in ["dependencies", "dev-dependencies"] {
            let listed = manifest.get(table).and_then(toml::Value::as_table);
            on.extend(listed.into_iter().flatten().map(|(name, _)| name.clone()));
        }
        on.retain(|name| name.starts_with("wavetank"));
        graph.insert(name.into(), on);
    }
    assert_eq!(circle(&graph), None);
    let on = |name: &str| graph[name].iter().map(String::as_str).collect::<Vec<_>>();
    assert_eq!(on("wavetank-choice"), [""; 0]);
    assert_eq!(on("wavetank-trace"), [""; 0]);
    assert_eq!(on("wavetank"), ["wavetank-trace"]);
    assert_eq!(on("wavetank-macros"), [""; 0]);
    assert_eq!(on("wavetank-page"), [""; 0]);
    assert_eq!(
        on("wavetank-sim"),
        ["wavetank", "wavetank-choice", "wavetank-macros", "wavetank-page", "wavetank-trace"]
    );
}

#[test]
fn a_circle_is_found() {
    let graph = |edges: &[(&str, &str)]| {
        let mut graph = Graph::new();
        for (from, to) in edges {
            graph.entry(from.to_string()).or_default().insert(to.to_string());
        }
        graph
    };
    assert_eq!(circle(&graph(&[("a", "b"), ("b", "c"), ("a", "c")])), None);
    let found = circle(&graph(&[("a", "b"), ("b", "c"), ("c", "b")])).expect("b and c");
    assert_eq!(found, ["b", "c"]);
}

/// The top-level modules of a crate, each with those that it names by `crate::`. Tests do not count.
fn modules(sources: &Path) -> Graph {
    let mut graph = Graph::new();
    for entry in fs::read_dir(sources).expect("a folder of sources") {
        let path = entry.expect("an entry").path();
        let name = path.file_stem().expect("a name").to_str().expect("a plain name").to_string();
        if !["lib", "main"].contains(&&*name) {
            let module = graph.entry(name).or_default();
            named_in(&path, module);
        }
    }
    let names: BTreeSet<String> = graph.keys().cloned().collect();
    for (name, on) in &mut graph {
        on.retain(|other| other != name && names.contains(other));
    }
    graph
}

/// Collects the words that follow `crate::` in the sources at a path.
fn named_in(path: &Path, named: &mut BTreeSet<String>) {
    if path.is_dir() {
        for entry in fs::read_dir(path).expect("a folder of sources") {
            named_in(&entry.expect("an entry").path(), named);
        }
        return;
    }
    // The shapes of the scheduler's tests are tests too, and so are the strategies written in the plainest way.
    let is_test = ["tests.rs", "shapes.rs", "strategy/plain.rs"].iter().any(|end| path.ends_with(end));
    if is_test && !path.ends_with("bugs/shapes.rs") {
        return;
    }
    let source = fs::read_to_string(path).expect("a source file");
    let source = source.split("#[cfg(test)]\nmod tests {").next().expect("a first part");
    let source = source.replace("#[cfg(doc)]\nuse crate::", "");
    let code: String = source.lines().filter_map(|line| line.split("//").next()).collect();
    for part in code.split("crate::").skip(1) {
        // `crate::{a, b::c}` names a and b.
        let list = part.strip_prefix('{').and_then(|list| list.split('}').next());
        for item in list.unwrap_or(part).split(',').take(if list.is_some() { usize::MAX } else { 1 }) {
            let word: String =
                item.trim_start().chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
            named.insert(word);
        }
    }
}

/// The nodes of a circle, if there is one: nodes are taken away as long as one depends on no other that is left.
fn circle(graph: &Graph) -> Option<Vec<String>> {
    let mut left = graph.clone();
    loop {
        let names: BTreeSet<String> = left.keys().cloned().collect();
        let before = left.len();
        left.retain(|_, on| on.iter().any(|other| names.contains(other)));
        // Nor can a node be in a circle that no other depends on.
        let used: BTreeSet<String> = left.values().flatten().cloned().collect();
        left.retain(|name, _| used.contains(name));
        if left.len() == before {
            return (!left.is_empty()).then(|| left.into_keys().collect());
        }
    }
}
