//! The only place where a guest blocks: in `wasi:io/poll`, on exactly those pollables that a task waits for.
//!
//! The reactor has no timer of its own and never wakes a task by itself. It owns every pollable; a [`Watch`] is a key
//! into its table.
//!
//! To the host, a pollable is a child of its stream and must be dropped first. So the owner of a stream declares the
//! stream's watch before the stream itself.

use std::{
    cell::RefCell,
    collections::BTreeMap,
    rc::Rc,
    task::{Context, Waker},
};

use wasip2::io::poll::{Pollable, poll};

use crate::{Error, Result};

/// The pollables of one guest, and the tasks that wait for them. Clones share one table.
#[derive(Clone, Default)]
pub struct Reactor(Rc<RefCell<Table>>);

#[derive(Default)]
struct Table {
    next_id: u32,
    entries: BTreeMap<u32, Entry>,
}

struct Entry {
    pollable: Pollable,
    /// The task to wake. If it is `None`, no task waits, and the pollable is left out of the poll.
    waiter: Option<Waker>,
}

impl Reactor {
    /// Puts a pollable into the table. No task waits for it yet.
    pub fn watch(&self, pollable: Pollable) -> Watch {
        let table = &mut *self.0.borrow_mut();
        let id = table.next_id;
        table.next_id += 1;
        table.entries.insert(id, Entry { pollable, waiter: None });
        Watch { reactor: self.clone(), id }
    }

    /// Blocks until a pollable with a waiting task is ready. Wakes the tasks of all pollables that are ready.
    ///
    /// # Errors
    ///
    /// [`Error::Deadlock`] if no task waits for anything. The host would trap on the empty list.
    pub fn block(&self) -> Result<()> {
        // The borrow of the table must end before a task is woken.
        let ready = self.0.borrow_mut().next_ready()?;
        ready.into_iter().for_each(Waker::wake);
        Ok(())
    }
}

impl Table {
    /// Blocks, and removes the wakers of the ready pollables. A woken task that finds nothing must ask again.
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
    /// Asks that the task of `cx` be woken once, when the pollable is ready. A new wait must ask again.
    pub fn wake_when_ready(&self, cx: &Context<'_>) {
        if let Some(entry) = self.reactor.0.borrow_mut().entries.get_mut(&self.id) {
            entry.waiter = Some(cx.waker().clone());
        }
    }

    /// Returns whether the pollable is ready now.
    pub fn is_ready(&self) -> bool {
        self.reactor.0.borrow().entries.get(&self.id).is_some_and(|entry| entry.pollable.ready())
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.reactor.0.borrow_mut().entries.remove(&self.id);
    }
}
