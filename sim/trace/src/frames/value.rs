//! Decoded parameters and results, and how they print.
//!
//! [`super::reader`] reads them out of a message.

use std::fmt;

use super::Cap;

/// A value out of a payload. Long or deep values were cut when they were read; cuts print as `…`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// A field without bits.
    Void,
    /// A bit.
    Bool(bool),
    /// A signed integer.
    Int(i64),
    /// An unsigned integer.
    UInt(u64),
    /// The bits of a 32-bit float.
    Float32(u32),
    /// The bits of a 64-bit float.
    Float64(u64),
    /// The name of an enumerant, or its number if the schema has no name for it.
    Enum(String),
    /// UTF-8.
    Text {
        /// The text, or its start.
        start: String,
        /// The length of the whole text.
        bytes: usize,
    },
    /// Bytes. Only their length and a digest are kept.
    Data {
        /// The length.
        bytes: usize,
        /// The first four bytes of the XXH3 hash (64 bits).
        digest: [u8; 4],
    },
    /// The first elements of a list.
    List {
        /// The elements that were read.
        elements: Vec<Value>,
        /// The number of further elements.
        more: usize,
    },
    /// Fields with their names, in the order of the schema.
    Struct(Vec<(String, Value)>),
    /// A capability.
    Cap(Cap),
    /// A null pointer without a known default.
    Null,
    /// A struct or list of a type that no schema names. It counts words and capabilities, including all that it points
    /// to.
    Opaque {
        /// `AnyStruct` or `AnyList`.
        kind: &'static str,
        /// Words in total.
        words: u64,
        /// Capability pointers in total.
        caps: u32,
    },
    /// A pointer that cannot be read, with the reason.
    Malformed(String),
    /// Left out: it is nested too deep, or too much came before it.
    Cut,
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Void => f.write_str("void"),
            Self::Bool(bit) => write!(f, "{bit}"),
            Self::Int(int) => write!(f, "{int}"),
            Self::UInt(int) => write!(f, "{int}"),
            // A NaN prints its bits, because there are many of them and otherwise all would print as `NaN`.
            Self::Float32(bits) if f32::from_bits(*bits).is_nan() => write!(f, "NaN(0x{bits:08x})"),
            Self::Float64(bits) if f64::from_bits(*bits).is_nan() => write!(f, "NaN(0x{bits:016x})"),
            Self::Float32(bits) => write!(f, "{:?}", f32::from_bits(*bits)),
            Self::Float64(bits) => write!(f, "{:?}", f64::from_bits(*bits)),
            Self::Enum(name) => f.write_str(name),
            Self::Text { start, bytes } if start.len() == *bytes => write!(f, "{start:?}"),
            Self::Text { start, bytes } => write!(f, "\"{}…\" ({bytes} bytes)", start.escape_debug()),
            Self::Data { bytes: 0, .. } => f.write_str("Data(0 bytes)"),
            Self::Data { bytes, digest: [a, b, c, d] } => {
                write!(f, "Data({bytes} bytes, {a:02x}{b:02x}{c:02x}{d:02x}…)")
            }
            Self::List { elements, more } => {
                f.write_str("[")?;
                for (index, element) in elements.iter().enumerate() {
                    write!(f, "{}{element}", if index == 0 { "" } else { ", " })?;
                }
                match (elements.is_empty(), more) {
                    (_, 0) => f.write_str("]"),
                    (true, more) => write!(f, "… {more} more]"),
                    (false, more) => write!(f, ", … {more} more]"),
                }
            }
            Self::Struct(fields) => {
                f.write_str("(")?;
                for (index, (name, value)) in fields.iter().enumerate() {
                    write!(f, "{}{name} = {value}", if index == 0 { "" } else { ", " })?;
                }
                f.write_str(")")
            }
            Self::Cap(cap) => write!(f, "{cap}"),
            Self::Null => f.write_str("null"),
            Self::Opaque { kind, words, caps } => write!(f, "{kind}(words = {words}, caps = {caps})"),
            Self::Malformed(reason) => write!(f, "<malformed: {reason}>"),
            Self::Cut => f.write_str("…"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_print_as_people_write_them() {
        let text = |start: &str, bytes| Value::Text { start: start.to_owned(), bytes };
        let fields = vec![
            ("floats".to_owned(), Value::List { elements: vec![Value::Float64(1.5f64.to_bits())], more: 0 }),
            ("nan".to_owned(), Value::Float32(0x7fc0_0001)),
            ("text".to_owned(), text("a\n\"é\"", 6)),
            ("long".to_owned(), text("ab\"", 500)),
            ("cut".to_owned(), Value::List { elements: vec![Value::Int(-1)], more: 7 }),
            ("none".to_owned(), Value::List { elements: vec![], more: 9 }),
            ("data".to_owned(), Value::Data { bytes: 3, digest: [0xde, 0xad, 0, 1] }),
            ("any".to_owned(), Value::Opaque { kind: "AnyStruct", words: 3, caps: 1 }),
            ("bad".to_owned(), Value::Malformed("out of bounds".to_owned())),
        ];
        assert_eq!(
            Value::Struct(fields).to_string(),
            "(floats = [1.5], nan = NaN(0x7fc00001), text = \"a\\n\\\"é\\\"\", long = \"ab\\\"…\" (500 bytes), \
             cut = [-1, … 7 more], none = [… 9 more], data = Data(3 bytes, dead0001…), \
             any = AnyStruct(words = 3, caps = 1), bad = <malformed: out of bounds>)"
        );
    }
}
