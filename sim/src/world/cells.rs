//! How a scenario starts cells, and says what must become of them.

use super::World;
use super::judge::{Expectation, Expected, Stream};
use crate::oracle::{Leave, Oracle, Scope};
use capnp::capability::{Client, FromClientHook};
use futures::FutureExt;
use std::rc::Rc;
use wavetank::cell::{Cell, CellSpec, Limits, Transport};
use wavetank::peer::HostInfo;
use wavetank::stdio::Input;
use wavetank::{Role, Tank, TrapClass, caller};

/// What a cell is served on its link.
pub struct Bootstrap(Make);

type Make = Box<dyn FnOnce(&Tank, &Cell) -> Client>;

impl Bootstrap {
    /// A capability that is made when the cell it is for is known.
    pub fn new(make: impl FnOnce(&Tank, &Cell) -> Client + 'static) -> Self {
        Bootstrap(Box::new(make))
    }
}

impl From<Client> for Bootstrap {
    fn from(client: Client) -> Self {
        Bootstrap::new(|_, _| client)
    }
}

/// The capabilities of `capnp/peer.capnp`, to be served.
pub mod peer {
    use super::{Bootstrap, HostInfo, World};

    /// A `Host` that knows no others.
    pub fn host(world: &World) -> Bootstrap {
        hosts(world, Vec::new())
    }

    /// A `Host` in a world with others.
    pub fn hosts(_: &World, peers: Vec<HostInfo>) -> Bootstrap {
        let me = HostInfo { id: "host".into(), addrs: vec!["tank:host".into()] };
        Bootstrap::new(move |tank, cell| wavetank::peer::host(tank, cell, me, peers))
    }

    /// An `Executor` whose children are the cell's own.
    pub fn executor(_: &World) -> Bootstrap {
        Bootstrap::new(wavetank::peer::executor)
    }
}

impl World {
    /// Prepares a cell that nobody starts but the scenario itself.
    pub fn cell<'w>(&'w self, name: &str, wasm: &'w [u8]) -> CellBuilder<'w> {
        CellBuilder {
            world: self,
            name: name.into(),
            wasm,
            args: vec![name.into()],
            env: Vec::new(),
            stdin: Vec::new(),
            keeps_stdin: false,
            transport: None,
            limits: Limits::default(),
            capacity_bytes: self.capacity_bytes,
            leave: Leave::default(),
            bootstrap: None,
        }
    }
}

/// A cell that is about to be started.
#[must_use = "nothing starts before `spawn`"]
pub struct CellBuilder<'w> {
    world: &'w World,
    name: String,
    wasm: &'w [u8],
    args: Vec<String>,
    env: Vec<(String, String)>,
    stdin: Vec<u8>,
    keeps_stdin: bool,
    transport: Option<Transport>,
    limits: Limits,
    capacity_bytes: usize,
    leave: Leave,
    bootstrap: Option<Bootstrap>,
}

impl<'w> CellBuilder<'w> {
    /// Its arguments after the first, which is its name.
    pub fn args<I: IntoIterator<Item: Into<String>>>(mut self, args: I) -> Self {
        self.args.extend(args.into_iter().map(Into::into));
        self
    }

