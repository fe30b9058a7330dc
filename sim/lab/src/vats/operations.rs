//! The operations that are possible now, and how to do one.
//!
//! The number of an operation gives its kind and, by a slot within the kind, the vat and the reference. The live
//! candidates are counted off in the order of vats and ids. So small numbers mean the same simple operations in every
//! state, and the size of the menu never changes while the script lasts.

use super::graph::Target;
use super::work::{Ask, HalfBroken};
use super::{MAX_REFERENCES, Pair, Reference, Shared, Stage};
use capnp::private::capability::ClientHook;
use std::fmt;
use wavetank::End;
use wavetank::link::Link;
use wavetank::schema::vats_capnp::node;
use wavetank_sim::world::{Script, World};

/// A kind of operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// A call that is answered at once.
    Call,
    /// A call that asks for a capability.
    Give,
    /// A call that passes a capability, which the receiver keeps.
    Take,
    /// A call that passes a capability and gets it back.
    Swap,
    /// A reference is dropped.
    Drop,
    /// A reference is held twice.
    Copy,
    /// A vat makes a promise.
    Promise,
    /// A call that asks for a promise.
    Later,
    /// A promise becomes a capability.
    Fulfil,
    /// A promise breaks.
    Break,
    /// A call that throws.
    Throw,
    /// A call that waits until a later operation lets it go.
    Hold,
    /// A call whose result is visible before its answer.
    Early,
    /// A waiting call is let go.
    LetGo,
    /// A piece of a stream.
    Push,
    /// A call's promise is dropped.
    Cancel,
    /// A connection is asked for its bootstrap capability once more.
    Bootstrap,
    /// A connection is ended in order; the next connection of the pair takes its place.
    Disconnect,
    /// A connection that was ended is asked for its bootstrap capability.
    Late,
    /// A vat waits until a promise is resolved.
    Watch,
    /// A tail call.
    Tail,
    /// A result that is set twice.
    Rewrite,
    /// A call on an unresolved promise that passes this promise itself.
    Itself,
    /// Not an operation: vats also call their own objects, and look after a call only at their next turn.
    AtHome,
    /// Not an operation: the pipeline of a call is dropped as soon as the capability is taken from it. The promised
    /// capability then never resolves, and calls on it go the long way.
    LongWay,
    /// Not an operation: capabilities are also passed in calls on a client that one connection promised and that has
    /// turned out to be elsewhere.
    Redirected,
    /// A connection breaks at one end in one direction; the rest of it breaks after some time.
    HalfBreak,
    /// The RPC system of a vat on a connection is dropped without a message to the other side.
    Abandon,
    /// Not an operation: new objects hold a reference. When they end, they call it or just drop it.
    LastWill,
}

impl Kind {
    /// All kinds.
    pub const ALL: [Kind; 29] = [
        Kind::Call,
        Kind::Give,
        Kind::Take,
        Kind::Swap,
        Kind::Drop,
        Kind::Copy,
        Kind::Promise,
        Kind::Later,
        Kind::Fulfil,
        Kind::Break,
        Kind::Throw,
        Kind::Hold,
        Kind::Early,
        Kind::LetGo,
        Kind::Push,
        Kind::Cancel,
        Kind::Bootstrap,
        Kind::Disconnect,
        Kind::Late,
        Kind::Watch,
        Kind::Tail,
        Kind::Rewrite,
        Kind::Itself,
        Kind::AtHome,
        Kind::LongWay,
        Kind::Redirected,
        Kind::HalfBreak,
        Kind::Abandon,
        Kind::LastWill,
    ];

    /// Ends without a message, and ends that act. They occur only in worlds that ask for them.
    pub const ENDS: [Kind; 3] = [Kind::HalfBreak, Kind::Abandon, Kind::LastWill];

    /// The operations of every capability system, and no more.
    pub const PLAIN: [Kind; 6] = [Kind::Call, Kind::Give, Kind::Take, Kind::Swap, Kind::Drop, Kind::Copy];
}

