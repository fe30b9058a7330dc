//! Where tasks go: the one thing the tank asks of a runtime.

use crate::ids::{ActorId, LinkId};
use futures::future::LocalBoxFuture;
use futures::task::LocalSpawn;

/// What a task does, and for whom. Decisions rest on this; a task's name is for people.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Role {
    /// Runs a cell.
    Cell(ActorId),
    /// Serves the host's end of a link; the actor is at the far end.
    LinkOf(ActorId),
    /// Moves the bytes of a cell's stdin, stdout or stderr.
    StdioOf(ActorId),
    /// Serves one end of this link between two vats. Such a link has no end of its own.
    BetweenVats(LinkId),
    /// Anything else.
    Other,
}

/// A runtime for tasks of one thread.
///
/// Implemented for everything that implements [`LocalSpawn`], such as `futures_executor::LocalSpawner`, which
/// polls in whatever order its wakers say.
pub trait Spawn {
    /// Takes a task, to be polled on this thread until it is done.
    ///
    /// Tasks of one actor must run first in, first out among themselves: capnp-rpc's order of calls rests on
    /// it (capnproto-rust#528).
    fn spawn(&self, name: &str, actor: ActorId, role: Role, task: LocalBoxFuture<'static, ()>);
}

impl<S: LocalSpawn> Spawn for S {
    fn spawn(&self, _name: &str, _actor: ActorId, _role: Role, task: LocalBoxFuture<'static, ()>) {
        // The only error is that the pool was shut down, and then nothing runs any more.
        let _ = self.spawn_local_obj(task.into());
    }
}
