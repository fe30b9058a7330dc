//! Lets a scenario start cells and say what it expects of them.

use super::StdinScript;
use super::World;
use super::judge::{Expectation, Expected, Stream};
use crate::oracle::{Allowances, Oracle, Scope};
use capnp::capability::{Client, FromClientHook};
use futures::FutureExt;
use std::rc::Rc;
use wavetank::cell::{Cell, CellSpec, Limits, Transport};
use wavetank::peer::HostInfo;
use wavetank::stdio::Input;
use wavetank::{Role, Tank, TrapClass, caller};

/// The capability that a cell is served on its link.
pub struct Bootstrap(Make);

type Make = Box<dyn FnOnce(&Tank, &Cell) -> Client>;

impl Bootstrap {
    /// A capability that is made once its cell is known.
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
    /// Prepares a cell that only the scenario itself starts.
    pub fn cell<'w>(&'w self, name: &str, wasm: &'w [u8]) -> CellBuilder<'w> {
        CellBuilder {
            world: self,
            name: name.into(),
            wasm,
            args: vec![name.into()],
            env: Vec::new(),
            stdin: None,
            keeps_stdin: false,
            transport: None,
            limits: Limits::default(),
            capacity_bytes: self.capacity_bytes,
            leave: Allowances::default(),
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
    stdin: Option<StdinScript>,
    keeps_stdin: bool,
    transport: Option<Transport>,
    limits: Limits,
    capacity_bytes: usize,
    leave: Allowances,
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

    /// More variables of its environment.
    pub fn envs<N: Into<String>, V: Into<String>>(
        mut self,
        variables: impl IntoIterator<Item = (N, V)>,
    ) -> Self {
        self.env.extend(variables.into_iter().map(|(name, value)| (name.into(), value.into())));
        self
    }

    /// The bytes that it reads from stdin before the end, if stdin is not its transport. There are none by default. If
    /// no transport was set and its imports ask for no connection, setting a stdin means that stdin and stdout are its
    /// own.
    pub fn stdin(self, bytes: &[u8]) -> Self {
        self.stdin_script(StdinScript::new().write(bytes))
    }

    /// The same in parts, with pauses between them and an end, or none.
    pub fn stdin_script(mut self, script: StdinScript) -> Self {
        self.stdin = Some(script);
        self
    }

    /// The transport of its RPC. If none is set, its imports decide. The RPC runs over a connection if the component
    /// imports `wetware:streams/streams`. Otherwise it runs over stdin and stdout, as soon as the cell or its host
    /// speaks RPC there. A program without RPC then keeps its stdin and stdout. Under [`Transport::Stdio`], its output
    /// would be a broken link.
    ///
    /// Its children do not inherit it: the imports of each decide.
    pub fn transport(mut self, transport: Transport) -> Self {
        self.transport = Some(transport);
        self
    }

    /// Its resource limits. Its children inherit them.
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Capacity of each of its pipes in bytes, at least 1. Its children inherit it.
    pub fn capacity_bytes(mut self, bytes: usize) -> Self {
        self.capacity_bytes = bytes.max(1);
        self
    }

    /// Leaves its stdin open after the given bytes, so that the scenario can write to it and end it; see
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

    /// Says that it paces itself by the clock. If a timer makes it write to its link, again and again, that is no
    /// livelock. Its children inherit it.
    pub fn keeps_time(mut self) -> Self {
        self.leave.keeps_time = true;
        self
    }

    /// Allows it to exit with 0 although its link or its last call failed. Its children inherit it.
    pub fn may_fail(mut self) -> Self {
        self.leave.may_fail = true;
        self
    }

    /// Allows its children to fail: to exit with another code than 0, or to panic, like one whose output is closed
    /// early. The cell may still exit with 0, like a supervisor that restarts its children. A child that breaks a rule
    /// of WASI traps as usual. Its children inherit it.
    pub fn children_may_fail(mut self) -> Self {
        self.leave.children_may_fail = true;
        self
    }

    /// Allows it to close the stdout or stderr of a child before the child has ended. The child may fail then: it may
    /// exit with another code than 0, or panic, because it can no longer write. All other children are judged as usual.
    /// Its children inherit it.
    pub fn may_close_early(mut self) -> Self {
        self.leave.may_close_early = true;
        self
    }

    /// Allows it to exit with 0 and leave children that nobody waited for or killed. Its children inherit it.
    pub fn may_leave_children(mut self) -> Self {
        self.leave.may_leave_children = true;
        self
    }

    /// Switches an oracle off for it and its children, with a reason that reports print. All other oracles stay on, and
    /// so does this one for other cells.
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

    /// Brings it to life. It runs once the simulator starts it.
    ///
    /// # Panics
    /// If the bytes are not a component that this host can start.
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
        let writes_stdin = self.stdin.is_some() || self.keeps_stdin;
        // A cell that may still speak RPC over its stdio gets the end of its stdin only when it is known that it does
        // not.
        let stdin_is_known = self.transport.is_some() || cell.transport() == Transport::Connection;
        let stdin = stdio.stdin.take().filter(|_| stdin_is_known || writes_stdin);
        if let Some(stdin) = stdin.filter(|_| stdio.claim()) {
            let script = self.stdin.unwrap_or_else(|| StdinScript::new().write(b""));
            if self.keeps_stdin {
                kept = Some(stdin.clone());
            }
            if script.stays_open() {
                stdio.stdin = Some(stdin.clone());
            }
            world.tank.spawn_as(
                &format!("stdin of {name}"),
                world.host,
                Role::StdioOf(cell.id()),
                script.play(stdin, world.io()).boxed_local(),
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

    /// Its stdin, if it was [kept open](CellBuilder::keep_stdin) and is not its transport. It ends when this is closed,
    /// or when all holders have dropped it.
    pub fn stdin(&mut self) -> Option<Rc<Input>> {
        self.stdin.take()
    }

    /// The capability that its guest exports, as a client that may be called at once: calls wait until the guest has
    /// answered. Under damage a call may be cancelled: then it ends in an exception.
    pub fn exported<C: FromClientHook>(&self) -> C {
        let link = self.cell.link().expect("a started cell has its link");
        let exported: Client = capnp_rpc::new_future_client(async move { link.bootstrap().await });
        caller(&self.world.shared, exported).cast_to()
    }

    /// Expects RPC: at least one call over its link must be answered, in either direction. A request for its bootstrap
    /// capability does not count as a call.
    pub fn expect_rpc(&self) -> &Self {
        self.expect(Expected::Rpc)
    }

    /// Expects that it ends with this code.
    pub fn expect_exit(&self, code: i32) -> &Self {
        self.expect(Expected::Code(code))
    }

    /// Expects that it ends in a trap of this class.
    pub fn expect_trap(&self, class: TrapClass) -> &Self {
        self.expect(Expected::Trap(class))
    }

    /// Expects that its stdout contains this text.
    pub fn expect_stdout(&self, text: &str) -> &Self {
        self.expect(Expected::Output(Stream::Stdout, text.into()))
    }

    /// Expects that its stderr contains this text.
    pub fn expect_stderr(&self, text: &str) -> &Self {
        self.expect(Expected::Output(Stream::Stderr, text.into()))
    }

    fn expect(&self, what: Expected) -> &Self {
        self.world.expectations.borrow_mut().push(Expectation { cell: self.cell.clone(), what });
        self
    }
}
