//! `wasi:clocks`, both virtual: an hour's sleep takes no time. But each look at a clock, except the first in a row,
//! takes [`LOOK_NS`](crate::LOOK_NS). So a guest that waits for a time by looking at a clock sees it come.

use super::bindings::wasi::clocks::{monotonic_clock, wall_clock};
use crate::clock::{Clock, Sleep};
use crate::event::HandleKind;
use crate::shared::{Asked, Blocked};
use crate::store::CellState;
use wasmtime::Result;
use wasmtime::component::Resource;
use wasmtime_wasi_io::async_trait;
use wasmtime_wasi_io::poll::{DynPollable, Pollable, subscribe};

/// The wall clock's reading at the start: 2000-01-01 00:00:00 UTC, in seconds.
const EPOCH_SECONDS: u64 = 946_684_800;

const NANOSECONDS: u64 = 1_000_000_000;

#[async_trait]
impl Pollable for Sleep {
    async fn ready(&mut self) {
        std::future::poll_fn(|cx| self.poll_due(cx)).await;
    }
}

impl CellState {
    fn until(&mut self, at_ns: u64) -> Result<Resource<DynPollable>> {
        let deadline = self.table.push(Clock::new(&self.shared).sleep_until(at_ns))?;
        let pollable = subscribe(&mut self.table, deadline)?;
        self.born(HandleKind::Pollable, pollable.rep(), Some(Blocked::Until(at_ns)));
        Ok(pollable)
    }
}

impl monotonic_clock::Host for CellState {
    async fn now(&mut self) -> Result<u64> {
        self.asked(Asked::TheTime).await;
        Ok(self.shared.seen_ns())
    }

    fn resolution(&mut self) -> Result<u64> {
        Ok(1)
    }

    fn subscribe_instant(&mut self, when: u64) -> Result<Resource<DynPollable>> {
        self.until(when)
    }

    fn subscribe_duration(&mut self, duration: u64) -> Result<Resource<DynPollable>> {
        let at_ns = self.shared.seen_ns().saturating_add(duration);
        self.until(at_ns)
    }
}

impl wall_clock::Host for CellState {
    async fn now(&mut self) -> Result<wall_clock::Datetime> {
        self.asked(Asked::TheTime).await;
        let now_ns = self.shared.seen_ns();
        Ok(wall_clock::Datetime {
            seconds: EPOCH_SECONDS + now_ns / NANOSECONDS,
            nanoseconds: (now_ns % NANOSECONDS) as u32,
        })
    }

    fn resolution(&mut self) -> Result<wall_clock::Datetime> {
        Ok(wall_clock::Datetime { seconds: 0, nanoseconds: 1 })
    }
}
