//! `wavetank decode`, `wavetank snapshot` and `wavetank diff`.

use crate::common::{command_in, folder, name, output, wavetank, wavetank_in};
use std::fs;
use std::path::Path;

/// A message of the given words in one segment.
fn frame(words: &[u64]) -> Vec<u8> {
    let mut bytes = vec![0, 0, 0, 0];
    bytes.extend((words.len() as u32).to_le_bytes());
    words.iter().for_each(|word| bytes.extend(word.to_le_bytes()));
    bytes
}

/// A Bootstrap that asks a question, a Finish of it, and the Return `canceled` that answers it.
fn session() -> (Vec<u8>, Vec<u8>) {
    let pointer = 0x0001_0001_0000_0000;
    let bootstrap = frame(&[pointer, 8, pointer, 3, 0]);
    // The flags are XORed with their defaults, so this releases nothing.
    let finish = frame(&[pointer, 4, 0x0000_0001_0000_0000, 3 | 1 << 32]);
    let canceled = frame(&[pointer, 3, 0x0001_0002_0000_0000, 3 | 2 << 48, 0, 0]);
    ([bootstrap, finish].concat(), canceled)
}

/// A folder with the captured session.
fn captured(test: &str) -> std::path::PathBuf {
    let folder = folder(test);
    let (client, server) = session();
    fs::write(folder.join("c2s.bin"), client).expect("a file for a test");
    fs::write(folder.join("s2c.bin"), server).expect("a file for a test");
    folder
}

const BOTH: [&str; 4] = ["--client", "c2s.bin", "--server", "s2c.bin"];

fn run(folder: &Path, command: &str, args: &[&str]) -> (i32, String, String) {
    wavetank_in(folder, &[&[command], args].concat())
}

/// A segment of TCP in a packet of IPv4, without a link's header.
fn packet(ports: [u16; 2], sequence: u32, flags: u8, payload: &[u8]) -> Vec<u8> {
    let mut packet = vec![0x45, 0];
    packet.extend((40 + payload.len() as u16).to_be_bytes());
    packet.extend([0, 0, 0, 0, 64, 6, 0, 0, 127, 0, 0, 1, 127, 0, 0, 1]);
    ports.iter().for_each(|port| packet.extend(port.to_be_bytes()));
    packet.extend(sequence.to_be_bytes());
    packet.extend([0, 0, 0, 0, 5 << 4, flags, 4, 0, 0, 0, 0, 0]);
    packet.extend(payload);
    packet
}

/// A classic big-endian pcap of raw IP, with times in nanoseconds.
fn pcap(packets: &[Vec<u8>]) -> Vec<u8> {
    let mut file = Vec::new();
    for number in [0xa1b2_3c4d_u32, 0x0002_0004, 0, 0, 65535, 101] {
        file.extend(number.to_be_bytes());
    }
    for (at, packet) in packets.iter().enumerate() {
        for number in [7, at as u32 * 1_500_000, packet.len() as u32, packet.len() as u32] {
            file.extend(number.to_be_bytes());
        }
        file.extend(packet);
    }
    file
}

/// The same packets as little-endian pcapng, with the default unit of time.
fn pcapng(packets: &[Vec<u8>]) -> Vec<u8> {
    let mut file = Vec::new();
    let mut block = |kind: u32, body: &[u8]| {
        let len = (12 + body.len().next_multiple_of(4)) as u32;
        file.extend(kind.to_le_bytes());
        file.extend(len.to_le_bytes());
        file.extend(body);
        file.resize(file.len().next_multiple_of(4), 0);
        file.extend(len.to_le_bytes());
    };
    block(0x0a0d_0d0a, &[0x4d, 0x3c, 0x2b, 0x1a, 1, 0, 0, 0, 255, 255, 255, 255, 255, 255, 255, 255]);
    block(1, &[101, 0, 0, 0, 0, 0, 1, 0]);
    for (at, packet) in packets.iter().enumerate() {
        let mut body = Vec::new();
        for number in [0, 0, at as u32 * 1500, packet.len() as u32, packet.len() as u32] {
            body.extend(number.to_le_bytes());
        }
        body.extend(packet);
        block(6, &body);
    }
    file
}

