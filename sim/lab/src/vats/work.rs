//! The work of the vats: calls, and everything that they involve.

use super::graph::{THROWN, Target};
use super::node::Node;
use super::{Kind, MAX_REFERENCES, Reference, Shared, Stage};
use capnp::Error;
use futures::FutureExt;
use futures::channel::oneshot;
use futures::future::{Aborted, abortable};
use std::task::Poll;
use wavetank::End;
use wavetank::link::Link;
use wavetank::pipe::{Ending, HalfBreak};
use wavetank::schema::vats_capnp::node;

/// A call from the view of its caller.
pub(super) enum Ask {
    Call,
    Push { slow: bool, bytes: usize },
    Hold,
    Throw,
    Take(u32),
    Swap(u32),
    Give(node::What),
    Early,
    Tail(u32),
    Rewrite(u32),
}

/// How a connection is half broken.
#[derive(Clone, Copy, Debug)]
pub(super) struct HalfBroken {
    /// The pipe: the one to the vat that was joined second, or the one back.
    pub(super) is_up: bool,
    /// The end of the pipe that meets an error.
    pub(super) end: End,
    /// The time until the rest breaks.
    pub(super) lasts_ns: u64,
}

impl Shared {
    /// Gives a vat a new client to hold. If the vat already holds too many, the client is dropped.
    pub(super) fn keep(&self, vat: usize, target: Target, client: node::Client) -> Option<u32> {
        let mut state = self.borrow_mut();
        if state.stage > Stage::Open || state.vats[vat].references.len() >= MAX_REFERENCES {
            drop(state);
            drop(client);
            return None;
        }
        let line = state.graph.line(target);
        let id = state.references;
        state.references += 1;
        state.vats[vat].references.insert(id, Reference { line, client });
        Some(id)
    }

    pub(super) fn reference(&self, vat: usize, id: u32) -> Reference {
        self.borrow().vats[vat].references[&id].clone()
    }

    /// Asks the other vat of a pair for its bootstrap capability, which the vat then holds.
    pub(super) fn bootstrap(&self, pair: usize, side: usize, generation: usize) {
        let state = self.borrow();
        let pair = &state.pairs[pair];
        let (vat, link) = (pair.vats[side], pair.links[generation][side].clone());
        let target = state.vats[pair.vats[1 - side]].root.0;
        let (tank, actor) = (state.tank.clone(), state.vats[vat].actor);
        let name = format!("{} asks for a bootstrap", state.vats[vat].name);
        drop(state);
        let of = self.clone();
        self.borrow_mut().asking += 1;
        let task = async move {
            let client = link.bootstrap().await;
            of.borrow_mut().asking -= 1;
            if let Ok(client) = client {
                of.keep(vat, target, capnp::capability::FromClientHook::new(client.hook));
            }
        };
        tank.spawn(&name, actor, task.boxed_local());
    }

    /// Makes a new promise of a vat, and a client that resolves as the promise does.
    pub(super) fn promise(&self, vat: usize) -> (Target, node::Client) {
        let (resolver, becomes) = oneshot::channel();
        let mut state = self.borrow_mut();
        let promise = state.graph.promise();
        state.promises.insert(promise, (vat, resolver));
        let broken = |_| Error::failed("nobody resolves it".into());
        let client = capnp_rpc::new_future_client(async move { becomes.await.map_err(broken)? });
        (Target::Promise(promise), client)
    }

    /// Resolves a promise to a client, or breaks it.
    pub(super) fn resolve(&self, promise: usize, becomes: Option<(Target, node::Client)>) {
        let mut state = self.borrow_mut();
        let Some((_, resolver)) = state.promises.remove(&promise) else { return };
        state.graph.resolve(promise, becomes.as_ref().map_or(Target::Broken, |(target, _)| *target));
        drop(state);
        let broken = || Error::failed("broken on purpose".into());
        // The send fails if nobody holds the promise any more.
        let _ = resolver.send(becomes.map(|(_, client)| client).ok_or_else(broken));
    }

