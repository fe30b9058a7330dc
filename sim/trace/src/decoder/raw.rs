//! Values that no schema describes, by their shape on the wire.
//!
//! A struct shows the words of its data section, and each thing that it points to. Bytes that read as text are shown as
//! text, because that is what they mostly are.

use capnp::private::layout::{ElementSize, PointerReader, PointerType, StructReader};
use capnp::raw;

use super::digest::{self, List, any_list, data_section, of_pointer, pointer_count, structs};
use super::reader::{Cuts, Reader, data_value, malformed, text_value};
use crate::frames::Value;

impl Reader<'_> {
    /// A pointer that no schema describes.
    pub(super) fn raw(&mut self, pointer: PointerReader, depth: u32) -> capnp::Result<Value> {
        Ok(match pointer.get_pointer_type()? {
            PointerType::Null => Value::Null,
            PointerType::Capability => self.cap(pointer, None)?,
            PointerType::Struct => self.raw_struct(pointer.get_struct(None)?, depth),
            PointerType::List => self.raw_list(pointer, depth)?,
        })
    }

    /// A struct that no schema describes.
    pub(super) fn raw_struct(&mut self, reader: StructReader, depth: u32) -> Value {
        let words = words(data_section(reader));
        let pointers = pointer_count(reader);
        if depth > self.cuts.depth || words.len() > self.cuts.words || pointers > self.cuts.elements as usize
        {
            return Value::Cut(digest::of_struct(reader));
        }
        let pointers = (0..pointers).map(|at| self.raw_pointer(reader.get_pointer_field(at), depth + 1));
        Value::Raw { words, pointers: pointers.collect() }
    }

    fn raw_pointer(&mut self, pointer: PointerReader, depth: u32) -> Value {
        if depth > self.cuts.depth || !self.take() {
            return Value::Cut(of_pointer(pointer));
        }
        self.raw(pointer, depth).unwrap_or_else(|error| malformed(&error, pointer))
    }

    fn raw_list(&mut self, pointer: PointerReader, depth: u32) -> capnp::Result<Value> {
        let list = any_list(pointer)?;
        let len = list.len() as usize;
        let bytes = raw::get_list_bytes(List(list));
        let width = match raw::get_list_element_size(List(list)) {
            ElementSize::Byte => return Ok(text_or_data(bytes, self.cuts)),
            ElementSize::Pointer => {
                let mut elements = Vec::new();
                for one in structs(pointer)?.1.take(self.cuts.elements as usize) {
                    elements.push(self.raw_pointer(one.get_pointer_field(0), depth + 1));
                }
                return Ok(list_value(elements, len, pointer));
            }
            ElementSize::InlineComposite => {
                let mut elements = Vec::new();
                for one in structs(pointer)?.1.take(self.cuts.elements as usize) {
                    if !self.take() {
                        break;
                    }
                    elements.push(self.raw_struct(one, depth + 1));
                }
                return Ok(list_value(elements, len, pointer));
            }
            ElementSize::Void => {
                return Ok(Value::List { elements: Vec::new(), more: len, digest: of_pointer(pointer) });
            }
            ElementSize::Bit => 1,
            ElementSize::TwoBytes => 16,
            ElementSize::FourBytes => 32,
            ElementSize::EightBytes => 64,
        };
        let mut elements = Vec::new();
        for at in 0..len.min(self.cuts.elements as usize) {
            if !self.take() {
                break;
            }
            elements.push(Value::UInt(element(bytes, at, width)));
        }
        Ok(list_value(elements, len, pointer))
    }
}

/// A list of which some elements were read.
pub(super) fn list_value(elements: Vec<Value>, len: usize, pointer: PointerReader) -> Value {
    let more = len - elements.len();
    let digest = if more == 0 { digest::NONE } else { of_pointer(pointer) };
    Value::List { elements, more, digest }
}

/// Little-endian words; the last one may be filled up with zeros.
pub(super) fn words(bytes: &[u8]) -> Vec<u64> {
    let word = |chunk: &[u8]| {
        let mut word = [0; 8];
        word[..chunk.len()].copy_from_slice(chunk);
        u64::from_le_bytes(word)
    };
    bytes.chunks(8).map(word).collect()
}

/// An element of `width` bits of a list of numbers.
fn element(bytes: &[u8], at: usize, width: usize) -> u64 {
    if width == 1 {
        return u64::from(bytes[at / 8] >> (at % 8) & 1);
    }
    let len = width / 8;
    words(&bytes[at * len..(at + 1) * len])[0]
}

fn text_or_data(bytes: &[u8], cuts: Cuts) -> Value {
    if let [text @ .., 0] = bytes
        && let Ok(text) = std::str::from_utf8(text)
        && !text.is_empty()
        && !text.contains(|c: char| c.is_control() && !c.is_whitespace())
    {
        return text_value(text, cuts);
    }
    data_value(bytes, cuts)
}
