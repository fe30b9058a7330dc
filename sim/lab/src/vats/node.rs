//! The objects of the vats, as servers.

use super::graph::{THROWN, Target};
use super::{Reference, Shared};
use capnp::Error;
use std::cell::RefCell;
use std::rc::Rc;
use wavetank::schema::vats_capnp::node;

/// One object of a vat.
pub(super) struct Node {
    id: usize,
    vat: usize,
    shared: Shared,
    /// A reference that it holds to its end, and then calls or just drops.
    will: RefCell<Option<Reference>>,
    /// Shows the graph that the object lives, as long as it does.
    _life: Rc<()>,
}

impl Node {
    pub(super) fn client(
        shared: &Shared,
        vat: usize,
        (id, life): (usize, Rc<()>),
        will: Option<Reference>,
    ) -> node::Client {
        capnp_rpc::new_client(Node { id, vat, shared: shared.clone(), will: RefCell::new(will), _life: life })
    }

    /// Records an arrival; gives the call.
    fn arrived(&self, on: capnp::Result<node::on::Reader<'_>>) -> Result<usize, Error> {
        let on = on?;
        let call = on.get_operation() as usize;
        let mut state = self.shared.borrow_mut();
        let (line, number) = (on.get_reference() as usize, on.get_number());
        state.graph.arrive(call, (line, number), (self.id, self.vat));
        Ok(call)
    }
}

/// Of the objects that hold a reference, every other one calls it once more.
impl Drop for Node {
    fn drop(&mut self) {
        if let Some(will) = self.will.take() {
            self.shared.execute(self.vat, will, self.id.is_multiple_of(2));
        }
    }
}

impl node::Server for Node {
    async fn call(self: Rc<Self>, params: node::CallParams, _: node::CallResults) -> Result<(), Error> {
        self.arrived(params.get()?.get_on())?;
        Ok(())
    }

    async fn push(self: Rc<Self>, params: node::PushParams) -> Result<(), Error> {
        let call = self.arrived(params.get()?.get_on())?;
        if params.get()?.get_slow() {
            self.shared.hold(call).await;
        }
        Ok(())
    }

    async fn hold(self: Rc<Self>, params: node::HoldParams, _: node::HoldResults) -> Result<(), Error> {
        let call = self.arrived(params.get()?.get_on())?;
        self.shared.hold(call).await;
        Ok(())
    }

    async fn throw(self: Rc<Self>, params: node::ThrowParams, _: node::ThrowResults) -> Result<(), Error> {
        self.arrived(params.get()?.get_on())?;
        Err(Error::failed(THROWN.into()))
    }

    async fn take(self: Rc<Self>, params: node::TakeParams, _: node::TakeResults) -> Result<(), Error> {
        let call = self.arrived(params.get()?.get_on())?;
        let argument = self.shared.borrow().graph.calls()[call].argument;
        let cap = params.get()?.get_cap()?;
        self.shared.keep(self.vat, argument.unwrap_or(Target::Broken), cap);
        Ok(())
    }

    async fn swap(
        self: Rc<Self>,
        params: node::SwapParams,
        mut results: node::SwapResults,
    ) -> Result<(), Error> {
        let call = self.arrived(params.get()?.get_on())?;
        let cap = params.get()?.get_cap()?;
        let mut state = self.shared.borrow_mut();
        let argument = state.graph.calls()[call].argument;
        state.graph.answer(call, argument.unwrap_or(Target::Broken));
        results.get().set_cap(cap);
        Ok(())
    }

    async fn give(
        self: Rc<Self>,
        params: node::GiveParams,
        mut results: node::GiveResults,
    ) -> Result<(), Error> {
        let call = self.arrived(params.get()?.get_on())?;
        let (target, cap) = self.shared.given(self.vat, call, params.get()?.get_what()?);
        self.shared.borrow_mut().graph.answer(call, target);
        results.get().set_cap(cap);
        Ok(())
    }

    async fn early(
        self: Rc<Self>,
        params: node::EarlyParams,
        mut results: node::EarlyResults,
    ) -> Result<(), Error> {
        let call = self.arrived(params.get()?.get_on())?;
        let (target, cap) = self.shared.given(self.vat, call, node::What::Own);
        self.shared.borrow_mut().graph.answer(call, target);
        results.get().set_cap(cap);
        results.set_pipeline()?;
        self.shared.hold(call).await;
        Ok(())
    }

    async fn tail(self: Rc<Self>, params: node::TailParams, results: node::TailResults) -> Result<(), Error> {
        let call = self.arrived(params.get()?.get_on())?;
        let onward = self.shared.onward(self.vat, call, params.get()?.get_cap()?);
        results.hook.tail_call(onward.hook).await
    }

    async fn rewrite(
        self: Rc<Self>,
        params: node::RewriteParams,
        mut results: node::RewriteResults,
    ) -> Result<(), Error> {
        let call = self.arrived(params.get()?.get_on())?;
        let (target, cap) = self.shared.given(self.vat, call, node::What::Own);
        results.get().set_cap(params.get()?.get_cap()?);
        self.shared.borrow_mut().graph.answer(call, target);
        results.get().set_cap(cap);
        Ok(())
    }
}
