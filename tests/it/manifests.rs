//! Generated files that are stored beside their sources still match them.

use capnp::traits::HasTypeId;
use sha2::{Digest, Sha256};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use wavetank::schema::{REQUEST, VATS_REQUEST, peer_capnp as peer};
use wavetank_lab::guests;
use wavetank_tests::{hex, in_repository};
use wavetank_trace::schema::Schema;

fn root() -> PathBuf {
    in_repository("")
}

fn sha256(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

fn read(path: &str) -> Vec<u8> {
    fs::read(root().join(path)).unwrap_or_else(|e| panic!("{path}: {e}"))
}

fn text(path: &str) -> String {
    String::from_utf8(read(path)).expect("text")
}

#[test]
fn the_stored_request_was_made_from_the_schema_as_it_is() {
    let stored = [
        ("capnp/peer", Some(REQUEST)),
        ("capnp/vats", Some(VATS_REQUEST)),
        ("capnp/sink", None),
        ("guests/till/till", None),
    ];
    for (path, request) in stored {
        let name = Path::new(path).file_name().and_then(|name| name.to_str()).expect("a plain name");
        let expected: String = ["capnp", "cgr"]
            .map(|kind| format!("{}  {name}.{kind}\n", sha256(&read(&format!("{path}.{kind}")))))
            .concat();
        assert_eq!(
            text(&format!("{path}.manifest")),
            expected,
            "{path}.capnp or {name}.cgr changed without the other: run capnp/update.sh"
        );
        let stored = read(&format!("{path}.cgr"));
        assert!(request.is_none_or(|request| request == stored), "the build embeds another request");
    }
}

#[test]
fn the_guest_runtime_holds_copies_of_the_files_that_its_package_needs() {
    let mut copies = Vec::new();
    walk(Path::new("guests/rt/wit"), &mut copies);
    assert!(copies.len() > 3, "{copies:?}");
    copies.push("guests/rt/LICENSE".into());
    for copy in copies {
        let original = copy.strip_prefix("guests/rt").expect("a file of the runtime");
        let [copy, original] = [copy.as_path(), original].map(|path| path.to_str().expect("a plain name"));
        assert_eq!(read(copy), read(original), "{copy} is a copy of {original}: change both");
    }
}

#[test]
fn the_readme_of_the_guest_runtime_shows_the_example_guest_as_it_is() {
    let readme = text("guests/rt/README.md");
    for file in ["till.capnp", "build.rs", "src/main.rs"] {
        let shown = format!("`{file}`:\n\n```{}\n", if file == "till.capnp" { "capnp" } else { "rust" });
        let source = text(&format!("guests/till/{file}"));
        assert!(readme.contains(&format!("{shown}{source}```\n")), "the README shows another {file}");
    }
}

#[test]
fn the_generated_code_and_the_request_name_the_same_things() {
    let schema = Schema::from_request(REQUEST).unwrap();
    let methods: Vec<String> = schema
        .interfaces
        .values()
        .flat_map(|interface| {
            let of = interface.name.clone();
            interface.methods.iter().map(move |method| format!("{of}.{}", method.name))
        })
        .collect();
    // The code is generated from the same request; the uses of the ids are written down here.
    let ids = [
        (peer::host::Client::TYPE_ID, "Host"),
        (peer::executor::Client::TYPE_ID, "Executor"),
        (peer::process::Client::TYPE_ID, "Process"),
        (peer::byte_stream::Client::TYPE_ID, "ByteStream"),
    ];
    for (id, name) in ids {
        assert_eq!(schema.interfaces[&id].name, name);
    }
    let mut sorted = methods.clone();
    sorted.sort();
    assert_eq!(
        sorted.join(" "),
        "ByteStream.close ByteStream.read ByteStream.write \
         Executor.echo Executor.runBytes \
         Host.addrs Host.connect Host.executor Host.id Host.peers \
         Process.bootstrap Process.kill Process.stderr Process.stdin Process.stdout Process.wait"
    );
}

#[test]
fn the_built_guests_were_built_from_their_sources_as_they_are() {
    let manifest = text("guests/built/MANIFEST");
    let line = |start: &str| {
        let found = manifest.lines().find_map(|line| line.strip_prefix(start));
        found.unwrap_or_else(|| panic!("guests/built/MANIFEST has no line {start:?}")).to_string()
    };
    let rebuild = "a guest's source changed and its component did not: run guests/build.sh";
    assert_eq!(line("source "), sha256(sources().as_bytes()), "{rebuild}");
    for (name, bytes) in guests::all() {
        assert_eq!(line(&format!("component {name}.wasm ")), sha256(bytes), "{name}: {rebuild}");
    }
    let built = manifest.lines().filter(|line| line.starts_with("component ")).count();
    assert_eq!(built, guests::all().count(), "a built guest that nothing names");
}

/// The guests' sources by path, each with its digest, in the format of build.sh.
fn sources() -> String {
    let mut paths: Vec<PathBuf> =
        ["wit/streams.wit", "wit/guest.wit", "capnp/peer.cgr", "capnp/sink.cgr"].map(PathBuf::from).into();
    walk(Path::new("guests"), &mut paths);
    let mut paths: Vec<String> =
        paths.into_iter().map(|path| path.to_str().expect("plain names").to_string()).collect();
    paths.sort();
    paths.iter().map(|path| format!("{}  {path}\n", sha256(&read(path)))).collect()
}

fn walk(dir: &Path, into: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(root().join(dir)).expect("a folder of the repository") {
        let entry = entry.expect("an entry");
        let path = dir.join(entry.file_name());
        let kind = entry.file_type().expect("a type");
        if kind.is_dir() {
            if path != Path::new("guests/target") && path != Path::new("guests/built") {
                walk(&path, into);
            }
        } else {
            into.push(path);
        }
    }
}

#[test]
fn no_built_guest_names_a_path_of_its_builder() {
    for (name, bytes) in guests::all() {
        // Cargo's folders are mapped to names without the dot.
        for path in [".cargo/", ".rustup/", "/home/", "/Users/"] {
            let found = bytes.windows(path.len()).any(|window| window == path.as_bytes());
            assert!(!found, "{name} holds {path}");
        }
    }
}

#[test]
fn neither_tokio_nor_wasmtime_wasi_is_in_the_tree() {
    let cargo = option_env!("CARGO").unwrap_or("cargo");
    let listed = Command::new(cargo)
        .args(["tree", "--workspace", "--edges", "all", "--prefix", "none", "--format", "{p}", "--offline"])
        .current_dir(root())
        .output()
        .expect("cargo runs");
    assert!(listed.status.success(), "{}", String::from_utf8_lossy(&listed.stderr));
    let tree = String::from_utf8(listed.stdout).expect("text");
    let has = |name: &str| tree.lines().any(|line| line.split(' ').next() == Some(name));
    assert!(has("wasmtime") && has("capnp-rpc"), "the list is not what it should be:\n{tree}");
    for banned in ["tokio", "wasmtime-wasi", "async-std", "smol"] {
        assert!(!has(banned), "{banned} runs its own threads or clock, and must not be in the tree");
    }
}

#[test]
fn nothing_in_the_tank_names_the_simulator() {
    let mut files = Vec::new();
    walk(Path::new("src"), &mut files);
    assert!(files.len() > 10);
    for file in files {
        let source = text(file.to_str().expect("a plain name"));
        let code = source.lines().filter(|line| !line.trim_start().starts_with("//"));
        for line in code {
            assert!(!line.contains("wavetank_sim"), "{}: {line}", file.display());
        }
    }
}