#[test]
fn both_directions_are_decoded_in_causal_order() {
    let folder = captured("causal");
    let (code, out, err) = run(&folder, "decode", &BOTH);
    assert_eq!(
        out,
        "→ client: 88 bytes, not packed (detected), 2 messages\n\
         ← server: 56 bytes, not packed (detected), 1 message\n\
         order: by causality, because the bytes come without times\n       \
         0 → bootstrap  q1\n      \
         48 → finish     q1\n       \
         0 ← return     q1 bootstrap canceled\n"
    );
    assert_eq!((code, &*err), (0, ""));
    let (code, alone, _) = run(&folder, "decode", &["--server", "s2c.bin", "--unpacked"]);
    assert!(
        alone.contains("← server: 56 bytes, not packed, 1 message\norder: one direction alone"),
        "{alone}"
    );
    assert!(alone.contains("0 ← return     q? (id 3) unknown canceled, releasing params"), "{alone}");
    assert_eq!(code, 0);
}

#[test]
fn json_lines_hold_every_field() {
    let (code, out, _) = run(&captured("json"), "decode", &[&BOTH[..], &["--format", "json"]].concat());
    let lines: Vec<serde_json::Value> =
        out.lines().map(|line| serde_json::from_str(line).expect("a line of JSON")).collect();
    assert_eq!((code, lines.len()), (0, 4));
    assert_eq!(lines[0]["session"]["order"], "causal");
    assert_eq!(lines[2]["kind"], "finish");
    assert_eq!(lines[2]["message"]["finish"]["requireEarlyCancellationWorkaround"], true);
    assert_eq!(lines[3]["message"]["return"]["canceled"], serde_json::Value::Null);
    assert_eq!(lines[3]["method"], "bootstrap");
}

#[test]
fn what_is_malformed_is_named_by_its_byte() {
    let folder = captured("malformed");
    let mut bytes = session().0;
    bytes.extend([0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 7, 0, 0, 0, 9, 9, 9, 0xff]);
    fs::write(folder.join("c2s.bin"), bytes).expect("a file for a test");
    let (code, out, _) = run(&folder, "decode", &["--client", "c2s.bin"]);
    assert!(out.contains("88 → garbled    at byte 96: "), "{out}");
    assert!(out.contains("a struct of 7 words at word 1 of segment 0, which has 1 words"), "{out}");
    assert!(out.contains("104 → garbled    at byte 104: a segment table of 4278782218 segments"), "{out}");
    assert_eq!(code, 1);
}

