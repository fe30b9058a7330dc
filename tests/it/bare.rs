//! The tank without the simulator: a `LocalPool` polls, pipes flow freely, and the tests move only the clock.

use capnp::capability::Client;
use futures::FutureExt;
use futures::future::RemoteHandle;
use futures::task::LocalSpawnExt;
use futures_executor::LocalPool;
use std::rc::Rc;
use wavetank::cell::Stdio;
use wavetank::cell::{Cell, CellSpec, Limits, Transport};
use wavetank::peer::HostInfo;
use wavetank::stdio::Output;
use wavetank::{ActorId, Blocked, Error, Event, Flow, Tank, TankConfig};
use wavetank_lab::guests;
use wavetank_tests::engine;

/// One hour, in nanoseconds.
pub(crate) const HOUR_NS: u64 = 3_600_000_000_000;

/// A tank and the pool that polls it.
pub(crate) struct Bare {
    pool: LocalPool,
    pub(crate) tank: Tank,
    vat: ActorId,
}

impl Bare {
    pub(crate) fn new() -> Self {
        Self::of(100, true)
    }

    pub(crate) fn of(max_cells: usize, recording: bool) -> Self {
        let pool = LocalPool::new();
        let config = TankConfig {
            flow: Flow::Free,
            recording,
            entropy: Rc::new(|cell| Box::new(move |bytes: &mut [u8]| bytes.fill(cell.0 as u8))),
            max_cells,
        };
        let tank = Tank::new(engine(), Rc::new(pool.spawner()), config);
        let vat = tank.vat("host");
        Bare { pool, tank, vat }
    }

    pub(crate) fn spec(&self, name: &str, wasm: &[u8]) -> CellSpec {
        CellSpec {
            guest: self.tank.engine().guest(wasm).expect("a guest of this repository"),
            name: name.into(),
            args: vec![name.into()],
            env: Vec::new(),
            transport: Some(Transport::Connection),
            limits: Limits::default(),
            capacity_bytes: 64 * 1024,
            detached: false,
            vat: self.vat,
        }
    }

    /// Starts a cell with an `Executor` as its bootstrap capability.
    pub(crate) fn start(&self, spec: CellSpec) -> (Cell, Stdio) {
        let tank = self.tank.clone();
        self.tank.start(spec, None, |cell| wavetank::peer::executor(&tank, cell)).expect("room for a cell")
    }

    /// Starts a cell with a `Host` as its bootstrap capability.
    pub(crate) fn start_on_host(&self, spec: CellSpec) -> (Cell, Stdio) {
        self.tank.start(spec, None, |cell| host(&self.tank, cell)).expect("room for a cell")
    }

    /// Polls until no task can go on.
    pub(crate) fn rest(&mut self) {
        self.pool.run_until_stalled();
    }

    /// Starts a future and polls until no task can go on. Dropping the handle cancels the future.
    pub(crate) fn begin<T: 'static>(&mut self, future: impl Future<Output = T> + 'static) -> RemoteHandle<T> {
        let handle = self.pool.spawner().spawn_local_with_handle(future).expect("the pool lives");
        self.rest();
        handle
    }

    /// Runs a future to its end.
    #[track_caller]
    pub(crate) fn run<T: 'static>(&mut self, future: impl Future<Output = T> + 'static) -> T {
        ended(self.begin(future)).expect("it ends before the pool stalls")
    }

    pub(crate) fn advance(&mut self, to_ns: u64) {
        self.tank.shared().advance(to_ns);
        self.rest();
    }

    pub(crate) fn events(&self) -> Vec<Event> {
        let mut events = Vec::new();
        self.tank.shared().drain_events(&mut events);
        events
    }

    /// Names of the cells that ended since the last call for events, in that order.
    pub(crate) fn ends(&self) -> Vec<String> {
        let name = |id| self.tank.cell(id).expect("a cell that was born").name().to_string();
        let ended = |event| match event {
            Event::CellEnded { cell, .. } => Some(name(cell)),
            _ => None,
        };
        self.events().into_iter().filter_map(ended).collect()
    }
}

/// The result of a future, if it has ended.
pub(crate) fn ended<T: 'static>(handle: RemoteHandle<T>) -> Option<T> {
    handle.now_or_never()
}

pub(crate) fn host(tank: &Tank, cell: &Cell) -> Client {
    let info = |name: &str, addrs: &[&str]| HostInfo {
        id: name.into(),
        addrs: addrs.iter().map(|addr| addr.to_string()).collect(),
    };
    let peers = vec![info("east", &["tank:east", "tcp:east:7"]), info("west", &[])];
    wavetank::peer::host(tank, cell, info("here", &["tank:here"]), peers)
}

pub(crate) fn code(cell: &Cell) -> Option<i32> {
    cell.exit().map(|exit| exit.code)
}

fn text(output: &Output) -> String {
    String::from_utf8(output.kept()).expect("guests write text")
}

fn pid0_boots(wasm: &[u8], said: Option<Transport>, over: Transport) {
    let mut bare = Bare::new();
    let (pid0, stdio) = bare.start_on_host(CellSpec { transport: said, ..bare.spec("pid0", wasm) });
    bare.rest();
    assert_eq!(code(&pid0), Some(0), "{}", text(&stdio.stderr));
    assert_eq!(pid0.transport(), over);
    assert_eq!(stdio.claim(), over == Transport::Connection, "a stdio that carries RPC is nobody else's");
    assert_eq!(bare.ends(), ["child-echo", "pid0"]);
    let codes: Vec<_> = bare.tank.cells().iter().map(code).collect();
    assert_eq!(codes, [Some(0), Some(0)]);
}