    /// The capability that a vat gives at the moment it is asked.
    pub(super) fn given(&self, vat: usize, call: usize, what: node::What) -> (Target, node::Client) {
        let closing = self.borrow().stage > Stage::Open;
        match what {
            node::What::Fresh => {
                let will = self.will(vat);
                let born = self.borrow_mut().graph.node();
                (Target::Node(born.0), Node::client(self, vat, born, will))
            }
            node::What::Promise if !closing => self.promise(vat),
            node::What::Held => {
                let state = self.borrow();
                let held = state.vats[vat].references.values().next_back();
                let held = held.map(|held| (state.graph.target(held.line), held.client.clone()));
                let lawful =
                    |(target, _): &(Target, _)| !state.graph.waits_for(*target, Target::Answer(call));
                held.filter(lawful).unwrap_or_else(|| state.vats[vat].root.clone())
            }
            _ => self.borrow().vats[vat].root.clone(),
        }
    }

    /// Lets a server wait until an operation lets it go.
    pub(super) async fn hold(&self, call: usize) {
        let (let_go, held) = oneshot::channel();
        if self.borrow().stage > Stage::Open {
            return;
        }
        self.borrow_mut().holds.insert(call, let_go);
        // The channel is cancelled if the script ends, which also lets the call go.
        let _ = held.await;
    }

    /// The second call of a tail call.
    pub(super) fn onward(
        &self,
        vat: usize,
        call: usize,
        cap: node::Client,
    ) -> capnp::capability::Request<node::give_params::Owned, node::give_results::Owned> {
        let mut state = self.borrow_mut();
        let argument = state.graph.calls()[call].argument.unwrap_or(Target::Broken);
        let line = state.graph.line(argument);
        let onward = state.graph.calls().len();
        let number = state.graph.call(vat, line, format!("the tail of #{call}"), None).number;
        state.graph.answer(call, Target::Answer(onward));
        drop(state);
        let mut request = cap.give_request();
        on(request.get().init_on(), onward, line, number);
        request
    }

    /// Makes a call. The capability in its answer is kept twice: at once as the pipelined capability, and from the
    /// answer when it arrives.
    pub(super) fn ask(&self, vat: usize, id: u32, ask: &Ask) {
        self.ask_of(vat, self.reference(vat, id), ask);
    }

    /// The reference that a new object of a vat holds to its end, if the world has such objects. It leads to an object
    /// that already exists, so no two objects hold each other; such a pair could never be freed.
    fn will(&self, vat: usize) -> Option<Reference> {
        let state = self.borrow();
        if !state.kinds.contains(&Kind::LastWill) {
            return None;
        }
        let is_there =
            |held: &&Reference| matches!(state.graph.end(state.graph.target(held.line)), Target::Node(_));
        state.vats[vat].references.values().rev().find(is_there).cloned()
    }

    /// Does the last action of an object: calls the reference that it held, and drops it. It does nothing while the
    /// world itself is taken down.
    pub(super) fn execute(&self, vat: usize, will: Reference, calls: bool) {
        let is_over = self.0.try_borrow().map_or(true, |state| state.stage == Stage::Over);
        if calls && !is_over && !std::thread::panicking() {
            self.ask_of(vat, will, &Ask::Call);
        }
    }