    /// One more variable of its environment.
    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.env.push((name.into(), value.into()));
        self
    }

    /// What it reads from stdin before the end, where stdin is not its transport. Nothing by default. If nothing is
    /// said of its transport, and its imports ask for no connection, a stdin that is given says that stdin and stdout
    /// are its own.
    pub fn stdin(mut self, bytes: &[u8]) -> Self {
        self.stdin = bytes.into();
        self
    }

    /// Where its RPC runs. If nothing is said its imports decide: over a connection if its component imports
    /// `wetware:streams/streams`, else over its stdin and stdout, as soon as it or its host speaks RPC there. A
    /// program without RPC keeps its stdin and stdout then; under [`Transport::Stdio`] what it prints is a broken
    /// link.
    ///
    /// Its children do not inherit it: the imports of each decide.
    pub fn transport(mut self, transport: Transport) -> Self {
        self.transport = Some(transport);
        self
    }

    /// How much it may use. Its children inherit it.
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Capacity of each of its pipes in bytes, at least 1. Its children inherit it.
    pub fn capacity_bytes(mut self, bytes: usize) -> Self {
        self.capacity_bytes = bytes.max(1);
        self
    }

    /// Leaves its stdin open after what it was given, for the scenario to write and to end; see
    /// [`CellHandle::stdin`].
    ///
    /// ```
    /// use wavetank_sim::{Transport, World, check, guests, peer};
    ///
    /// check("talks", |world: &mut World| {
    ///     let copy = world.cell("copy", guests::CHILD_COPY).transport(Transport::Connection);
    ///     let mut copy = copy.keep_stdin().serve(peer::executor(world)).spawn();
    ///     copy.expect_exit(0).expect_stdout("hello");
    ///     let stdin = copy.stdin().expect("it is no transport");
    ///     world.task("talker", async move {
    ///         stdin.write(b"hello".to_vec().into()).await.expect("it reads");
    ///         stdin.close();
    ///     });
    /// })
    /// .seeds(0..20)
    /// .run();
    /// ```
    pub fn keep_stdin(mut self) -> Self {
        self.keeps_stdin = true;
        self
    }

    /// Says that it paces itself by the clock: that a timer makes it write to its link, again and again, is no
    /// livelock. Its children inherit it.
    pub fn keeps_time(mut self) -> Self {
        self.leave.keeps_time = true;
        self
    }

    /// Says that it may exit with 0 though its link failed or its last call did. Its children inherit it.
    pub fn may_fail(mut self) -> Self {
        self.leave.may_fail = true;
        self
    }

    /// Says that its children may fail: exit with another code than 0, or panic, as one whose output is closed early.
    /// It may exit with 0 all the same, as a supervisor that starts them anew. A child that breaks a rule of WASI traps
    /// as ever. Its children inherit it.
    pub fn children_may_fail(mut self) -> Self {
        self.leave.children_may_fail = true;
        self
    }

    /// Says that it may exit with 0 and leave children that nobody waited for or killed. Its children inherit it.
    pub fn may_leave_children(mut self) -> Self {
        self.leave.may_leave_children = true;
        self
    }

    /// Switches an oracle off for it and its children, and says why: reports print the reason. All other oracles go on,
    /// and so does this one for other cells.
    ///
    /// ```
    /// use wavetank_sim::oracle::Oracle;
    /// use wavetank_sim::{World, check, guests, peer};
    ///
    /// let run = check("boots", |world: &mut World| {
    ///     let pid0 = world.cell("pid0", guests::PID0).without(Oracle::Resources, "std keeps its handles");
    ///     pid0.serve(peer::host(world)).spawn().expect_exit(0);
    /// })
    /// .run_seed(1);
    /// assert_eq!(run.not_judged()[0].to_string(), "resources of pid0 (std keeps its handles)");
    /// ```
    ///
    /// # Panics
    /// If the oracle judges no single cell: [`World::without`] switches it off.
    #[track_caller]
    pub fn without(mut self, oracle: Oracle, reason: &str) -> Self {
        assert!(
            oracle.scope() == Scope::Cell,
            "the oracle {oracle} judges a whole world: switch it off with World::without or Check::without"
        );
        self.leave.without.insert(oracle, reason.into());
        self
    }

    /// The capability at the other end of its link.
    pub fn serve(mut self, bootstrap: impl Into<Bootstrap>) -> Self {
        self.bootstrap = Some(bootstrap.into());
        self
    }

    /// Brings it to life. It runs once the wave maker starts it.
    ///
    /// # Panics
    /// Where the bytes are no component that this host can start.
    #[track_caller]
    pub fn spawn(self) -> CellHandle<'w> {
        let world = self.world;
        let name = self.name.clone();
        let guest = match world.tank.engine().guest(self.wasm) {
            Ok(guest) => guest,
            Err(error) => panic!("guest {name}: {error}"),
        };
        let spec = CellSpec {
            guest,
            name: self.name,
            args: self.args,
            env: self.env,
            transport: self.transport,
            limits: self.limits,
            capacity_bytes: self.capacity_bytes,
            detached: false,
            vat: world.host,
        };
        let bootstrap = self.bootstrap;
        let tank = world.tank.clone();
        let serve = move |cell: &Cell| match bootstrap {
            Some(Bootstrap(make)) => make(&tank, cell),
            None => capnp_rpc::new_broken_cap(capnp::Error::failed("nothing is served on this link".into())),
        };
        let (cell, mut stdio) = match world.tank.start(spec, None, serve) {
            Ok(started) => started,
            Err(error) => panic!("guest {name}: {error}"),
        };
        let mut kept = None;
        let writes_stdin = !self.stdin.is_empty() || self.keeps_stdin;
        // A cell that may still speak RPC over its stdio gets its stdin's end when it is known that it does not.
        let stdin_is_known = self.transport.is_some() || cell.transport() == Transport::Connection;
        let stdin = stdio.stdin.take().filter(|_| stdin_is_known || writes_stdin);
        if let Some(stdin) = stdin.filter(|_| stdio.claim()) {
            let bytes = self.stdin;
            if self.keeps_stdin {
                kept = Some(stdin.clone());
            }
            world.tank.spawn_as(
                &format!("stdin of {name}"),
                world.host,
                Role::StdioOf(cell.id()),
                async move {
                    // A cell need not read what it is given.
                    let _ = stdin.write(bytes.into()).await;
                }
                .boxed_local(),
            );
        }
        world.leave.borrow_mut().insert(cell.id(), self.leave);
        world.roots.borrow_mut().push((cell.clone(), stdio));
        CellHandle { world, cell, stdin: kept }
    }
}