#[test]
fn pid0_boots_over_stdio() {
    for said in [None, Some(Transport::Stdio)] {
        pid0_boots(guests::PID0_STDIO, said, Transport::Stdio);
    }
}

#[test]
fn pid0_boots_over_a_connection() {
    for said in [None, Some(Transport::Connection)] {
        pid0_boots(guests::PID0, said, Transport::Connection);
    }
}

#[test]
fn an_hours_sleep_ends_when_the_clock_is_moved() {
    let mut bare = Bare::new();
    let mut spec = bare.spec("probe", guests::PROBE);
    spec.args.extend(["sleep".into(), HOUR_NS.to_string()]);
    let (probe, _stdio) = bare.start(spec);
    bare.rest();
    assert_eq!(code(&probe), None);
    assert_eq!(bare.tank.shared().next_timer_ns(), Some(HOUR_NS));
    assert_eq!(bare.tank.shared().blocked(probe.id()), [Blocked::Until(HOUR_NS)]);
    bare.advance(HOUR_NS - 1);
    assert_eq!(code(&probe), None, "a nanosecond is missing");
    bare.advance(HOUR_NS);
    assert_eq!(code(&probe), Some(0));
    assert_eq!(bare.tank.shared().now_ns(), HOUR_NS);
    assert_eq!(bare.tank.shared().next_timer_ns(), None);
}

#[test]
fn nobody_waits_for_the_time_of_a_killed_sleeper() {
    let mut bare = Bare::new();
    let mut spec = bare.spec("probe", guests::PROBE);
    spec.args.extend(["sleep".into(), HOUR_NS.to_string()]);
    let (probe, _stdio) = bare.start(spec);
    bare.rest();
    assert_eq!(bare.tank.shared().next_timer_ns(), Some(HOUR_NS));
    probe.kill();
    bare.rest();
    assert_eq!(code(&probe), Some(137));
    assert_eq!(bare.tank.shared().next_timer_ns(), None);
    assert_eq!(bare.tank.shared().blocked(probe.id()), []);
}

#[test]
fn a_sleep_past_the_end_of_time_never_ends() {
    let mut bare = Bare::new();
    bare.advance(7);
    let mut spec = bare.spec("probe", guests::PROBE);
    spec.args.extend(["sleep".into(), u64::MAX.to_string()]);
    let (probe, _stdio) = bare.start(spec);
    bare.rest();
    assert_eq!(bare.tank.shared().next_timer_ns(), None);
    bare.advance(u64::MAX);
    bare.rest();
    assert_eq!(code(&probe), None);
}

#[test]
fn the_clock_never_goes_back() {
    let mut bare = Bare::new();
    bare.advance(7);
    bare.advance(3);
    assert_eq!(bare.tank.shared().now_ns(), 7);
}

#[test]
fn a_stalled_pool_is_a_stalled_pool() {
    let mut bare = Bare::new();
    let (server, _stdio) = bare.start(bare.spec("server", guests::SERVER));
    bare.rest();
    let link = server.link().expect("a cell has its link");
    assert_eq!(code(&server), None);
    assert_eq!(bare.tank.shared().blocked(server.id()), [Blocked::Reading(link.down())]);
    server.kill();
    bare.rest();
    assert_eq!(code(&server), Some(137));
}

#[test]
fn a_wait_ends_without_a_code_when_the_host_goes() {
    let mut bare = Bare::new();
    let (server, _stdio) = bare.start(bare.spec("server", guests::SERVER));
    bare.rest();
    assert_eq!(server.wait().now_or_never(), None, "it lives");
    drop(bare);
    assert_eq!(server.wait().now_or_never(), Some(None));
}

#[test]
fn no_more_cells_live_at_once_than_the_tank_allows() {
    let mut bare = Bare::of(1, true);
    let (tiny, _stdio) = bare.start(bare.spec("tiny", guests::CHILD_TINY));
    let refused =
        bare.tank.start(bare.spec("second", guests::CHILD_TINY), None, |cell| host(&bare.tank, cell));
    assert!(matches!(refused, Err(Error::Limit { limit: 1, .. })));
    bare.rest();
    assert!(code(&tiny).is_some());
    bare.start(bare.spec("third", guests::CHILD_TINY));
}

#[test]
fn cells_of_one_name_are_told_apart() {
    let bare = Bare::new();
    let names: Vec<_> = (0..3).map(|_| bare.start(bare.spec("tiny", guests::CHILD_TINY)).0).collect();
    let names: Vec<&str> = names.iter().map(|cell| &**cell.name()).collect();
    assert_eq!(names, ["tiny", "tiny#2", "tiny#3"]);
}

#[test]
fn nothing_is_recorded_unasked() {
    let mut bare = Bare::of(1, false);
    let (tiny, _stdio) = bare.start(bare.spec("tiny", guests::CHILD_TINY));
    bare.rest();
    assert!(code(&tiny).is_some());
    assert_eq!(bare.events(), []);
}
