//! The fields of a message that the line of its frame leaves out, because they mostly have their default values.

use crate::frames::{Message, Value};

/// A field of the protocol: the field or group around it (empty for any), its name, and the text of its default value.
struct Field(&'static str, &'static str, &'static str);

/// The fields that are printed if they have another value than their default. Fields of a union are printed if they are
/// set.
const EXTRAS: &[Field] = &[
    Field("bootstrap", "deprecatedObjectId", "null"),
    Field("call", "allowThirdPartyTailCall", "false"),
    Field("call", "noPromisePipelining", "false"),
    Field("call", "onlyPromisePipeline", "false"),
    Field("sendResultsTo", "thirdParty", ""),
    Field("return", "acceptFromThirdParty", ""),
    Field("finish", "requireEarlyCancellationWorkaround", "true"),
    Field("context", "accept", ""),
    Field("context", "provide", ""),
    Field("thirdPartyHosted", "id", ""),
    Field("", "attachedFd", "255"),
    Field("", "unknown", ""),
];

/// The fields of a message to print behind its frame, as `name = value`. The content of parameters and results is not
/// among them.
pub(super) fn of(message: &Message, fields: &Value) -> Vec<String> {
    if let Message::Other(_) = message {
        return vec![fields.to_string()];
    }
    let mut found = Vec::new();
    walk("", fields, &mut |around, name, value| {
        let is_extra = |field: &&Field| (field.0.is_empty() || field.0 == around) && field.1 == name;
        if let Some(field) = EXTRAS.iter().find(is_extra) {
            let value = value.to_string();
            if value != field.2 {
                found.push(format!("{name} = {value}"));
            }
        }
    });
    found
}

/// Whether a message has a union with a member that the protocol did not know.
pub(super) fn is_newer(fields: &Value) -> bool {
    let mut is_newer = false;
    walk("", fields, &mut |_, name, _| is_newer |= name == "union");
    is_newer
}

/// Whether a value in a message cannot be read, parameters and results included.
pub(super) fn is_malformed(value: &Value) -> bool {
    match value {
        Value::Malformed(_) => true,
        Value::Struct(fields) => fields.iter().any(|(_, field)| is_malformed(field)),
        Value::List { elements, .. } => elements.iter().any(is_malformed),
        Value::Raw { pointers, .. } => pointers.iter().any(is_malformed),
        _ => false,
    }
}

/// Visits the fields of a message, but not those of a payload's content.
fn walk(around: &str, value: &Value, visit: &mut impl FnMut(&str, &str, &Value)) {
    match value {
        Value::Struct(fields) => {
            for (name, field) in fields {
                if name == "content" {
                    continue;
                }
                visit(around, name, field);
                walk(name, field, visit);
            }
        }
        Value::List { elements, .. } => elements.iter().for_each(|element| walk(around, element, visit)),
        _ => {}
    }
}
