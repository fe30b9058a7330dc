//! What happened inside the tank, in order: the part of a transcript that only the tank can see.

use crate::ids::{ActorId, GateId, LinkId, PipeId};
use crate::pipe::{Ending, HalfBreak};
use bytes::Bytes;
use std::fmt;
use std::sync::Arc;

/// One thing that happened during a move. Plain data; holds no address and no wall time.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// A vat came to be.
    VatBorn {
        /// The new vat.
        vat: ActorId,
        /// Its name, unique in the tank.
        name: Arc<str>,
    },
    /// A cell came to be. It runs once it was started.
    CellBorn {
        /// The new cell.
        cell: ActorId,
        /// The cell whose executor asked for it.
        parent: Option<ActorId>,
        /// Whether it may outlive its parent.
        detached: bool,
        /// Its name, unique in the tank.
        name: Arc<str>,
    },
    /// A pipe came to be.
    PipeBorn {
        /// The new pipe.
        pipe: PipeId,
        /// What it carries, as `cell stdin`.
        name: Arc<str>,
        /// Bytes that it holds, until it is shaped otherwise.
        capacity_bytes: usize,
    },
    /// A link was laid over two pipes.
    LinkBorn {
        /// The new link.
        link: LinkId,
        /// The cell at its far end, or between two vats the first of them.
        cell: ActorId,
        /// The pipe from the cell to its host.
        up: PipeId,
        /// The pipe from the host to the cell.
        down: PipeId,
    },
    /// A cell's stdin and stdout turned out to be its own: what was laid over them is no link.
    StdioOwned {
        /// The cell.
        cell: ActorId,
        /// What would have been its link.
        link: LinkId,
    },
    /// A writer wrote bytes.
    Wrote {
        /// The pipe they went into.
        pipe: PipeId,
        /// The bytes, shared with the pipe.
        bytes: Bytes,
    },
    /// A reader took bytes out.
    Read {
        /// The pipe they came from.
        pipe: PipeId,
        /// How many.
        bytes: usize,
    },
    /// One end of a pipe was closed.
    Closed {
        /// The pipe.
        pipe: PipeId,
        /// Which end.
        end: End,
        /// Bytes that nobody will read any more.
        lost_bytes: usize,
    },
    /// A pipe was broken.
    Reset {
        /// The pipe.
        pipe: PipeId,
        /// Bytes that nobody will read any more.
        lost_bytes: usize,
    },
    /// A pipe was ended from outside, at the byte it had been told to.
    Ended {
        /// The pipe.
        pipe: PipeId,
        /// How.
        ending: Ending,
        /// Bytes in it that nobody will read any more. Those that fell behind its end were never in it.
        lost_bytes: usize,
    },
    /// A pipe was ended from outside at one of its ends. The other end has not heard of it.
    HalfBroken {
        /// The pipe.
        pipe: PipeId,
        /// Which end was told, and what.
        half: HalfBreak,
        /// Bytes that nobody will read any more.
        lost_bytes: usize,
    },
    /// A pipe took in bytes and will not deliver them: it was muted.
    Withheld {
        /// The pipe.
        pipe: PipeId,
        /// How many of the bytes that were just written.
        bytes: usize,
    },
    /// A cell was trapped by order.
    TrappedByOrder {
        /// The cell.
        cell: ActorId,
    },
    /// A cell wanted more memory and was refused it by order.
    MemoryRefused {
        /// The cell.
        cell: ActorId,
    },
    /// A `runBytes` failed by order.
    SpawnFailed {
        /// The cell that would be the parent.
        parent: ActorId,
    },
    /// A `runBytes` takes longer by order.
    SpawnSlowed {
        /// The cell that will be the parent.
        parent: ActorId,
        /// How long, in nanoseconds.
        by_ns: u64,
    },
    /// A call was cancelled by order.
    CallCut {
        /// Its gate.
        gate: GateId,
    },
    /// A cell was given a resource.
    HandleBorn {
        /// The cell.
        cell: ActorId,
        /// What it is.
        kind: HandleKind,
        /// Its place in the cell's table.
        handle: u32,
    },
    /// A cell gave a resource back.
    HandleDropped {
        /// The cell.
        cell: ActorId,
        /// What it was.
        kind: HandleKind,
        /// Its place in the cell's table.
        handle: u32,
    },
    /// A served call came in.
    Called {
        /// Its gate.
        gate: GateId,
        /// The interface's id in the schema.
        interface: u64,
        /// The method's ordinal.
        method: u16,
        /// The link that it came over, where it came over the one its capability was served on.
        link: LinkId,
        /// The pipe of that link that brings calls to where it is served: `up` for the host's end.
        over: PipeId,
        /// What [`fingerprint`](crate::fingerprint) says of its parameters.
        params: u64,
    },
    /// The host asked something of a guest, and may be made to cancel it.
    Asked {
        /// The call, in one count with the gates.
        gate: GateId,
        /// The interface's id in the schema.
        interface: u64,
        /// The method's ordinal.
        method: u16,
    },
    /// A served call is done; its answer waits at the gate.
    Done {
        /// Its gate.
        gate: GateId,
    },
    /// A served call was cancelled by its caller before its answer went out.
    Cancelled {
        /// Its gate.
        gate: GateId,
    },
    /// It turned out that a method streams: its callers cannot wait for its Return. Told once of each method.
    Streams {
        /// The interface's id in the schema.
        interface: u64,
        /// The method's ordinal.
        method: u16,
    },
    /// An operation of fake I/O began.
    IoBegun {
        /// Its number, in one count with the gates.
        operation: GateId,
        /// What it was called.
        what: Arc<str>,
    },
    /// An operation of fake I/O ended.
    IoEnded {
        /// Its number.
        operation: GateId,
        /// Whether it failed.
        fails: bool,
    },
    /// An operation of fake I/O was dropped before its end.
    IoDropped {
        /// Its number.
        operation: GateId,
    },
    /// A cell ended, its children were ended and its streams closed.
    CellEnded {
        /// The cell.
        cell: ActorId,
        /// Its exit code.
        code: i32,
        /// Fuel that it burned.
        fuel: u64,
    },
    /// The host's side of a link ended.
    LinkEnded {
        /// The link.
        link: LinkId,
        /// Why, where it was not a clean end.
        error: Option<Arc<str>>,
    },
}

/// One end of a pipe.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum End {
    /// Where bytes come out.
    Reader,
    /// Where bytes go in.
    Writer,
}

impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            End::Reader => "reader",
            End::Writer => "writer",
        })
    }
}

/// A kind of resource in a cell's table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum HandleKind {
    /// A `wasi:io/streams.input-stream`.
    InputStream,
    /// A `wasi:io/streams.output-stream`.
    OutputStream,
    /// A `wasi:io/poll.pollable`.
    Pollable,
    /// A `wasi:io/error.error`.
    Error,
    /// A `wetware:streams/streams.connection`.
    Connection,
}

impl fmt::Display for HandleKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            HandleKind::InputStream => "input-stream",
            HandleKind::OutputStream => "output-stream",
            HandleKind::Pollable => "pollable",
            HandleKind::Error => "error",
            HandleKind::Connection => "connection",
        })
    }
}
