//! A whole message by the protocol's own schema: each field by its name, with the ids of the wire.
//!
//! The tables are those of `rpc.capnp` as of Cap'n Proto 1.4, which only adds fields to that of 0.9. A field or a kind
//! that a newer protocol knows shows as `unknown` or by its number.

use std::sync::{Arc, LazyLock};

use capnp::any_pointer;

use super::reader::{Cuts, limits, read_struct};
use crate::frames::{Message, Payload, Value};
use crate::schema::Schema;

/// The schema of the protocol, without comments: `capnp/update.sh` makes it.
static REQUEST: &[u8] = include_bytes!("../../schema/rpc.cgr");

/// The type id of `Message`.
const MESSAGE: u64 = 0x91b7_9f1f_808d_b032;

static PROTOCOL: LazyLock<Arc<Schema>> =
    LazyLock::new(|| Arc::new(Schema::from_request(REQUEST).expect("the stored request is one")));

/// Reads the bytes of one frame, segment table included, as a struct of the protocol. The parameters or results in it
/// are those that a [`Decoder`](super::Decoder) read in `message`.
///
/// The result is [`Value::Malformed`] if no message can be read.
#[must_use]
pub fn read_message(mut bytes: &[u8], message: &Message) -> Value {
    let limits = limits(bytes.len());
    let read = capnp::serialize::read_message(&mut bytes, limits).and_then(|reader| {
        let root = reader.get_root::<any_pointer::Reader>()?;
        Ok(read_struct(&PROTOCOL, root, MESSAGE, Cuts::WHOLE))
    });
    let mut value = read.unwrap_or_else(|error| Value::Malformed(error.to_string()));
    if let Some(payload) = payload(message) {
        put_content(&mut value, &payload.value);
    }
    value
}

/// The parameters or results in a message.
fn payload(message: &Message) -> Option<&Payload> {
    match message {
        Message::Call(call) => Some(&call.params),
        Message::Return(answer) => match &answer.outcome {
            crate::frames::Outcome::Results(payload) => Some(payload),
            _ => None,
        },
        Message::Unimplemented(echoed) => payload(echoed),
        _ => None,
    }
}

/// Replaces the content of the one Payload in a message. Returns whether it was found.
fn put_content(value: &mut Value, content: &Value) -> bool {
    let Value::Struct(fields) = value else { return false };
    if let [(name, was), (table, _), ..] = &mut fields[..]
        && name == "content"
        && table == "capTable"
    {
        *was = content.clone();
        return true;
    }
    fields.iter_mut().any(|(_, field)| put_content(field, content))
}
