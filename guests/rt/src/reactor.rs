//! The one place where a guest blocks: in `wasi:io/poll`, on the pollables that a task waits for and no others.
//!
//! The reactor has no timer of its own and never wakes a task by itself. It also owns every pollable: a [`Watch`] is a
//! key into its table. In the host's table a pollable is a child of its stream, so it must go first. Therefore the
//! owner of a stream keeps the stream's watch in a field that is declared before the stream.

use std::{
    cell::RefCell,
    collections::BTreeMap,
    rc::Rc,
    task::{Context, Waker},
};

use wasip2::io::poll::{Pollable, poll};

use crate::{Error, Result};

/// The pollables of one guest, and the tasks that wait on them. Clones share one table.
#[derive(Clone, Default)]
pub struct Reactor(Rc<RefCell<Table>>);

#[derive(Default)]
struct Table {
    next_id: u32,
    entries: BTreeMap<u32, Entry>,
}

struct Entry {
    pollable: Pollable,
    /// The task to wake. `None` if no task waits: then the pollable is left out of the poll.
    waiter: Option<Waker>,
}

impl Reactor {
    /// Takes a pollable into the table. No task waits on it yet.
    pub fn watch(&self, pollable: Pollable) -> Watch {
        let table = &mut *self.0.borrow_mut();
        let id = table.next_id;
        table.next_id += 1;
        table.entries.insert(id, Entry { pollable, waiter: None });
        Watch { reactor: self.clone(), id }
    }

    /// Blocks until a pollable with a waiting task is ready, and wakes the tasks of all that are ready.
    ///
    /// # Errors
    ///
    /// [`Error::Deadlock`] if no task waits on anything. (The host would trap on the empty list.)
    pub fn block(&self) -> Result<()> {
        // The borrow of the table ends before any task is woken.
        let ready = self.0.borrow_mut().next_ready()?;
        ready.into_iter().for_each(Waker::wake);
        Ok(())
    }
}

impl Table {
    /// Blocks, and takes out the wakers of the ready pollables. If a woken task finds nothing, it has to wait again.
    fn next_ready(&mut self) -> Result<Vec<Waker>> {
        let mut waited: Vec<&mut Entry> =
            self.entries.values_mut().filter(|entry| entry.waiter.is_some()).collect();
        if waited.is_empty() {
            return Err(Error::Deadlock);
        }
        let ready = poll(&waited.iter().map(|entry| &entry.pollable).collect::<Vec<_>>());
        Ok(ready.into_iter().filter_map(|index| waited[index as usize].waiter.take()).collect())
    }
}

/// A pollable in the reactor's table. Dropping it drops the pollable.
pub struct Watch {
    reactor: Reactor,
    id: u32,
}

impl Watch {
    /// Asks for one wake-up of the task of `cx`, when the pollable is ready. A new wait has to ask again.
    pub fn wake_when_ready(&self, cx: &Context<'_>) {
        if let Some(entry) = self.reactor.0.borrow_mut().entries.get_mut(&self.id) {
            entry.waiter = Some(cx.waker().clone());
        }
    }

    /// Tells whether the pollable is ready now.
    pub fn is_ready(&self) -> bool {
        self.reactor.0.borrow().entries.get(&self.id).is_some_and(|entry| entry.pollable.ready())
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.reactor.0.borrow_mut().entries.remove(&self.id);
    }
}