#[test]
fn a_pcap_is_put_together_again() {
    let folder = captured("pcap");
    let (client, server) = session();
    let (up, down) = ([5000, 4711], [4711, 5000]);
    // The numbers wrap around in the middle of the client's bytes.
    let first = u32::MAX - 20;
    let packets = [
        packet(up, first.wrapping_sub(1), 2, b""),
        packet(down, 99, 18, b""),
        packet(up, first.wrapping_add(60), 24, &client[60..]),
        packet(up, first, 24, &client[..30]),
        packet(up, first, 24, &client[..30]),
        packet(up, first.wrapping_add(20), 24, &client[20..70]),
        packet(down, 100, 24, &server),
    ];
    for (file, bytes) in [("a.pcap", pcap(&packets)), ("a.pcapng", pcapng(&packets))] {
        fs::write(folder.join(file), bytes).expect("a file for a test");
        let (code, out, err) = run(&folder, "decode", &["--pcap", file]);
        assert_eq!(
            out,
            "stream 127.0.0.1:5000 → 127.0.0.1:4711, 138 bytes →, 56 bytes ←\n\
             → client: 88 bytes, not packed (detected), 2 messages\n\
             ← server: 56 bytes, not packed (detected), 1 message\n\
             order: as captured; times are in seconds from the first message\n    \
             0.000000       0 → bootstrap  q1\n    \
             0.000000      48 → finish     q1\n    \
             0.001500       0 ← return     q1 bootstrap canceled\n",
            "{file}"
        );
        assert_eq!((code, &*err), (0, ""));
    }

    let lost = [packets[0].clone(), packets[2].clone()];
    fs::write(folder.join("lost.pcap"), pcap(&lost)).expect("a file for a test");
    let (code, out, _) = run(&folder, "decode", &["--pcap", "lost.pcap"]);
    assert!(
        out.contains("the capture lacks 60 bytes from byte 0 of the stream on; the rest is left out"),
        "{out}"
    );
    assert_eq!(code, 1);

    let other = packet([5001, 4711], 7, 24, &client);
    let two = [&packets[..], &[other]].concat();
    fs::write(folder.join("two.pcap"), pcap(&two)).expect("a file for a test");
    let (code, out, err) = run(&folder, "decode", &["--pcap", "two.pcap"]);
    assert_eq!((code, &*out), (2, ""));
    assert!(err.contains("choose one by --stream N\n  1  127.0.0.1:5000 → 127.0.0.1:4711"), "{err}");
    assert!(
        err.contains("\n  2  127.0.0.1:5001 → 127.0.0.1:4711, 88 bytes →, 0 bytes ←, begun before"),
        "{err}"
    );
    let (code, out, _) = run(&folder, "decode", &["--pcap", "two.pcap", "--stream", "2"]);
    assert!(code == 0 && out.contains("→ client: 88 bytes"), "{out}");
    let (code, _, err) = run(&folder, "decode", &["--pcap", "two.pcap", "--stream", "3"]);
    assert!(code == 2 && err.contains("there is no stream 3"), "{err}");
    let (code, _, err) = run(&folder, "decode", &["--pcap", "c2s.bin"]);
    assert!(code == 2 && err.contains("it is neither a pcap nor a pcapng file"), "{err}");

    // Cut anywhere, and with any byte changed, a file is decoded or refused.
    let whole = pcapng(&packets);
    for at in (0..whole.len()).step_by(37) {
        let mut changed = whole.clone();
        changed[at] = 0xff;
        for bytes in [&whole[..at], &changed] {
            fs::write(folder.join("cut"), bytes).expect("a file for a test");
            let (code, _, err) = run(&folder, "decode", &["--pcap", "cut"]);
            assert!(code <= 2 && !err.contains("panicked"), "{at}: {err}");
        }
    }
}

