//! The events inside the tank, in order: the part of a transcript that only the tank can see.

use crate::draw::DrawRange;
use crate::ids::{ActorId, GateId, LinkId, PipeId};
use crate::pipe::{End, Ending, HalfBreak};
use bytes::Bytes;
use std::fmt;
use std::sync::Arc;

/// One event during a move. It is plain data, without addresses and wall time.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// A vat was created.
    VatBorn {
        /// The new vat.
        vat: ActorId,
        /// Its name, unique in the tank.
        name: Arc<str>,
    },
    /// A cell was created. It runs once it is started.
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
    /// A pipe was created.
    PipeBorn {
        /// The new pipe.
        pipe: PipeId,
        /// The name of its stream, such as `cell stdin`.
        name: Arc<str>,
        /// Bytes that it holds, unless its capacity is changed later.
        capacity_bytes: usize,
    },
    /// A link was made of two pipes.
    LinkBorn {
        /// The new link.
        link: LinkId,
        /// The cell at its far end. For a link between two vats, the first of them.
        cell: ActorId,
        /// The vat at its near end.
        near: ActorId,
        /// The pipe from the cell to its host.
        up: PipeId,
        /// The pipe from the host to the cell.
        down: PipeId,
    },
    /// A cell's stdin and stdout turned out to be its own, so they carry no link.
    StdioOwned {
        /// The cell.
        cell: ActorId,
        /// The link that they would have carried.
        link: LinkId,
    },
    /// A writer wrote bytes.
    Wrote {
        /// The pipe into which they went.
        pipe: PipeId,
        /// The bytes, shared with the pipe.
        bytes: Bytes,
    },
    /// A reader took bytes out.
    Read {
        /// The pipe from which they came.
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
    /// A pipe was ended from outside, at the byte that had been ordered.
    Ended {
        /// The pipe.
        pipe: PipeId,
        /// How.
        ending: Ending,
        /// Bytes in it that nobody will read any more. Bytes that fell behind its end were never in it.
        lost_bytes: usize,
    },
    /// A pipe was ended from outside at one of its ends. The other end has not heard of it.
    HalfBroken {
        /// The pipe.
        pipe: PipeId,
        /// Which end was told, and how.
        half: HalfBreak,
        /// Bytes that nobody will read any more.
        lost_bytes: usize,
    },
    /// A muted pipe accepted bytes, or holds bytes, that it will not deliver.
    Withheld {
        /// The pipe.
        pipe: PipeId,
        /// How many bytes.
        bytes: usize,
    },
    /// A cell was trapped by order.
    TrappedByOrder {
        /// The cell.
        cell: ActorId,
    },
    /// A cell asked for more memory and was refused by order.
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
    /// A cell got a resource.
    HandleBorn {
        /// The cell.
        cell: ActorId,
        /// The kind of resource.
        kind: HandleKind,
        /// Its place in the cell's table.
        handle: u32,
    },
    /// A cell dropped a resource.
    HandleDropped {
        /// The cell.
        cell: ActorId,
        /// The kind of resource.
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
        /// The link on which its capability was served. The call may have come over another one.
        link: LinkId,
        /// The pipe of that link that brings calls to the server: `up` for the host's end.
        over: PipeId,
        /// The [`fingerprint`](wavetank_trace::fingerprint()) of its parameters.
        params: u64,
    },
    /// The host called a guest. It may be made to cancel the call.
    Asked {
        /// The call's number; calls and gates are numbered together.
        gate: GateId,
        /// The interface's id in the schema.
        interface: u64,
        /// The method's ordinal.
        method: u16,
    },
    /// A served call is done, and its answer waits at the gate.
    Done {
        /// Its gate.
        gate: GateId,
    },
    /// A served call was cancelled by its caller before its answer went out.
    Cancelled {
        /// Its gate.
        gate: GateId,
    },
    /// It turned out that a method streams: its callers cannot wait for its Return. Recorded once for each method.
    Streams {
        /// The interface's id in the schema.
        interface: u64,
        /// The method's ordinal.
        method: u16,
    },
    /// An operation of fake I/O began.
    IoBegun {
        /// Its number; operations and gates are numbered together.
        operation: GateId,
        /// Its name.
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
    /// Somebody asked for a draw.
    DrawBegun {
        /// Its number; draws, operations and gates are numbered together.
        draw: GateId,
        /// Its name.
        what: Arc<str>,
        /// The values that it may have.
        range: DrawRange,
    },
    /// A draw was decided.
    Drawn {
        /// Its number.
        draw: GateId,
        /// Its value.
        value: u32,
    },
    /// A draw was dropped before it was decided.
    DrawDropped {
        /// Its number.
        draw: GateId,
    },
    /// A cell ended. Its children were ended and its streams closed before.
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
        /// The error, if it was not a clean end.
        error: Option<Arc<str>>,
    },
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
