//! Decoded parameters and results, and how they print.
//!
//! The decoder reads them out of a message.

use std::fmt;
use std::sync::Arc;

use super::Cap;

/// The first four bytes of the XXH3 hash (64 bits) of a value that is not shown whole. Lines that are cut differ by it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Digest(pub [u8; 4]);

/// A value out of a payload. Long or deep values were cut when they were read. A cut prints as `…`, with a digest of
/// what is missing.
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
        /// The digest of the whole text; zeros if it is there as a whole.
        digest: Digest,
    },
    /// Bytes. Only their length and a digest are kept.
    Data {
        /// The length.
        bytes: usize,
        /// Their digest.
        digest: Digest,
    },
    /// Bytes, all of them.
    Bytes(Vec<u8>),
    /// The first elements of a list.
    List {
        /// The elements that were read.
        elements: Vec<Value>,
        /// The number of further elements.
        more: usize,
        /// The digest of the whole list; zeros if there are no further elements.
        digest: Digest,
    },
    /// Fields with their names, in the order of the schema.
    Struct(Vec<(String, Value)>),
    /// A capability.
    Cap {
        /// The capability.
        cap: Cap,
        /// The interface by the type of this field; `capability` if the schema does not tell.
        interface: Arc<str>,
    },
    /// A null pointer without a known default.
    Null,
    /// A struct of a type that no schema names.
    Raw {
        /// Its data section.
        words: Vec<u64>,
        /// The things that it points to.
        pointers: Vec<Value>,
    },
    /// A pointer that cannot be read, with the reason.
    Malformed(String),
    /// Left out: it is nested too deep, or too much came before it.
    Cut(Digest),
    /// Replaced by this text, because a snapshot must not depend on it.
    Redacted(String),
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
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
            Self::Text { start, bytes, .. } if start.len() == *bytes => write!(f, "{start:?}"),
            Self::Text { start, bytes, digest } => {
                write!(f, "\"{}…\" ({bytes} bytes, {digest}…)", start.escape_debug())
            }
            Self::Data { bytes: 0, .. } => f.write_str("Data(0 bytes)"),
            Self::Data { bytes, digest } => write!(f, "Data({bytes} bytes, {digest}…)"),
            Self::Bytes(bytes) => {
                f.write_str("0x\"")?;
                bytes.iter().try_for_each(|byte| write!(f, "{byte:02x}"))?;
                f.write_str("\"")
            }
            Self::List { elements, more, digest } => {
                f.write_str("[")?;
                let mut first = true;
                for element in elements {
                    write!(f, "{}{element}", if first { "" } else { ", " })?;
                    first = false;
                }
                if *more > 0 {
                    write!(f, "{}… {more} more, {digest}…", if first { "" } else { ", " })?;
                }
                f.write_str("]")
            }
            Self::Struct(fields) => {
                f.write_str("(")?;
                for (index, (name, value)) in fields.iter().enumerate() {
                    write!(f, "{}{name} = {value}", if index == 0 { "" } else { ", " })?;
                }
                f.write_str(")")
            }
            Self::Cap { cap, .. } => write!(f, "{cap}"),
            Self::Null => f.write_str("null"),
            Self::Raw { words, pointers } => {
                f.write_str("{")?;
                let mut first = true;
                for word in words {
                    f.write_str(if first { "" } else { ", " })?;
                    first = false;
                    // Small numbers are most likely one number, large ones several fields or a float.
                    if *word >> 32 == 0 { write!(f, "{word}")? } else { write!(f, "{word:#018x}")? }
                }
                for (at, pointer) in pointers.iter().enumerate() {
                    write!(f, "{}ptr{at} = {pointer}", if first { "" } else { ", " })?;
                    first = false;
                }
                f.write_str("}")
            }
            Self::Malformed(reason) => write!(f, "<malformed: {reason}>"),
            Self::Cut(digest) => write!(f, "…{digest}"),
            Self::Redacted(text) => f.write_str(text),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_print_as_people_write_them() {
        let digest = Digest([0xde, 0xad, 0, 1]);
        let text = |start: &str, bytes| Value::Text { start: start.to_owned(), bytes, digest };
        let list = |elements, more| Value::List { elements, more, digest };
        let raw = Value::Raw { words: vec![7, 1 << 40], pointers: vec![text("x", 1), Value::Null] };
        let table = [
            (list(vec![Value::Float64(1.5f64.to_bits())], 0), "[1.5]"),
            (Value::Float32(0x7fc0_0001), "NaN(0x7fc00001)"),
            (text("a\n\"é\"", 6), r#""a\n\"é\"""#),
            (text("ab\"", 500), r#""ab\"…" (500 bytes, dead0001…)"#),
            (list(vec![Value::Int(-1)], 7), "[-1, … 7 more, dead0001…]"),
            (list(vec![], 9), "[… 9 more, dead0001…]"),
            (Value::Data { bytes: 3, digest }, "Data(3 bytes, dead0001…)"),
            (Value::Bytes(vec![0, 0xa7]), r#"0x"00a7""#),
            (raw, r#"{7, 0x0000010000000000, ptr0 = "x", ptr1 = null}"#),
            (Value::Raw { words: vec![], pointers: vec![] }, "{}"),
            (Value::Cut(digest), "…dead0001"),
            (Value::Malformed("out of bounds".to_owned()), "<malformed: out of bounds>"),
            (Value::Redacted("[id]".to_owned()), "[id]"),
        ];
        for (value, text) in table {
            assert_eq!(value.to_string(), text);
        }
        let fields = vec![("a".to_owned(), Value::Bool(true)), ("b".to_owned(), Value::Void)];
        assert_eq!(Value::Struct(fields).to_string(), "(a = true, b = void)");
    }
}