    /// The same with a reference that the vat need not keep.
    fn ask_of(&self, vat: usize, Reference { line, client }: Reference, ask: &Ask) {
        let argument = match ask {
            Ask::Take(other) | Ask::Swap(other) | Ask::Tail(other) | Ask::Rewrite(other) => {
                Some(self.reference(vat, *other))
            }
            _ => None,
        };
        let (call, number) = {
            let mut state = self.borrow_mut();
            let argument = argument.as_ref().map(|other| state.graph.target(other.line));
            let call = state.graph.calls().len();
            let name = state.vats[vat].name.clone();
            // If there is an argument, the answer holds it or waits for it.
            let planned = argument;
            let booked = state.graph.call(vat, line, String::new(), planned);
            booked.throws = matches!(ask, Ask::Throw);
            booked.streams = matches!(ask, Ask::Push { .. });
            booked.argument = argument;
            booked.what = format!("#{call} {} by {name} on line {line}", ask.name());
            (call, booked.number)
        };
        macro_rules! send {
            ($request:expr) => {{
                let mut request = $request;
                on(request.get().init_on(), call, line, number);
                self.wait_for(vat, call, request.send().promise.map(|answer| answer.map(drop)));
            }};
            ($request:expr, with) => {{
                let mut request = $request;
                if let Some(other) = argument {
                    request.get().set_cap(other.client);
                }
                request
            }};
            ($request:expr, gives) => {{
                let mut request = $request;
                on(request.get().init_on(), call, line, number);
                let sent = request.send();
                self.keep(vat, Target::Answer(call), sent.pipeline.get_cap());
                let (of, promise) = (self.clone(), sent.promise);
                let pipeline = (!self.borrow().kinds.contains(&Kind::LongWay)).then_some(sent.pipeline);
                self.wait_for(vat, call, async move {
                    let answer = promise.await?;
                    drop(pipeline);
                    let cap = answer.get()?.get_cap()?;
                    of.keep(vat, Target::Answer(call), cap);
                    Ok(())
                });
            }};
        }
        match ask {
            Ask::Call => send!(client.call_request()),
            Ask::Hold => send!(client.hold_request()),
            Ask::Throw => send!(client.throw_request()),
            Ask::Push { slow, bytes } => {
                let mut request = client.push_request();
                on(request.get().init_on(), call, line, number);
                request.get().set_slow(*slow);
                request.get().init_data(*bytes as u32);
                self.wait_for(vat, call, request.send());
            }
            Ask::Take(_) => send!(send!(client.take_request(), with)),
            Ask::Swap(_) => send!(send!(client.swap_request(), with), gives),
            Ask::Tail(_) => send!(send!(client.tail_request(), with), gives),
            Ask::Rewrite(_) => send!(send!(client.rewrite_request(), with), gives),
            Ask::Give(what) => {
                let mut request = client.give_request();
                request.get().set_what(*what);
                send!(request, gives);
            }
            Ask::Early => send!(client.early_request(), gives),
        }
    }

    /// Spawns a task of the caller that waits until the answer comes or the call is cancelled.
    fn wait_for(&self, vat: usize, call: usize, answer: impl Future<Output = Result<(), Error>> + 'static) {
        let mut answer = answer.boxed_local();
        // capnp-rpc starts a call on an object at home when its promise is first polled. That is at once, unless the
        // vat takes its time.
        let at_once =
            if self.borrow().kinds.contains(&Kind::AtHome) { None } else { answer.as_mut().now_or_never() };
        let answer = async move {
            match at_once {
                Some(answer) => answer,
                None => answer.await,
            }
        };
        let (answer, abort) = abortable(answer);
        let mut state = self.borrow_mut();
        state.open.insert(call, (vat, abort));
        let name = state.graph.calls()[call].what.clone();
        let (tank, actor) = (state.tank.clone(), state.vats[vat].actor);
        drop(state);
        let of = self.clone();
        let task = async move {
            let ended = answer.await;
            let mut state = of.borrow_mut();
            match ended {
                Ok(result) => state.graph.ended(call, result),
                Err(Aborted) => state.graph.cancel(call),
            }
            state.open.remove(&call);
            if let Some(closer) = state.vats[vat].closer.take() {
                closer.wake();
            }
        };
        tank.spawn(&name, actor, task.boxed_local());
    }

