//! The names of questions and capabilities on one link.
//!
//! The wire uses ids again as soon as they are free, so one id stands for many things in the course of a link. Here each
//! question gets a number of its own, and each capability a name of its own.
//!
//! A capability is named when its owner first describes it, by the owner and by the interface that the schema gives to
//! the field it is sent in. It keeps the name until nobody holds a reference any more. A promise hands its name on to
//! the capability that it resolves to. If an owner exports, releases and exports one object again, nothing on the wire
//! tells that it is the same, so it gets a second name.
//!
//! Not here: the references of each side; they are the [`Ledger`]'s.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::frames::{CapName, Direction, Export, Frame, Message, Question};
use crate::ledger::Ledger;
use crate::schema::{Brand, Instance, Schema, Type};

/// The names of one link.
#[derive(Clone, Debug)]
pub(super) struct Names {
    pub(super) schema: Arc<Schema>,
    /// The cell's and the host's name.
    parties: [Arc<str>; 2],
    /// The latest question of each id, by asker. An entry is never removed, only replaced, because an answer stays a
    /// target after its Return. There are few ids, because the lowest free one is taken.
    asked: BTreeMap<(Direction, u32), Asked>,
    /// The number of the next question.
    next_question: u64,
    /// The latest capability of each export id, by owner.
    exports: BTreeMap<(Direction, u32), Known>,
    /// How many capabilities have a name, by owner and interface.
    ordinals: BTreeMap<(Direction, Arc<str>), u32>,
    /// Tells which exports are still held.
    ledger: Ledger,
    /// The number of frames so far.
    frame: u64,
}

/// A question that was asked.
#[derive(Clone, Debug)]
pub(super) struct Asked {
    pub(super) question: Question,
    /// Whether it asked for the bootstrap capability.
    pub(super) is_bootstrap: bool,
    /// `bootstrap` or the method.
    pub(super) name: Arc<str>,
    /// The type of its results, if the schema tells.
    pub(super) results: Option<Instance>,
    /// The type of the bootstrap capability, once a call told it.
    bootstrap_type: Option<Instance>,
}

/// A capability that was exported.
#[derive(Clone, Debug)]
struct Known {
    name: Arc<CapName>,
    ty: Option<Instance>,
    /// The number of the frame that described it first.
    since: u64,
}

/// How a capability is described for the first time.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Described {
    Hosted,
    Promised,
}

impl Names {
    pub(super) fn new(schema: Arc<Schema>, cell: &str, host: &str) -> Self {
        Self {
            schema,
            parties: [cell.into(), host.into()],
            asked: BTreeMap::new(),
            next_question: 1,
            exports: BTreeMap::new(),
            ordinals: BTreeMap::new(),
            ledger: Ledger::default(),
            frame: 0,
        }
    }

    /// The question that a message of `asker` asks now.
    pub(super) fn new_question(&self, id: u32) -> Question {
        Question { id, number: self.next_question }
    }

    /// The latest question with this id.
    pub(super) fn question(&self, asker: Direction, id: u32) -> Question {
        self.asked.get(&(asker, id)).map_or(Question { id, number: 0 }, |asked| asked.question)
    }

    pub(super) fn asked(&self, asker: Direction, id: u32) -> Option<&Asked> {
        self.asked.get(&(asker, id))
    }

    /// Enters a whole frame. Its names were given while it was read.
    pub(super) fn enter(&mut self, frame: &Frame, results: Option<Instance>) {
        let (question, is_bootstrap, name) = match &frame.message {
            Message::Bootstrap { question } => (Some(*question), true, "bootstrap".into()),
            Message::Call(call) => (Some(call.question), false, call.method.clone()),
            Message::Provide { question, .. } => (Some(*question), false, "provide".into()),
            Message::Accept { question, .. } => (Some(*question), false, "accept".into()),
            Message::Join { question, .. } => (Some(*question), false, "join".into()),
            _ => (None, false, "".into()),
        };
        if let Some(question) = question {
            let asked = Asked { question, is_bootstrap, name, results, bootstrap_type: None };
            self.asked.insert((frame.direction, question.id), asked);
            self.next_question += 1;
        }
        self.ledger.apply(frame);
        self.frame += 1;
    }