/// Kinds that occur together in a world. The number says that one world in so many has them.
const FEATURES: [(&[Kind], u32); 15] = [
    (&[Kind::Promise, Kind::Later, Kind::Fulfil], 2),
    (&[Kind::Push], 3),
    (&[Kind::Hold, Kind::Early, Kind::LetGo], 3),
    (&[Kind::Throw, Kind::Break], 4),
    (&[Kind::Bootstrap], 4),
    (&[Kind::Cancel], 6),
    (&[Kind::Disconnect], 6),
    (&[Kind::Late], 6),
    (&[Kind::Watch], 12),
    (&[Kind::Tail], 64),
    (&[Kind::Rewrite], 64),
    (&[Kind::Itself], 64),
    (&[Kind::AtHome], 16),
    (&[Kind::LongWay], 4),
    (&[Kind::Redirected], 32),
];

/// Draws the kinds of operation of a world: the simplest world has only the plain ones.
pub(super) fn draw(world: &World, ends: bool) -> Vec<Kind> {
    let mut kinds = Kind::PLAIN.to_vec();
    for (feature, one_in) in FEATURES {
        if world.draw(one_in) == 1 {
            kinds.extend(feature);
        }
    }
    for kind in Kind::ENDS.into_iter().filter(|_| ends) {
        if world.draw(2) == 1 {
            kinds.push(kind);
        }
    }
    kinds
}

/// Number of slots within a kind in an operation number.
const SLOTS: u32 = 1024;

/// One operation.
enum Operation {
    Ask(usize, u32, Ask),
    Drop(usize, u32),
    Copy(usize, u32),
    Promise(usize),
    Resolve(usize, Option<(usize, u32)>),
    LetGo(usize),
    Cancel(usize),
    Bootstrap { pair: usize, side: usize, late: bool },
    Disconnect { pair: usize, side: usize },
    HalfBreak { pair: usize, how: HalfBroken },
    Abandon { pair: usize, side: usize },
    Watch(usize, u32),
}

/// The script.
pub(super) struct Operations {
    shared: Shared,
    left: u32,
}

impl Operations {
    pub(super) fn new(shared: Shared, left: u32) -> Self {
        Operations { shared, left }
    }
}

impl Drop for Operations {
    /// The world is taken down.
    fn drop(&mut self) {
        self.shared.borrow_mut().stage = Stage::Over;
    }
}

impl Script for Operations {
    fn offers(&self) -> u32 {
        // If a vat asks for a bootstrap capability, it has it after a turn or two.
        let state = self.shared.borrow();
        if self.left == 0 || state.asking > 0 { 0 } else { 1 + state.kinds.len() as u32 * SLOTS }
    }

    fn act(&mut self, operation: u32) {
        self.left -= 1;
        if let Some(number) = operation.checked_sub(1) {
            let first = (number / SLOTS) as usize;
            let kinds = self.shared.borrow().kinds.clone();
            // If no vat can do this kind now, the next kind takes its place.
            for at in 0..kinds.len() {
                let kind = kinds[(first + at) % kinds.len()];
                let candidates = self.shared.candidates(kind);
                if !candidates.is_empty() {
                    let chosen = &candidates[(number % SLOTS) as usize % candidates.len()];
                    self.shared.carry_out(kind, chosen);
                    break;
                }
            }
        } else {
            self.left = 0;
        }
        if self.left == 0 {
            self.shared.close();
        }
    }
}

