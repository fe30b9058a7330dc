//! The one place where a guest blocks: `wasi:io/poll`, on what somebody waits for and on nothing else.
//!
//! The reactor has no timer of its own and wakes nobody by itself. It also owns every pollable: a [`Watch`] is
//! a key into its table, and whoever holds a stream holds the stream's watch in a field declared before it, so
//! that the pollable, its child in the host's table, always goes first.

use std::{
    cell::RefCell,
    collections::BTreeMap,
    rc::Rc,
    task::{Context, Waker},
};

use wasip2::io::poll::{Pollable, poll};

use crate::{Error, Result};

/// The pollables of one guest and who waits on them. Clones share one table.
#[derive(Clone, Default)]
pub struct Reactor(Rc<RefCell<Table>>);

#[derive(Default)]
struct Table {
    next_id: u32,
    entries: BTreeMap<u32, Entry>,
}

struct Entry {
    pollable: Pollable,
    /// Whom to wake. `None` while nobody waits: the pollable is then left out of the poll.
    waiter: Option<Waker>,
}

impl Reactor {
    /// Takes a pollable into the table. Nobody waits on it yet.
    pub fn watch(&self, pollable: Pollable) -> Watch {
        let table = &mut *self.0.borrow_mut();
        let id = table.next_id;
        table.next_id += 1;
        table.entries.insert(id, Entry { pollable, waiter: None });
        Watch { reactor: self.clone(), id }
    }

    /// Blocks until something that is waited on is ready, and wakes those who wait on it.
    ///
    /// # Errors
    ///
    /// [`Error::Deadlock`] when nobody waits on anything. (The host would trap on the empty list.)
    pub fn block(&self) -> Result<()> {
        // The table is free again before anybody is woken.
        let ready = self.0.borrow_mut().next_ready()?;
        ready.into_iter().for_each(Waker::wake);
        Ok(())
    }
}

impl Table {
    /// Blocks, and takes out the wakers of what became ready. A woken task that still finds nothing waits anew.
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
    /// Asks for the task of `cx` to be woken when the pollable is ready. Once: a new wait asks anew.
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