#[test]
fn a_snapshot_is_compared_as_insta_does() {
    let folder = captured("snapshot");
    let args = |more: &[&'static str]| [&BOTH[..], &["--name", "first/session"], more].concat();
    let compare = |more: &[&'static str], ci: Option<&str>| {
        let mut command = command_in(&folder);
        command.env_remove("CI").env_remove("INSTA_UPDATE").arg("snapshot").args(args(more));
        command.envs(ci.map(|ci| ("CI", ci)));
        output(&mut command)
    };
    let (snapshot, pending) =
        (folder.join("snapshots/first/session.snap"), folder.join("snapshots/first/session.snap.new"));
    let (code, out, _) = compare(&[], Some("true"));
    assert!(code == 1 && out.contains("there was no snapshot") && !pending.exists(), "{out}");
    let (code, out, _) = compare(&[], None);
    assert!(code == 1 && out.contains("+ → bootstrap  q1") && pending.exists(), "{out}");
    let (code, ..) = compare(&["--update", "always"], None);
    assert!(code == 0 && snapshot.exists() && !pending.exists());
    let file = fs::read_to_string(&snapshot).expect("it was written");
    assert!(
        file.starts_with("---\n")
            && file
                .ends_with("\n---\n→ bootstrap  q1\n→ finish     q1\n← return     q1 bootstrap canceled\n"),
        "{file}"
    );
    let (code, out, _) = compare(&[], None);
    assert_eq!((code, &*out), (0, "snapshots/first/session.snap: the same\n"));

    fs::write(folder.join("s2c.bin"), b"").expect("a file for a test");
    let (code, out, _) = compare(&[], None);
    assert!(code == 1 && out.contains("- ← return     q1 bootstrap canceled"), "{out}");
    assert!(pending.exists() && fs::read_to_string(&snapshot).expect("unchanged") == file);
    let (code, _, err) = run(&folder, "snapshot", &[&BOTH[..], &["--name", "../up"]].concat());
    assert!(code == 2 && err.contains("--name"), "{err}");
}

#[test]
fn wrong_files_are_refused() {
    let folder = captured("refused");
    for (args, says) in [
        (&["--client", "nowhere.bin"][..], "nowhere.bin: "),
        (&["--client", "c2s.bin", "--schema", "s2c.bin"], "no CodeGeneratorRequest"),
        (&["--client", "-", "--server", "-"], "cannot both be stdin"),
        (&[], "required"),
        (&["--client", "c2s.bin", "--pcap", "x"], "cannot be used with"),
        (&["--client", "c2s.bin", "--packed", "--unpacked"], "cannot be used with"),
    ] {
        let (code, out, err) = run(&folder, "decode", args);
        assert_eq!((code, &*out), (2, ""), "{args:?}");
        assert!(err.contains(says), "{args:?}: {err}");
    }
}

/// The tokens of the behaviours of a sweep.
fn behaviours(scenario: &str, args: &[&str]) -> Vec<String> {
    let (_, out, err) = wavetank(&[&["run", scenario, "--behaviours", "--no-keep"], args].concat());
    let tokens = out.lines().filter(|line| line.starts_with("  wt1.")).map(|line| line.trim().to_owned());
    let tokens: Vec<String> = tokens.collect();
    assert!(out.contains("behaviour ") && !tokens.is_empty(), "{out}{err}");
    tokens
}

#[test]
fn runs_that_differ_in_independent_steps_are_the_same() {
    let drawn = |seeds| {
        behaviours("echo", &["--profile", "calm", "--strategy", "random", "--seeds", seeds]).remove(0)
    };
    let first = drawn("1..2");
    let verdicts = ["2..3", "3..4", "4..5", "5..6", "6..7"].map(|seeds| {
        let (code, out, _) = wavetank(&["diff", &first, &drawn(seeds)]);
        let verdict = out.lines().nth(2).expect("a verdict").to_owned();
        assert_eq!(code == 0, verdict.starts_with("the same"), "{out}");
        verdict
    });
    let same = "the same in causal order: only independent steps come in another order";
    assert!(verdicts.iter().any(|verdict| verdict == same), "{verdicts:?}");
    assert!(verdicts.iter().any(|verdict| verdict == "different"), "{verdicts:?}");
}

#[test]
fn two_behaviours_of_a_sweep_are_compared() {
    let tokens = behaviours("bug-g04", &["--seeds", "0..8"]);
    let [one, other, ..] = &tokens[..] else { panic!("one behaviour: {tokens:?}") };
    let (code, out, err) = wavetank(&["diff", one, other]);
    assert_eq!(code, 1, "{out}{err}");
    assert!(out.contains("\ndifferent\n") && out.contains("\nfirst difference: "), "{out}");
    let (code, out, _) = wavetank(&["diff", one, one]);
    assert!(code == 0 && out.contains("\nthe same, step for step\n"), "{out}");
    let (code, _, err) = wavetank(&["diff", one, "wt1.nonsense"]);
    assert!(code == 2 && err.contains("token"), "{err}");
    let saved = folder("diff-saved");
    let (code, _, err) = wavetank(&["diff", one, name(&saved.join("none.toml"))]);
    assert!(code == 2 && err.contains("none.toml"), "{err}");
}