impl Shared {
    /// Every operation of a kind that is lawful now.
    fn candidates(&self, kind: Kind) -> Vec<Operation> {
        let state = self.borrow();
        let all_held = || {
            let of_vat = |(vat, state): (usize, &super::Vat)| -> Vec<(usize, u32)> {
                state.references.keys().map(|id| (vat, *id)).collect()
            };
            state.vats.iter().enumerate().flat_map(of_vat)
        };
        // A call on an object at home crosses no connection.
        let held = || {
            let away = |(vat, id): &(usize, u32)| {
                let of = &state.vats[*vat];
                state.kinds.contains(&Kind::AtHome) || state.graph.target(of.references[id].line) != of.root.0
            };
            // Unresolved promises weigh more, because most can go wrong there.
            let weight = |(vat, id): &(usize, u32)| {
                let target = state.graph.target(state.vats[*vat].references[id].line);
                if matches!(state.graph.end(target), Target::Node(_) | Target::Broken) { 1 } else { 4 }
            };
            all_held().filter(away).flat_map(move |held| std::iter::repeat_n(held, weight(&held)))
        };
        let asks =
            |ask: &dyn Fn(u32) -> Ask| held().map(|(vat, id)| Operation::Ask(vat, id, ask(id))).collect();
        let pairs = |itself: bool, ask: &dyn Fn(u32) -> Ask| -> Vec<Operation> {
            let with = |(vat, id): (usize, u32)| {
                let others: Vec<u32> = state.vats[vat].references.keys().copied().collect();
                others.into_iter().map(move |other| (vat, id, other))
            };
            let end = |vat: usize, id: u32| {
                let line = state.vats[vat].references[&id].line;
                state.graph.end(state.graph.target(line))
            };
            let is_itself = |(vat, id, other): &(usize, u32, u32)| {
                let end = [end(*vat, *id), end(*vat, *other)];
                matches!(end[0], Target::Promise(_) | Target::Answer(_)) && end[0] == end[1]
            };
            held()
                .filter(|(vat, id)| {
                    let client = &state.vats[*vat].references[id].client;
                    state.kinds.contains(&Kind::Redirected) || !is_redirected(&*client.client.hook)
                })
                .flat_map(with)
                .filter(|pair| is_itself(pair) == itself)
                .map(|(vat, id, other)| Operation::Ask(vat, id, ask(other)))
                .collect()
        };
        let room = |vat: usize| state.vats[vat].references.len() < MAX_REFERENCES;
        let roomy = all_held().filter(|(vat, _)| room(*vat));
        match kind {
            Kind::Call => asks(&|_| Ask::Call),
            Kind::Throw => asks(&|_| Ask::Throw),
            Kind::Hold => asks(&|_| Ask::Hold),
            Kind::Early => asks(&|_| Ask::Early),
            Kind::Give => {
                let whats = [node::What::Own, node::What::Held, node::What::Fresh];
                held()
                    .flat_map(|(vat, id)| whats.map(|what| Operation::Ask(vat, id, Ask::Give(what))))
                    .collect()
            }
            Kind::Later => asks(&|_| Ask::Give(node::What::Promise)),
            Kind::Push => {
                let pushes = [(false, 100), (true, 100), (false, 30_000), (true, 30_000)];
                let asks = |(vat, id)| {
                    pushes.map(|(slow, bytes)| Operation::Ask(vat, id, Ask::Push { slow, bytes }))
                };
                held().flat_map(asks).collect()
            }
            Kind::Take => pairs(false, &Ask::Take),
            Kind::Swap => pairs(false, &Ask::Swap),
            Kind::Tail => pairs(false, &Ask::Tail),
            Kind::Rewrite => pairs(false, &Ask::Rewrite),
            Kind::Itself => pairs(true, &Ask::Take),
            Kind::Drop => all_held().map(|(vat, id)| Operation::Drop(vat, id)).collect(),
            Kind::Copy => roomy.map(|(vat, id)| Operation::Copy(vat, id)).collect(),
            Kind::Watch => held().map(|(vat, id)| Operation::Watch(vat, id)).collect(),
            Kind::Promise => (0..state.vats.len()).filter(|vat| room(*vat)).map(Operation::Promise).collect(),
            Kind::Fulfil => {
                let lawful =
                    |promise: usize, target| !state.graph.waits_for(target, Target::Promise(promise));
                let with = |(promise, (vat, _)): (&usize, &(usize, _))| -> Vec<Operation> {
                    let held = state.vats[*vat].references.iter();
                    let held = held.filter(|(_, held)| lawful(*promise, state.graph.target(held.line)));
                    held.map(|(id, _)| Operation::Resolve(*promise, Some((*vat, *id)))).collect()
                };
                state.promises.iter().flat_map(with).collect()
            }
            Kind::AtHome | Kind::LongWay | Kind::Redirected | Kind::LastWill => Vec::new(),
            Kind::Break => state.promises.keys().map(|promise| Operation::Resolve(*promise, None)).collect(),
            Kind::LetGo => {
                let waits = state.holds.iter().filter(|(_, let_go)| !let_go.is_canceled());
                waits.map(|(call, _)| Operation::LetGo(*call)).collect()
            }
            Kind::Cancel => state.open.keys().map(|call| Operation::Cancel(*call)).collect(),
            Kind::Bootstrap => {
                let ends = (0..state.pairs.len()).flat_map(|pair| [(pair, 0), (pair, 1)]);
                ends.filter(|(pair, side)| room(state.pairs[*pair].vats[*side]))
                    .map(|(pair, side)| Operation::Bootstrap { pair, side, late: false })
                    .collect()
            }
            Kind::Late => {
                let ends = (0..state.pairs.len()).flat_map(|pair| [(pair, 0), (pair, 1)]);
                ends.filter(|(pair, side)| {
                    state.pairs[*pair].current > 0 && room(state.pairs[*pair].vats[*side])
                })
                .map(|(pair, side)| Operation::Bootstrap { pair, side, late: true })
                .collect()
            }
            Kind::Disconnect => {
                let both = |pair| [0, 1].map(|side| Operation::Disconnect { pair, side });
                connected(&state.pairs).flat_map(both).collect()
            }
            Kind::Abandon => {
                let both = |pair| [0, 1].map(|side| Operation::Abandon { pair, side });
                connected(&state.pairs).flat_map(both).collect()
            }
            Kind::HalfBreak => {
                let mut candidates = Vec::new();
                for pair in connected(&state.pairs) {
                    for (is_up, end) in [true, false].into_iter().flat_map(|up| ENDS.map(|end| (up, end))) {
                        for lasts_ns in HALF_BROKEN_NS {
                            let how = HalfBroken { is_up, end, lasts_ns };
                            candidates.push(Operation::HalfBreak { pair, how });
                        }
                    }
                }
                candidates
            }
        }
    }

