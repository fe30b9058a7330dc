//! Spawning of tasks: the only thing that the tank needs from a runtime.

use crate::ids::{ActorId, LinkId};
use crate::shared::SharedState;
use futures::future::LocalBoxFuture;
use futures::task::LocalSpawn;
use std::rc::Rc;

/// The purpose of a task, and the actor or link that it serves. Decisions use this; a task's name is for people.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Role {
    /// Runs a cell.
    Cell(ActorId),
    /// Serves the host's end of a link; the actor is at the far end.
    LinkOf(ActorId),
    /// Moves the bytes of a cell's stdin, stdout or stderr.
    StdioOf(ActorId),
    /// Serves one end of this link between two vats. Such a link does not end by itself.
    BetweenVats(LinkId),
    /// Anything else.
    Other,
}

/// A runtime for tasks on one thread.
///
/// Implemented for everything that implements [`LocalSpawn`], such as `futures_executor::LocalSpawner`, which polls
/// tasks in the order in which they are woken.
pub trait Spawn {
    /// Takes a task, to be polled on this thread until it is done.
    ///
    /// Tasks of one actor must run first in, first out among themselves, because capnp-rpc's order of calls depends on
    /// it (capnproto-rust#528).
    fn spawn(&self, name: &str, actor: ActorId, role: Role, task: LocalBoxFuture<'static, ()>);
}

impl<S: LocalSpawn> Spawn for S {
    fn spawn(&self, _name: &str, _actor: ActorId, _role: Role, task: LocalBoxFuture<'static, ()>) {
        // It fails only if the pool was shut down, and then nothing runs any more.
        let _ = self.spawn_local_obj(task.into());
    }
}

/// The shared state of a tank and the runtime that its tasks go to. Clones are the same.
#[derive(Clone)]
pub(crate) struct Runtime {
    pub(crate) shared: SharedState,
    pub(crate) spawner: Rc<dyn Spawn>,
}
