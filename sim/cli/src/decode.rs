//! `wavetank decode`: a session that was captured anywhere, as text or JSON lines; and `wavetank snapshot`, which
//! compares such a session with a file.

mod json;
mod pcap;
mod snapshot;
mod tcp;

use crate::args::{Capture, Decode, DecodeFormat, Snapshot};
use crate::exit_code::FOUND;
use crate::terminal::{self, Stop};
use std::fmt::Write as _;
use std::io::Read;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use wavetank_sim::worker::words::counted;
use wavetank_trace::calls::{Parties, of_link};
use wavetank_trace::frames::{Direction, Frame};
use wavetank_trace::session::{Decoded, Entry, Options, Order, Packing, Session, Side, Tick};
use wavetank_trace::{Redactions, Schema};

/// The largest file that is read, in bytes.
const MAX_FILE_BYTES: u64 = 1 << 30;

/// Prints a captured session.
pub(crate) fn decode(args: &Decode) -> Result<ExitCode, Stop> {
    let is_json = args.format == DecodeFormat::Json;
    let Captured { decoded, notes } = read(&args.capture, args.whole || is_json)?;
    // Another format is an arm here.
    match args.format {
        DecodeFormat::Text => terminal::print(text(&decoded, &notes, args.calls))?,
        DecodeFormat::Json => {
            for note in notes {
                terminal::warn(note);
            }
            let mut lines = String::new();
            for line in json::lines(&decoded) {
                let _ = writeln!(lines, "{line}");
            }
            terminal::write(lines.as_bytes())?;
        }
    }
    let is_malformed = decoded.entries.iter().any(Entry::is_malformed);
    Ok(if is_malformed { ExitCode::from(FOUND) } else { ExitCode::SUCCESS })
}

/// Compares a captured session with a snapshot.
pub(crate) fn snapshot(args: &Snapshot) -> Result<ExitCode, Stop> {
    let Captured { decoded, notes } = read(&args.capture, false)?;
    for note in notes {
        terminal::warn(note);
    }
    let mut redactions = Redactions::default();
    for path in &args.redact {
        let (path, text) = path.split_once('=').unwrap_or((path, "[redacted]"));
        redactions.add(path, text).map_err(|e| e.to_string())?;
    }
    let text = if args.calls { calls(&decoded, &redactions) } else { frames(&decoded, &redactions) };
    snapshot::compare(args, &text)
}

/// A session, and what else there is to say about its files.
struct Captured {
    decoded: Decoded,
    notes: Vec<String>,
}

fn read(args: &Capture, is_whole: bool) -> Result<Captured, String> {
    let mut schema = Arc::new(Schema::default());
    args.schema.load_onto(&mut schema)?;
    let packing = match (args.packed, args.unpacked) {
        (true, _) => Some(Packing::Packed),
        (_, true) => Some(Packing::Unpacked),
        _ => None,
    };
    let mut session = Session::new(schema, Options { packing, is_whole, ..Options::default() });
    let mut notes = Vec::new();
    if let Some(path) = &args.pcap {
        read_pcap(path, args.stream, &mut session, &mut notes)?;
    } else {
        if args.client == args.server && args.client.as_deref() == Some(Path::new("-")) {
            return Err("--client and --server cannot both be stdin".to_owned());
        }
        for (direction, path) in [(Direction::Up, &args.client), (Direction::Down, &args.server)] {
            if let Some(path) = path {
                session.push(direction, &read_file(path)?);
            }
        }
    }
    Ok(Captured { decoded: session.finish(), notes })
}