    /// Does an operation.
    fn carry_out(&self, kind: Kind, operation: &Operation) {
        let told = self.borrow().told.clone();
        if let Some(told) = told {
            told(kind, &Words(self, operation).to_string());
        }
        match operation {
            Operation::Ask(vat, id, ask) => self.ask(*vat, *id, ask),
            Operation::Drop(vat, id) => {
                let dropped = self.borrow_mut().vats[*vat].references.remove(id);
                drop(dropped);
            }
            Operation::Copy(vat, id) => {
                let copy = self.reference(*vat, *id);
                let mut state = self.borrow_mut();
                let id = state.references;
                state.references += 1;
                state.vats[*vat].references.insert(id, copy);
            }
            Operation::Promise(vat) => {
                let (target, client) = self.promise(*vat);
                self.keep(*vat, target, client);
            }
            Operation::Resolve(promise, becomes) => {
                let becomes = becomes.map(|(vat, id)| {
                    let Reference { line, client } = self.reference(vat, id);
                    (self.borrow().graph.target(line), client)
                });
                self.resolve(*promise, becomes);
            }
            Operation::LetGo(call) => {
                let let_go = self.borrow_mut().holds.remove(call);
                drop(let_go);
            }
            Operation::Cancel(call) => self.borrow().open[call].1.abort(),
            Operation::Bootstrap { pair, side, late } => {
                let generation = {
                    let of = &self.borrow().pairs[*pair];
                    if *late { of.current - 1 } else { of.current.min(of.links.len() - 1) }
                };
                self.bootstrap(*pair, *side, generation);
            }
            Operation::Disconnect { pair, side } => self.leave_connection(*pair, *side).disconnect(),
            Operation::Abandon { pair, side } => self.leave_connection(*pair, *side).abandon(),
            Operation::HalfBreak { pair, how } => {
                let link = self.leave_connection(*pair, 0);
                self.half_break(&link, *how);
            }
            Operation::Watch(vat, id) => self.watch(*vat, *id),
        }
    }
}