    /// Breaks a connection at one end of one of its pipes. The rest breaks after some time.
    pub(super) fn half_break(&self, link: &Link, how: HalfBroken) {
        let state = self.borrow();
        let (tank, clock) = (state.tank.clone(), state.tank.clock());
        let actor = state.vats[0].actor;
        drop(state);
        let shared = tank.shared().clone();
        let [pipe, other] = if how.is_up { [link.up(), link.down()] } else { [link.down(), link.up()] };
        shared.half_break(pipe, HalfBreak { end: how.end, ending: Ending::Reset });
        let rest = async move {
            clock.sleep(how.lasts_ns).await;
            shared.reset(pipe);
            shared.reset(other);
        };
        tank.spawn("the rest of a connection breaks", actor, rest.boxed_local());
    }

    /// Spawns a task of a vat that waits until a client is resolved.
    pub(super) fn watch(&self, vat: usize, id: u32) {
        let Reference { line, client } = self.reference(vat, id);
        let state = self.borrow();
        let name = format!("{} waits until line {line} is resolved", state.vats[vat].name);
        let (tank, actor) = (state.tank.clone(), state.vats[vat].actor);
        drop(state);
        let task = async move {
            // A broken client counts as resolved.
            let _ = client.client.when_resolved().await;
        };
        tank.spawn(&name, actor, task.boxed_local());
    }

    /// Ends the operations: it resolves every promise and lets every server go. Then each vat waits until it has no
    /// open call, calls once more on each reference that it holds, and drops it.
    pub(super) fn close(&self) {
        let mut state = self.borrow_mut();
        state.stage = Stage::Closing;
        let (tank, holds) = (state.tank.clone(), std::mem::take(&mut state.holds));
        let promises: Vec<(usize, usize)> = state.promises.iter().map(|(id, (vat, _))| (*id, *vat)).collect();
        let vats: Vec<_> = state.vats.iter().map(|vat| (vat.actor, vat.name.clone())).collect();
        drop(state);
        for (promise, vat) in promises {
            let root = self.borrow().vats[vat].root.clone();
            self.resolve(promise, Some(root));
        }
        drop(holds);
        for (vat, (actor, name)) in vats.into_iter().enumerate() {
            let of = self.clone();
            let closer = async move {
                of.all_answered(vat).await;
                let held: Vec<u32> = of.borrow().vats[vat].references.keys().copied().collect();
                for id in held {
                    of.ask(vat, id, &Ask::Call);
                }
                of.all_answered(vat).await;
                let held = std::mem::take(&mut of.borrow_mut().vats[vat].references);
                drop(held);
            };
            tank.spawn(&format!("{name} closes"), actor, closer.boxed_local());
        }
    }

    async fn all_answered(&self, vat: usize) {
        std::future::poll_fn(|cx| {
            let mut state = self.borrow_mut();
            if state.open.values().any(|(of, _)| *of == vat) {
                state.vats[vat].closer = Some(cx.waker().clone());
                Poll::Pending
            } else {
                Poll::Ready(())
            }
        })
        .await;
    }
}

/// Records the line and the number of a call in its parameters.
fn on(mut on: node::on::Builder<'_>, call: usize, line: usize, number: u32) {
    on.set_reference(line as u32);
    on.set_number(number);
    on.set_operation(call as u32);
}

impl Ask {
    pub(super) fn name(&self) -> String {
        match self {
            Ask::Call => "call".into(),
            Ask::Push { slow: true, bytes } => format!("slow push of {bytes} bytes"),
            Ask::Push { bytes, .. } => format!("push of {bytes} bytes"),
            Ask::Hold => "hold".into(),
            Ask::Throw => format!("throw ({THROWN})"),
            Ask::Take(_) => "take".into(),
            Ask::Swap(_) => "swap".into(),
            Ask::Give(node::What::Own) => "give (own)".into(),
            Ask::Give(node::What::Fresh) => "give (fresh)".into(),
            Ask::Give(node::What::Held) => "give (held)".into(),
            Ask::Give(node::What::Promise) => "give (promise)".into(),
            Ask::Early => "early".into(),
            Ask::Tail(_) => "tail".into(),
            Ask::Rewrite(_) => "rewrite".into(),
        }
    }
}
