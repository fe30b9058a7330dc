//! Decoded sessions as JSON lines; docs/src/how-to/captures.md describes them.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Map, Value as Json, json};
use wavetank_trace::frames::{Cap, Direction, Message, Outcome, Question, Value};
use wavetank_trace::session::{Decoded, Entry, Order, Packing, Side};

/// The version of the format.
const FORMAT: u32 = 1;

/// The heading, then a line for each entry.
pub(super) fn lines(decoded: &Decoded) -> Vec<Json> {
    let order = match decoded.order {
        Order::OneDirection => "one direction",
        Order::Captured => "captured",
        Order::Causal => "causal",
    };
    let heading = json!({
        "session": {
            "format": FORMAT,
            "client": side(&decoded.client),
            "server": side(&decoded.server),
            "order": order,
        },
    });
    let entries = decoded.entries.iter().map(|one| entry(decoded, one));
    std::iter::once(heading).chain(entries).collect()
}

fn side(side: &Side) -> Json {
    json!({
        "name": side.name,
        "bytes": side.bytes,
        "packed": side.packing == Packing::Packed,
        "detected": side.is_detected,
        "messages": side.messages,
    })
}

fn entry(decoded: &Decoded, entry: &Entry) -> Json {
    let Entry { byte, packed_byte, tick, frame, fields, fault } = entry;
    let from = if frame.direction == Direction::Up { &decoded.client } else { &decoded.server };
    let mut line = Map::new();
    let mut put = |name: &str, value: Json| line.insert(name.to_owned(), value);
    put("from", from.name.clone().into());
    put("byte", (*byte).into());
    put("bytes", frame.bytes.into());
    if let Some(packed_byte) = packed_byte {
        put("packed_byte", (*packed_byte).into());
    }
    if let Some(tick) = tick {
        put("ns", tick.ns.into());
    }
    put("kind", kind(&frame.message, fields.as_ref()).into());
    put("text", entry.to_string().into());
    match &frame.message {
        Message::Call(call) => {
            put("method", (*call.method).into());
            put("interface", format!("{:#018x}", call.interface_id).into());
            put("params", value(&call.params.value));
        }
        Message::Return(answer) => {
            put("method", answer.call.as_deref().into());
            if let Outcome::Results(results) = &answer.outcome {
                put("results", value(&results.value));
            }
        }
        Message::Garbled(reason) => {
            put("reason", reason.clone().into());
        }
        Message::Closed { pending_bytes } => {
            put("reason", format!("the direction ends inside a message, after {pending_bytes} bytes").into());
        }
        _ => {}
    }
    if let Some(question) = question(&frame.message) {
        put("question", question.number.into());
    }
    if let Some(fault) = fault {
        put("malformed", json!({ "byte": entry.place_of_fault(), "reason": fault.reason }));
    }
    if let Some(fields) = fields {
        put("message", value(fields));
    }
    Json::Object(line)
}

/// The kind of a message by its name in `rpc.capnp`.
fn kind(message: &Message, fields: Option<&Value>) -> String {
    match (message, fields) {
        (Message::Garbled(_), _) => "garbled".to_owned(),
        (Message::Closed { .. }, _) => "end".to_owned(),
        (_, Some(Value::Struct(fields))) => {
            fields.first().map_or_else(|| "unknown".to_owned(), |(name, _)| name.clone())
        }
        _ => "unknown".to_owned(),
    }
}

fn question(message: &Message) -> Option<Question> {
    match message {
        Message::Bootstrap { question }
        | Message::Finish { question, .. }
        | Message::Provide { question, .. }
        | Message::Accept { question, .. }
        | Message::Join { question, .. } => Some(*question),
        Message::Call(call) => Some(call.question),
        Message::Return(answer) => Some(answer.question),
        _ => None,
    }
}

/// A value. Integers are numbers whatever their size, data is base64, and what JSON lacks is an object of one field.
fn value(of: &Value) -> Json {
    match of {
        Value::Void | Value::Null => Json::Null,
        Value::Bool(bit) => (*bit).into(),
        Value::Int(int) => (*int).into(),
        Value::UInt(int) => (*int).into(),
        Value::Float32(bits) => float(f64::from(f32::from_bits(*bits))),
        Value::Float64(bits) => float(f64::from_bits(*bits)),
        Value::Enum(name) => name.clone().into(),
        Value::Text { start, bytes, .. } if start.len() == *bytes => start.clone().into(),
        Value::Text { start, bytes, digest } => {
            json!({ "start": start, "bytes": bytes, "digest": digest.to_string() })
        }
        Value::Data { bytes, digest } => json!({ "bytes": bytes, "digest": digest.to_string() }),
        Value::Bytes(bytes) => json!({ "base64": BASE64_STANDARD.encode(bytes) }),
        Value::List { elements, more: 0, .. } => elements.iter().map(value).collect(),
        Value::List { elements, more, digest } => {
            let elements: Json = elements.iter().map(value).collect();
            json!({ "elements": elements, "more": more, "digest": digest.to_string() })
        }
        Value::Struct(fields) => {
            Json::Object(fields.iter().map(|(name, field)| (name.clone(), value(field))).collect())
        }
        Value::Cap { cap, .. } => json!({ "capability": cap.to_string(), "is": descriptor(cap) }),
        Value::Raw { words, pointers } => {
            let pointers: Json = pointers.iter().map(value).collect();
            json!({ "words": words, "pointers": pointers })
        }
        Value::Malformed(reason) => json!({ "malformed": reason }),
        Value::Cut(digest) => json!({ "cut": digest.to_string() }),
        Value::Redacted(text) => json!({ "redacted": text }),
    }
}

fn float(float: f64) -> Json {
    serde_json::Number::from_f64(float).map_or_else(|| format!("{float}").into(), Json::Number)
}

fn descriptor(cap: &Cap) -> Json {
    match cap {
        Cap::None => json!({ "none": null }),
        Cap::SenderHosted(export) => json!({ "senderHosted": export.id }),
        Cap::SenderPromise(export) => json!({ "senderPromise": export.id }),
        Cap::ReceiverHosted(export) => json!({ "receiverHosted": export.id }),
        Cap::ReceiverAnswer(answer) => json!({ "receiverAnswer": answer.question.id, "path": answer.path }),
        Cap::ThirdPartyHosted(vine) => json!({ "thirdPartyHosted": vine.id }),
    }
}