    /// The capability that a side describes as its own, or as a promise of its own.
    pub(super) fn describe(
        &mut self,
        owner: Direction,
        id: u32,
        described: Described,
        ty: Option<&Instance>,
    ) -> Export {
        let key = (owner, id);
        // It may stand in one message several times, before the ledger has seen that message.
        let is_held = |known: &&mut Known| known.since == self.frame || self.ledger.exports(owner, id);
        if let Some(known) = self.exports.get_mut(&key).filter(is_held) {
            known.ty = known.ty.take().or_else(|| ty.cloned());
            return Export { id, name: known.name.clone() };
        }
        let interface = self.interface(ty);
        self.name(owner, id, interface, ty.cloned(), described)
    }

    /// The bootstrap capability that a side describes.
    pub(super) fn describe_bootstrap(&mut self, owner: Direction, id: u32, described: Described) -> Export {
        match self.exports.get(&(owner, id)) {
            Some(known) if self.ledger.exports(owner, id) => Export { id, name: known.name.clone() },
            _ => self.name(owner, id, "bootstrap".into(), None, described),
        }
    }

    /// The capability that a promise turns out to be. It takes over the promise's name, unless it has one.
    pub(super) fn describe_resolved(
        &mut self,
        owner: Direction,
        promise: u32,
        id: u32,
        described: Described,
    ) -> Export {
        let promised = self.exports.get(&(owner, promise)).cloned();
        match promised {
            Some(promised) if !self.ledger.exports(owner, id) => {
                let is_promise = described == Described::Promised;
                let name = Arc::new(CapName { is_promise, ..(*promised.name).clone() });
                let known = Known { name: name.clone(), ty: promised.ty, since: self.frame };
                self.exports.insert((owner, id), known);
                Export { id, name }
            }
            _ => self.describe(owner, id, described, None),
        }
    }

    /// A capability that a side refers to by its id.
    pub(super) fn export(&self, owner: Direction, id: u32) -> Export {
        let unknown = || {
            let owner = self.party(owner).clone();
            Arc::new(CapName { owner, interface: "capability".into(), ordinal: 0, is_promise: false })
        };
        let name = self.exports.get(&(owner, id)).map_or_else(unknown, |known| known.name.clone());
        Export { id, name }
    }

    /// Notes the type of a capability that is sent back to its owner, if nothing told it yet.
    pub(super) fn learn_type(&mut self, owner: Direction, id: u32, ty: Option<&Instance>) {
        if let Some(known) = self.exports.get_mut(&(owner, id))
            && known.ty.is_none()
        {
            known.ty = ty.cloned();
        }
    }

    /// The arguments that the target of a call gives to the interface whose method is called. A bootstrap capability
    /// takes its type from the first call that is made on it.
    pub(super) fn brand_of_import(&mut self, owner: Direction, id: u32, interface_id: u64) -> Brand {
        let Some(known) = self.exports.get_mut(&(owner, id)) else { return Brand::default() };
        let ty = known.ty.get_or_insert_with(|| Instance::plain(interface_id));
        self.schema.brand_of(ty, interface_id)
    }

    /// The same for a capability in an answer, of type `ty` as far as the schema tells.
    pub(super) fn brand_of_answer(
        &mut self,
        asker: Direction,
        question: u32,
        ty: Option<Type>,
        interface_id: u64,
    ) -> Brand {
        if let Some(Type::Interface(instance)) = ty {
            return self.schema.brand_of(&instance, interface_id);
        }
        let Some(asked) = self.asked.get_mut(&(asker, question)).filter(|asked| asked.is_bootstrap) else {
            return Brand::default();
        };
        let ty = asked.bootstrap_type.get_or_insert_with(|| Instance::plain(interface_id));
        self.schema.brand_of(ty, interface_id)
    }

    /// The name of an interface, or `capability`.
    pub(super) fn interface(&self, ty: Option<&Instance>) -> Arc<str> {
        let name = ty.and_then(|ty| self.schema.type_name(&Type::Interface(ty.clone())));
        name.map_or_else(|| "capability".into(), Into::into)
    }

    fn name(
        &mut self,
        owner: Direction,
        id: u32,
        interface: Arc<str>,
        ty: Option<Instance>,
        described: Described,
    ) -> Export {
        let ordinal = self.ordinals.entry((owner, interface.clone())).or_default();
        *ordinal += 1;
        let name = Arc::new(CapName {
            ordinal: *ordinal,
            owner: self.party(owner).clone(),
            interface,
            is_promise: described == Described::Promised,
        });
        self.exports.insert((owner, id), Known { name: name.clone(), ty, since: self.frame });
        Export { id, name }
    }

    fn party(&self, direction: Direction) -> &Arc<str> {
        &self.parties[usize::from(direction == Direction::Down)]
    }
}
