//! The ids in a message by which one message is known to come after another.

use capnp_rpc::rpc_capnp::{cap_descriptor, disembargo, message, message_target, payload, resolve, return_};

/// The ids in a message. A message that cannot be read has none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Gist {
    /// The question that it asks.
    pub(super) asks: Option<u32>,
    /// The question that it answers.
    pub(super) answers: Option<u32>,
    /// Whether the answer is that the call was canceled.
    pub(super) is_canceled: bool,
    /// The question that it finishes.
    pub(super) finishes: Option<u32>,
    /// Whether it gives back the capabilities of the other side in the answer, or in the call.
    pub(super) gives_back: bool,
    /// The sender's exports that it describes, once per reference.
    pub(super) exports: Vec<u32>,
    /// The receiver's exports that it mentions.
    pub(super) imports: Vec<u32>,
    /// The receiver's export that it releases, and the number of references.
    pub(super) releases: Option<(u32, u32)>,
    /// The promise of the sender that it resolves.
    pub(super) resolves: Option<u32>,
    /// The embargo that it begins.
    pub(super) begins: Option<u32>,
    /// The question whose answer, or the receiver's promise whose resolution, began the embargo.
    pub(super) began_by: Option<Began>,
    /// The embargo of the receiver that it ends.
    pub(super) ends: Option<u32>,
    /// The kind and the id of a message of the receiver that it sends back.
    pub(super) echoes: Option<(u16, u32)>,
    /// Its own kind and id.
    pub(super) kind: (u16, u32),
    pub(super) is_abort: bool,
}

/// The reason for an embargo.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Began {
    Answer(u32),
    Promise(u32),
}

/// Whether the bytes of a frame are a message of a known kind.
pub(super) fn is_message(mut frame: &[u8]) -> bool {
    let limits = crate::decoder::limits(frame.len());
    capnp::serialize::read_message(&mut frame, limits)
        .is_ok_and(|reader| reader.get_root::<message::Reader>().is_ok_and(|root| is_known(root)))
}

fn is_known(root: message::Reader) -> bool {
    use message::Which as W;
    match root.which() {
        Ok(W::Unimplemented(inner)) => inner.is_ok(),
        Ok(W::Abort(inner)) => inner.is_ok(),
        Ok(W::Bootstrap(inner)) => inner.is_ok(),
        Ok(W::Call(inner)) => inner.is_ok_and(|call| call.has_target()),
        Ok(W::Return(inner)) => inner.is_ok_and(|answer| answer.which().is_ok()),
        Ok(W::Finish(inner)) => inner.is_ok(),
        Ok(W::Resolve(inner)) => inner.is_ok(),
        Ok(W::Release(inner)) => inner.is_ok(),
        Ok(W::Disembargo(inner)) => inner.is_ok(),
        Ok(_) => true,
        Err(_) => false,
    }
}

/// The ids in the message of a frame.
pub(super) fn gist(mut frame: &[u8]) -> Gist {
    let mut gist = Gist::default();
    let limits = crate::decoder::limits(frame.len());
    if let Ok(reader) = capnp::serialize::read_message(&mut frame, limits)
        && let Ok(root) = reader.get_root()
    {
        // What was read before an error counts.
        let _ = gist.read(root);
    }
    gist
}

impl Gist {
    fn read(&mut self, root: message::Reader) -> capnp::Result<()> {
        use message::Which as W;
        match root.which()? {
            W::Unimplemented(inner) => {
                let mut echoed = Gist::default();
                let inner = inner?;
                if !matches!(inner.which(), Ok(W::Unimplemented(_))) {
                    let _ = echoed.read(inner);
                }
                self.echoes = Some(echoed.kind);
            }
            W::Abort(_) => self.is_abort = true,
            W::Bootstrap(inner) => self.ask(2, inner?.get_question_id()),
            W::Call(call) => {
                let call = call?;
                self.ask(3, call.get_question_id());
                self.target(call.get_target()?)?;
                self.payload(call.get_params()?)?;
            }
            W::Return(answer) => {
                let answer = answer?;
                self.answers = Some(answer.get_answer_id());
                self.kind = (4, answer.get_answer_id());
                self.gives_back = answer.get_release_param_caps();
                match answer.which()? {
                    return_::Results(results) => self.payload(results?)?,
                    return_::Canceled(()) => self.is_canceled = true,
                    _ => {}
                }
            }
            W::Finish(finish) => {
                let finish = finish?;
                self.finishes = Some(finish.get_question_id());
                self.kind = (5, finish.get_question_id());
                self.gives_back = finish.get_release_result_caps();
            }
            W::Resolve(inner) => {
                let inner = inner?;
                self.resolves = Some(inner.get_promise_id());
                self.kind = (6, inner.get_promise_id());
                if let resolve::Cap(cap) = inner.which()? {
                    self.cap(cap?)?;
                }
            }
            W::Release(release) => {
                let release = release?;
                self.releases = Some((release.get_id(), release.get_reference_count()));
                self.kind = (7, release.get_id());
            }
            W::Disembargo(inner) => {
                let inner = inner?;
                let target = inner.get_target()?;
                match inner.get_context().which()? {
                    disembargo::context::SenderLoopback(id) => {
                        self.begins = Some(id);
                        self.began_by = Some(match target.which()? {
                            message_target::ImportedCap(id) => Began::Promise(id),
                            message_target::PromisedAnswer(answer) => {
                                Began::Answer(answer?.get_question_id())
                            }
                        });
                        self.kind = (8, id);
                    }
                    disembargo::context::ReceiverLoopback(id) => self.ends = Some(id),
                    disembargo::context::Accept(()) | disembargo::context::Provide(_) => {}
                }
                self.target(target)?;
            }
            W::Provide(inner) => {
                let inner = inner?;
                self.ask(9, inner.get_question_id());
                self.target(inner.get_target()?)?;
            }
            W::Accept(inner) => self.ask(10, inner?.get_question_id()),
            W::Join(inner) => {
                let inner = inner?;
                self.ask(11, inner.get_question_id());
                self.target(inner.get_target()?)?;
            }
            W::ObsoleteSave(_) | W::ObsoleteDelete(_) => {}
        }
        Ok(())
    }

    fn ask(&mut self, kind: u16, question: u32) {
        self.asks = Some(question);
        self.kind = (kind, question);
    }

    fn target(&mut self, target: message_target::Reader) -> capnp::Result<()> {
        if let message_target::ImportedCap(id) = target.which()? {
            self.imports.push(id);
        }
        Ok(())
    }

    fn payload(&mut self, payload: payload::Reader) -> capnp::Result<()> {
        for cap in payload.get_cap_table()? {
            self.cap(cap)?;
        }
        Ok(())
    }

    fn cap(&mut self, cap: cap_descriptor::Reader) -> capnp::Result<()> {
        match cap.which()? {
            cap_descriptor::SenderHosted(id) | cap_descriptor::SenderPromise(id) => self.exports.push(id),
            cap_descriptor::ThirdPartyHosted(third) => self.exports.push(third?.get_vine_id()),
            cap_descriptor::ReceiverHosted(id) => self.imports.push(id),
            cap_descriptor::None(()) | cap_descriptor::ReceiverAnswer(_) => {}
        }
        Ok(())
    }
}
