//! `wasi:clocks`, both virtual: an hour's sleep takes no time.

use super::bindings::wasi::clocks::{monotonic_clock, wall_clock};
use crate::cell::CellState;
use crate::event::HandleKind;
use crate::fabric::{Blocked, Fabric};
use wasmtime::Result;
use wasmtime::component::Resource;
use wasmtime_wasi_io::async_trait;
use wasmtime_wasi_io::poll::{DynPollable, Pollable, subscribe};

/// The wall clock's reading at the start: 2000-01-01 00:00:00 UTC, in seconds.
const EPOCH_SECONDS: u64 = 946_684_800;

const NANOSECONDS: u64 = 1_000_000_000;

/// A time that somebody waits for.
struct Deadline {
    fabric: Fabric,
    at_ns: u64,
    timer: u32,
}

#[async_trait]
impl Pollable for Deadline {
    async fn ready(&mut self) {
        std::future::poll_fn(|cx| self.fabric.poll_timer(self.at_ns, self.timer, cx)).await;
    }
}

impl Drop for Deadline {
    fn drop(&mut self) {
        self.fabric.drop_timer(self.at_ns, self.timer);
    }
}

impl CellState {
    fn until(&mut self, at_ns: u64) -> Result<Resource<DynPollable>> {
        let timer = self.fabric.new_timer();
        let deadline = Deadline { fabric: self.fabric.clone(), at_ns, timer };
        let deadline = self.table.push(deadline)?;
        let pollable = subscribe(&mut self.table, deadline)?;
        self.born(HandleKind::Pollable, pollable.rep(), Some(Blocked::Until(at_ns)));
        Ok(pollable)
    }
}

impl monotonic_clock::Host for CellState {
    fn now(&mut self) -> Result<u64> {
        self.fabric.count_call(self.cell, false);
        Ok(self.fabric.now_ns())
    }

    fn resolution(&mut self) -> Result<u64> {
        Ok(1)
    }

    fn subscribe_instant(&mut self, when: u64) -> Result<Resource<DynPollable>> {
        self.until(when)
    }

    fn subscribe_duration(&mut self, duration: u64) -> Result<Resource<DynPollable>> {
        let at_ns = self.fabric.now_ns().saturating_add(duration);
        self.until(at_ns)
    }
}

impl wall_clock::Host for CellState {
    fn now(&mut self) -> Result<wall_clock::Datetime> {
        let now_ns = self.fabric.now_ns();
        Ok(wall_clock::Datetime {
            seconds: EPOCH_SECONDS + now_ns / NANOSECONDS,
            nanoseconds: (now_ns % NANOSECONDS) as u32,
        })
    }

    fn resolution(&mut self) -> Result<wall_clock::Datetime> {
        Ok(wall_clock::Datetime { seconds: 0, nanoseconds: 1 })
    }
}