/// Reads the TCP stream of a capture file.
fn read_pcap(
    path: &Path,
    chosen: Option<usize>,
    session: &mut Session,
    notes: &mut Vec<String>,
) -> Result<(), String> {
    let file = read_file(path)?;
    let shown = path.display();
    let pcap::Packets { packets, fault } = pcap::packets(&file).map_err(|e| format!("{shown}: {e}"))?;
    notes.extend(fault.map(|fault| format!("{shown}: {fault}; the rest is left out")));
    let found = tcp::streams(&packets);
    for (link, count) in &found.unknown_links {
        notes.push(format!("{shown}: {} of the unknown link type {link}", counted(*count as u64, "packet")));
    }
    if found.fragments > 0 {
        let fragments = counted(found.fragments as u64, "fragment");
        notes.push(format!("{shown}: {fragments} of IP packets, which are left out"));
    }
    let mut listed = String::new();
    for (number, stream) in (1..).zip(&found.streams) {
        let _ = write!(listed, "\n  {number}  {stream}");
    }
    let mut used = found.streams.iter().filter(|stream| stream.is_used());
    let stream = match (chosen, used.next(), used.next()) {
        (Some(number), ..) => {
            let chosen = number.checked_sub(1).and_then(|at| found.streams.get(at));
            chosen.ok_or_else(|| format!("{shown}: there is no stream {number}; there are{listed}"))?
        }
        (None, Some(stream), None) => stream,
        (None, Some(_), Some(_)) => {
            return Err(format!(
                "{shown}: it holds more than one TCP stream: choose one by --stream N{listed}"
            ));
        }
        (None, None, _) => {
            let packets = counted(packets.len() as u64, "packet");
            return Err(format!("{shown}: it holds no TCP stream with data, among {packets}{listed}"));
        }
    };
    notes.push(format!("stream {stream}"));
    stream.replay(session);
    Ok(())
}

fn read_file(path: &Path) -> Result<Vec<u8>, String> {
    let unreadable = |e: std::io::Error| format!("{}: {e}", path.display());
    let mut bytes = Vec::new();
    let read = if path == Path::new("-") {
        std::io::stdin().lock().take(MAX_FILE_BYTES + 1).read_to_end(&mut bytes)
    } else {
        let file = std::fs::File::open(path).map_err(unreadable)?;
        file.take(MAX_FILE_BYTES + 1).read_to_end(&mut bytes)
    };
    if read.map_err(unreadable)? as u64 > MAX_FILE_BYTES {
        return Err(format!("{}: it is larger than {MAX_FILE_BYTES} bytes", path.display()));
    }
    Ok(bytes)
}

/// The session for people: what was captured, then a line for each entry, after its place.
fn text(decoded: &Decoded, notes: &[String], as_calls: bool) -> String {
    let mut text = String::new();
    for note in notes {
        let _ = writeln!(text, "{note}");
    }
    for (arrow, side) in [(Direction::Up, &decoded.client), (Direction::Down, &decoded.server)] {
        let _ = writeln!(text, "{arrow} {}", heading(side));
    }
    let order = match decoded.order {
        Order::OneDirection => "order: one direction alone, so calls and their answers are not tied together",
        Order::Captured => "order: as captured; times are in seconds from the first message",
        Order::Causal => "order: by causality, because the bytes come without times",
    };
    let _ = writeln!(text, "{order}");
    if as_calls {
        return text + &calls(decoded, &Redactions::default());
    }
    let first = decoded.entries.iter().find_map(|entry| entry.tick);
    for entry in &decoded.entries {
        if decoded.order == Order::Captured {
            let _ = write!(text, "{:>12}", since(first, entry.tick));
        }
        let _ = writeln!(text, "{:>8} {entry}", entry.byte);
    }
    text
}

fn heading(side: &Side) -> String {
    let Side { name, bytes, packing, is_detected, messages } = side;
    let bytes = counted(*bytes, "byte");
    if *messages == 0 {
        return format!("{name}: {bytes}, no message");
    }
    let detected = if *is_detected { " (detected)" } else { "" };
    format!("{name}: {bytes}, {packing}{detected}, {}", counted(*messages, "message"))
}

/// Seconds with six digits between two moments.
fn since(first: Option<Tick>, tick: Option<Tick>) -> String {
    let (Some(first), Some(tick)) = (first, tick) else { return String::new() };
    let micros = tick.ns.saturating_sub(first.ns) / 1000;
    format!("{}.{:06}", micros / 1_000_000, micros % 1_000_000)
}

/// The messages without their places, as in a snapshot.
fn frames(decoded: &Decoded, redactions: &Redactions) -> String {
    let mut text = String::new();
    for entry in &decoded.entries {
        let redacted = Entry { frame: redactions.frame(&entry.frame).into_owned(), ..entry.clone() };
        let _ = writeln!(text, "{redacted}");
    }
    text
}

fn calls(decoded: &Decoded, redactions: &Redactions) -> String {
    let parties = Parties { cell: &decoded.client.name, host: &decoded.server.name };
    let frames: Vec<Frame> = decoded.entries.iter().map(|entry| entry.frame.clone()).collect();
    of_link(parties, &frames, redactions)
}