impl Shared {
    /// One side's link of a connection that is about to end; the next connection of the pair takes its place.
    fn leave_connection(&self, pair: usize, side: usize) -> Link {
        let mut state = self.borrow_mut();
        let of = &mut state.pairs[pair];
        let link = of.links[of.current][side].clone();
        of.current += 1;
        state.graph.disturb();
        state.disconnected.insert(link.id());
        link
    }
}

const ENDS: [End; 2] = [End::Writer, End::Reader];

/// How long a connection stays half broken, in nanoseconds.
const HALF_BROKEN_NS: [u64; 3] = [1, 1_000_000, 60_000_000_000];

/// The pairs whose current connection was not ended.
fn connected(pairs: &[Pair]) -> impl Iterator<Item = usize> {
    let of = pairs.iter().enumerate().filter(|(_, pair)| pair.current < pair.links.len());
    of.map(|(pair, _)| pair)
}

/// Whether a client was promised by one connection and has turned out to be elsewhere: at home, at another connection,
/// or nowhere.
fn is_redirected(hook: &dyn ClientHook) -> bool {
    let of_a_connection = hook.get_brand() != 0;
    hook.get_resolved().is_some_and(|resolved| {
        of_a_connection && resolved.get_brand() != hook.get_brand() || is_redirected(&*resolved)
    })
}

/// A description of an operation.
struct Words<'a>(&'a Shared, &'a Operation);

impl fmt::Display for Words<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Words(shared, operation) = self;
        let state = shared.borrow();
        let name = |vat: &usize| &state.vats[*vat].name;
        let leads = |vat: &usize, id: &u32| state.graph.target(state.vats[*vat].references[id].line);
        match operation {
            Operation::Ask(vat, id, ask) => {
                let (name, target, next) = (name(vat), leads(vat, id), state.graph.calls().len());
                write!(f, "{name}: #{next} {} on r{id} ({target:?})", ask.name())?;
                match ask {
                    Ask::Take(other) | Ask::Swap(other) | Ask::Tail(other) | Ask::Rewrite(other) => {
                        write!(f, " with r{other} ({:?})", leads(vat, other))
                    }
                    _ => Ok(()),
                }
            }
            Operation::Drop(vat, id) => write!(f, "{}: drop r{id} ({:?})", name(vat), leads(vat, id)),
            Operation::Copy(vat, id) => write!(f, "{}: copy r{id} ({:?})", name(vat), leads(vat, id)),
            Operation::Promise(vat) => write!(f, "{}: promise", name(vat)),
            Operation::Resolve(promise, Some((vat, id))) => {
                write!(f, "{}: promise {promise} becomes r{id} ({:?})", name(vat), leads(vat, id))
            }
            Operation::Resolve(promise, None) => write!(f, "promise {promise} breaks"),
            Operation::LetGo(call) => write!(f, "let #{call} go"),
            Operation::Cancel(call) => write!(f, "cancel #{call}"),
            Operation::Bootstrap { pair, side, late } => {
                let vats = state.pairs[*pair].vats;
                let late = if *late { " on the connection that was ended" } else { "" };
                write!(f, "{}: bootstrap of {}{late}", name(&vats[*side]), name(&vats[1 - side]))
            }
            Operation::Disconnect { pair, side } => {
                let vats = state.pairs[*pair].vats;
                write!(f, "{}: disconnect from {}", name(&vats[*side]), name(&vats[1 - side]))
            }
            Operation::Abandon { pair, side } => {
                let vats = state.pairs[*pair].vats;
                write!(f, "{}: drop the RPC system to {}", name(&vats[*side]), name(&vats[1 - side]))
            }
            Operation::HalfBreak { pair, how } => {
                let [a, b] = state.pairs[*pair].vats;
                let [from, to] = if how.is_up { [a, b] } else { [b, a] };
                let (from, to, end) = (name(&from), name(&to), how.end);
                write!(f, "the pipe from {from} to {to} breaks for its {end}, for {} ns", how.lasts_ns)
            }
            Operation::Watch(vat, id) => write!(f, "{}: watch r{id} ({:?})", name(vat), leads(vat, id)),
        }
    }
}