/// A started cell.
pub struct CellHandle<'w> {
    world: &'w World,
    cell: Cell,
    stdin: Option<Rc<Input>>,
}

impl CellHandle<'_> {
    /// The cell itself.
    pub fn cell(&self) -> &Cell {
        &self.cell
    }

    /// Its stdin, where it was [kept open](CellBuilder::keep_stdin) and is not its transport. It ends when this
    /// is closed, or dropped by all who hold it.
    pub fn stdin(&mut self) -> Option<Rc<Input>> {
        self.stdin.take()
    }

    /// The capability that its guest exports, as a client that may be called at once: calls wait until the
    /// guest has answered. Under damage a call may be cancelled: then it ends in an exception.
    pub fn exported<C: FromClientHook>(&self) -> C {
        let link = self.cell.link().expect("a started cell has its link");
        let exported: Client = capnp_rpc::new_future_client(async move { link.bootstrap().await });
        caller(&self.world.fabric, exported).cast_to()
    }

    /// Says that RPC must have taken place: at least one call over its link was answered, in either direction. That
    /// its bootstrap capability was asked for is no call.
    pub fn expect_rpc(&self) -> &Self {
        self.expect(Expected::Rpc)
    }

    /// Says that it must end with this code.
    pub fn expect_exit(&self, code: i32) -> &Self {
        self.expect(Expected::Code(code))
    }

    /// Says that it must trap so.
    pub fn expect_trap(&self, class: TrapClass) -> &Self {
        self.expect(Expected::Trap(class))
    }

    /// Says that its stdout must hold this text.
    pub fn expect_stdout(&self, text: &str) -> &Self {
        self.expect(Expected::Output(Stream::Stdout, text.into()))
    }

    /// Says that its stderr must hold this text.
    pub fn expect_stderr(&self, text: &str) -> &Self {
        self.expect(Expected::Output(Stream::Stderr, text.into()))
    }

    fn expect(&self, what: Expected) -> &Self {
        self.world.expectations.borrow_mut().push(Expectation { cell: self.cell.clone(), what });
        self
    }
}
