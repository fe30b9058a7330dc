//! The resource tree: children go before their parents, and who exits has given everything back.
//!
//! The first half is a trap: a stream that is dropped before its pollable ends the guest with "resource has
//! children" (`wasi:io/poll`: a pollable is a child of what it was made of). The usual way around it, never to
//! drop anything, is a leak that no trap tells of: no Finish, no Release, bytes that were queued and never sent
//! (G03 of the catalogue of bugs). So here: at a clean exit a cell's table holds at most one stream and one
//! pollable for each of its stdio pipes that is not the transport, which libc keeps for life.
//!
//! A trap or a kill leaves what it leaves: the host takes it back with the store.

use super::{CellFacts, Evidence, Finding};
use std::collections::BTreeSet;
use wavetank::HandleKind;
use wavetank::cell::{Left, Transport};

/// Pipes of a cell that are its stdio: the first ones.
const STDIO_PIPES: usize = 3;

/// Judges all cells that exited.
pub fn judge(evidence: &Evidence<'_>) -> Option<Finding> {
    evidence.cells.iter().filter(|cell| !evidence.is_struck(cell)).find_map(|cell| leak(evidence, cell))
}

fn leak(evidence: &Evidence<'_>, cell: &CellFacts) -> Option<Finding> {
    let exit = cell.exited()?;
    let carries_rpc = |pipe| {
        cell.transport == Transport::Stdio
            && cell.link.is_some_and(|(_, up, down)| pipe == up || pipe == down)
    };
    let mut libc = BTreeSet::new();
    let is_libcs = |left: &&Left| {
        let Some(pipe) = left.pipe else { return false };
        let is_pollable = match left.kind {
            HandleKind::Pollable => true,
            HandleKind::InputStream | HandleKind::OutputStream => false,
            _ => return false,
        };
        let is_stdio = cell.pipes.iter().take(STDIO_PIPES).any(|&of| of == pipe);
        is_stdio && !carries_rpc(pipe) && libc.insert((pipe, is_pollable))
    };
    let mut leaked: Vec<&Left> = exit.left.iter().collect();
    let mut is_libcs = is_libcs;
    leaked.retain(|left| !is_libcs(left));
    let first = leaked.first()?;
    let named = |left: &Left| match left.pipe {
        Some(pipe) => format!("{} {} of {}", left.kind, left.handle, evidence.pipe_name(pipe)),
        None => format!("{} {}", left.kind, left.handle),
    };
    let more = match leaked.len() - 1 {
        0 => String::new(),
        1 => " and one more resource".into(),
        more => format!(" and {more} more resources"),
    };
    Some(Finding {
        oracle: "resources",
        who: cell.name.to_string(),
        blame: cell.blame(),
        what: format!("{} exited and had not dropped {}{more}", cell.name, named(first)),
        detail: leaked.iter().map(|left| named(left)).collect(),
    })
}
