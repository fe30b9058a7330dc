//! Reads a payload's content into a [`Value`] by the schema.
//!
//! The bytes may be anything. capnp's reader checks every pointer and charges it to the message's traversal limit. The
//! limits here keep a line readable and the work in proportion to the frame. Whatever is left out because of them is
//! there as a [digest](super::digest). Bits and pointers that the schema does not know, because the sender's is newer,
//! are there too, as a field `unknown`.

#[cfg(test)]
mod tests;

use std::sync::Arc;

use capnp::any_pointer;
use capnp::capability::{Promise, Request};
use capnp::message::ReaderOptions;
use capnp::primitive_list;
use capnp::private::capability::{ClientHook, ParamsHook, ResultsHook};
use capnp::private::layout::{CapTable, PointerReader, PointerType, PrimitiveElement, StructReader};
use capnp::traits::{FromPointerReader, Imbue};
use capnp_rpc::rpc_capnp::payload;

use super::digest;
use super::digest::{data_section, of_bytes, of_pointer, of_struct, pointer_count, structs};
use super::raw::{list_value, words};
use crate::frames::{Cap, Value};
use crate::schema::{Brand, Instance, Literal, Place, Schema, Struct, Type};

/// Bytes of the texts of an exception that are kept, at most.
const MAX_TEXT_BYTES: usize = 256;

/// How much of a payload is read.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cuts {
    /// The deepest nesting that is read. A field of the content is at depth 1.
    pub(super) depth: u32,
    /// Elements of one list that are read, at most.
    pub(super) elements: u32,
    /// Values of one payload that are read, at most.
    pub(super) values: u32,
    /// Bytes of one text that are kept, at most.
    pub(super) text_bytes: usize,
    /// Words of one struct without a schema that are shown, at most.
    pub(super) words: usize,
    /// Whether the content of Data is kept.
    pub(super) data: bool,
}

impl Cuts {
    /// What fits on a line.
    pub(super) const LINE: Self =
        Self { depth: 16, elements: 64, values: 512, text_bytes: MAX_TEXT_BYTES, words: 32, data: false };
    /// Everything, as long as it is no attack on the memory of the reader. The depth is what capnp's reader allows.
    pub(super) const WHOLE: Self = Self {
        depth: 64,
        elements: u32::MAX,
        values: 1 << 20,
        text_bytes: usize::MAX,
        words: usize::MAX,
        data: true,
    };
}

/// The name of a field that holds what the schema does not know.
const UNKNOWN: &str = "unknown";

/// The limits for reading a frame of `bytes` bytes. A message that visits each of its objects a few times stays far
/// below them. A message whose pointers visit the same object again and again is stopped.
pub(crate) fn limits(bytes: usize) -> ReaderOptions {
    ReaderOptions { traversal_limit_in_words: Some(bytes / 2 + (64 << 10)), nesting_limit: 64 }
}

/// Names the capabilities of a payload.
pub(super) trait CapNames {
    /// The number of entries in the payload's capability table.
    fn len(&self) -> usize;

    /// The entry at `index`, which is sent in a field of type `ty`; `None` if the table is shorter.
    fn cap(&mut self, index: usize, ty: Option<&Instance>) -> Option<Cap>;

    /// The name of an interface.
    fn interface(&self, ty: Option<&Instance>) -> Arc<str>;
}

/// Reads a payload's content as a struct of type `ty` or, without a type, as an untyped value.
pub(super) fn read_content(
    schema: &Schema,
    payload: payload::Reader,
    caps: &mut dyn CapNames,
    ty: Option<&Instance>,
    cuts: Cuts,
) -> Value {
    let handles: CapTable = (0..caps.len()).map(|index| Some(Handle(index).add_ref())).collect();
    let mut content = payload.get_content();
    content.imbue(&handles);
    let mut reader = Reader { schema, caps, cuts, values_left: cuts.values };
    let pointer = match content.get_as::<Pointer>() {
        Ok(Pointer(pointer)) => pointer,
        Err(error) => return Value::Malformed(error.to_string()),
    };
    match ty.and_then(|ty| Some((ty, schema.structs.get(&ty.id)?))) {
        // A null pointer stands for a struct in which nothing is set.
        Some((ty, layout)) => match pointer.get_struct(None) {
            Ok(content) => reader.fields(&content, layout, &ty.brand, 0),
            Err(error) => Value::Malformed(error.to_string()),
        },
        None => reader.pointer(pointer, &Type::AnyPointer, 0),
    }
}

/// A value that the schema spells out: a default or a constant.
#[must_use]
pub fn read_literal(schema: &Schema, literal: &Literal, ty: &Type) -> Value {
    let cuts = Cuts::LINE;
    let mut reader = Reader { schema, caps: &mut NoCaps, cuts, values_left: cuts.values };
    reader.literal(literal, ty, 0)
}

/// A value that no schema describes and that holds no capability.
pub(super) fn read_untyped(content: any_pointer::Reader, cuts: Cuts) -> Value {
    let schema = Schema::default();
    let mut reader = Reader { schema: &schema, caps: &mut NoCaps, cuts, values_left: cuts.values };
    match content.get_as::<Pointer>() {
        Ok(Pointer(pointer)) => reader.pointer(pointer, &Type::AnyPointer, 0),
        Err(error) => Value::Malformed(error.to_string()),
    }
}

/// A content as a struct of type `id`, which holds no capability.
pub(super) fn read_struct(schema: &Schema, content: any_pointer::Reader, id: u64, cuts: Cuts) -> Value {
    let mut reader = Reader { schema, caps: &mut NoCaps, cuts, values_left: cuts.values };
    match content.get_as::<Pointer>() {
        Ok(Pointer(pointer)) => reader.pointer(pointer, &Type::Struct(Instance::plain(id)), 0),
        Err(error) => Value::Malformed(error.to_string()),
    }
}

pub(super) struct Reader<'a> {
    schema: &'a Schema,
    caps: &'a mut dyn CapNames,
    pub(super) cuts: Cuts,
    values_left: u32,
}

impl Reader<'_> {
    /// Takes one of the values that may be read. Returns false if none is left.
    pub(super) fn take(&mut self) -> bool {
        let is_left = self.values_left > 0;
        self.values_left = self.values_left.saturating_sub(1);
        is_left
    }

    /// Elements of one list that may be read now.
    fn most_elements(&self) -> usize {
        self.cuts.elements.min(self.values_left) as usize
    }

    /// Reads a pointer of a closed type.
    fn pointer(&mut self, pointer: PointerReader, ty: &Type, depth: u32) -> Value {
        if depth > self.cuts.depth || !self.take() {
            return Value::Cut(of_pointer(pointer));
        }
        let value = match ty {
            Type::Text => read_text(pointer, self.cuts),
            Type::Data => pointer.get_data(None).map(|bytes| data_value(bytes, self.cuts)),
            Type::List(element) => self.list(pointer, element, depth),
            Type::Struct(instance) => match self.schema.structs.get(&instance.id) {
                // Nothing is set in it. Its fields may contain such a struct again, without end.
                Some(_) if pointer.is_null() => Ok(Value::Null),
                Some(layout) => pointer
                    .get_struct(None)
                    .map(|reader| self.fields(&reader, layout, &instance.brand, depth)),
                None => self.raw(pointer, depth),
            },
            Type::Interface(instance) => match pointer.get_pointer_type() {
                Ok(PointerType::Null) => Ok(Value::Null),
                Ok(PointerType::Capability) => self.cap(pointer, Some(instance)),
                _ => self.raw(pointer, depth),
            },
            // The other types have no pointers.
            _ => self.raw(pointer, depth),
        };
        value.unwrap_or_else(|error| malformed(&error, pointer))
    }

    /// Reads a capability that is sent in a field of type `ty`.
    pub(super) fn cap(&mut self, pointer: PointerReader, ty: Option<&Instance>) -> capnp::Result<Value> {
        let index = pointer.get_capability()?.get_ptr();
        let interface = self.caps.interface(ty);
        Ok(self.caps.cap(index, ty).map_or(Value::Null, |cap| Value::Cap { cap, interface }))
    }

    fn fields(&mut self, reader: &StructReader, layout: &Struct, brand: &Brand, depth: u32) -> Value {
        let mut fields = self.known_fields(reader, layout, brand, depth);
        if let Some(unknown) = self.unknown(*reader, layout, depth) {
            fields.push((UNKNOWN.to_owned(), unknown));
        }
        Value::Struct(fields)
    }

    fn known_fields(
        &mut self,
        reader: &StructReader,
        layout: &Struct,
        brand: &Brand,
        depth: u32,
    ) -> Vec<(String, Value)> {
        let variant = layout.discriminant_offset.map(|offset| reader.get_data_field::<u16>(offset as usize));
        let mut fields = Vec::new();
        let mut variant_known = variant.is_none();
        for field in &layout.fields {
            if field.variant.is_some() {
                if field.variant != variant {
                    continue;
                }
                variant_known = true;
            }
            let value = match &field.place {
                Place::Slot { offset, ty, default } => {
                    self.slot(reader, *offset, &ty.close(brand), default, depth + 1)
                }
                Place::Group(id) => match self.schema.structs.get(id) {
                    Some(layout) if depth < self.cuts.depth && self.take() => {
                        Value::Struct(self.known_fields(reader, layout, brand, depth + 1))
                    }
                    _ => Value::Cut(of_struct(*reader)),
                },
            };
            fields.push((field.name.clone(), value));
        }
        if !variant_known {
            // A newer sender set it: the schema here has no name for the member that is set.
            fields.push(("union".to_owned(), Value::Enum(variant.unwrap_or_default().to_string())));
        }
        fields
    }

    /// The bits and pointers of a struct that its layout does not know, if there are any.
    fn unknown(&mut self, reader: StructReader, layout: &Struct, depth: u32) -> Option<Value> {
        let mut unknown_words = words(data_section(reader));
        for (word, used) in unknown_words.iter_mut().zip(&layout.used_bits) {
            *word &= !used;
        }
        while unknown_words.last() == Some(&0) {
            unknown_words.pop();
        }
        let mut pointers = Vec::new();
        for at in usize::from(layout.pointers)..pointer_count(reader) {
            let pointer = reader.get_pointer_field(at);
            if !pointer.is_null() {
                pointers.push(self.pointer(pointer, &Type::AnyPointer, depth + 1));
            }
        }
        let is_known = unknown_words.is_empty() && pointers.is_empty();
        (!is_known).then_some(Value::Raw { words: unknown_words, pointers })
    }

    fn slot(
        &mut self,
        reader: &StructReader,
        offset: u32,
        ty: &Type,
        default: &Literal,
        depth: u32,
    ) -> Value {
        let offset = offset as usize;
        let bits = match ty.width_bits() {
            Some(0) => 0,
            Some(1) => u64::from(reader.get_bool_field(offset)),
            Some(8) => u64::from(reader.get_data_field::<u8>(offset)),
            Some(16) => u64::from(reader.get_data_field::<u16>(offset)),
            Some(32) => u64::from(reader.get_data_field::<u32>(offset)),
            Some(_) => reader.get_data_field::<u64>(offset),
            None => {
                let pointer = reader.get_pointer_field(offset);
                return match default {
                    Literal::Pointer(_) if pointer.is_null() => self.literal(default, ty, depth),
                    _ => self.pointer(pointer, ty, depth),
                };
            }
        };
        if !self.take() {
            return Value::Cut(of_bytes(&bits.to_le_bytes()));
        }
        self.scalar(ty, bits ^ default.bits())
    }

    fn literal(&mut self, literal: &Literal, ty: &Type, depth: u32) -> Value {
        let mut bytes = match literal {
            Literal::Bits(bits) => return self.scalar(ty, *bits),
            Literal::Pointer(message) => &message[..],
        };
        let limits = limits(bytes.len());
        let message = capnp::serialize::read_message_from_flat_slice(&mut bytes, limits);
        let read = message.and_then(|message| {
            let Pointer(pointer) = message.get_root()?;
            Ok(self.pointer(pointer, ty, depth))
        });
        read.unwrap_or_else(|error| Value::Malformed(error.to_string()))
    }

    fn list(&mut self, pointer: PointerReader, ty: &Type, depth: u32) -> capnp::Result<Value> {
        let mut elements = Vec::new();
        let len = match ty.width_bits() {
            Some(width) => {
                let most = self.most_elements();
                let (list, len) = match width {
                    0 => scalars::<()>(&pointer, most, |()| 0)?,
                    1 => scalars::<bool>(&pointer, most, u64::from)?,
                    8 => scalars::<u8>(&pointer, most, u64::from)?,
                    16 => scalars::<u16>(&pointer, most, u64::from)?,
                    32 => scalars::<u32>(&pointer, most, u64::from)?,
                    _ => scalars::<u64>(&pointer, most, u64::from)?,
                };
                for bits in list {
                    if !self.take() {
                        break;
                    }
                    elements.push(self.scalar(ty, bits));
                }
                len as usize
            }
            None => {
                // A struct that no schema names may be a list of structs or, if it was one field once, of something
                // else.
                let layout = match ty {
                    Type::Struct(instance) => match self.schema.structs.get(&instance.id) {
                        Some(layout) => Some((layout, &instance.brand)),
                        None => return self.raw(pointer, depth),
                    },
                    _ => None,
                };
                let (len, list) = structs(pointer)?;
                for one in list.take(self.cuts.elements as usize) {
                    let Some((layout, brand)) = layout else {
                        if self.values_left == 0 {
                            break;
                        }
                        elements.push(self.pointer(one.get_pointer_field(0), ty, depth + 1));
                        continue;
                    };
                    if !self.take() {
                        break;
                    }
                    elements.push(if depth < self.cuts.depth {
                        self.fields(&one, layout, brand, depth + 1)
                    } else {
                        Value::Cut(of_struct(one))
                    });
                }
                len
            }
        };
        Ok(list_value(elements, len, pointer))
    }

    fn scalar(&self, ty: &Type, bits: u64) -> Value {
        match ty {
            Type::Bool => Value::Bool(bits != 0),
            // Shifted up and down again, to carry the sign into the upper bits.
            Type::Int(width) => Value::Int(bits.cast_signed() << (64 - width) >> (64 - width)),
            Type::UInt(_) => Value::UInt(bits),
            Type::Float(32) => Value::Float32(bits as u32),
            Type::Float(_) => Value::Float64(bits),
            Type::Enum(id) => {
                let name = self.schema.enums.get(id).and_then(|found| found.enumerants.get(bits as usize));
                Value::Enum(name.cloned().unwrap_or_else(|| bits.to_string()))
            }
            _ => Value::Void,
        }
    }
}

/// A pointer that cannot be read, with a digest of whatever it leads to.
pub(super) fn malformed(error: &capnp::Error, pointer: PointerReader) -> Value {
    Value::Malformed(format!("{error}, {}…", of_pointer(pointer)))
}

/// The first elements of a list of scalars, as bits, and the length of the list.
fn scalars<'a, T>(
    pointer: &PointerReader<'a>,
    most: usize,
    bits: impl Fn(T) -> u64,
) -> capnp::Result<(Vec<u64>, u32)>
where
    T: PrimitiveElement,
    primitive_list::Reader<'a, T>: FromPointerReader<'a>,
{
    let list = primitive_list::Reader::<T>::get_from_pointer(pointer, None)?;
    let len = list.len();
    Ok((list.iter().take(most).map(bits).collect(), len))
}

fn read_text(pointer: PointerReader, cuts: Cuts) -> capnp::Result<Value> {
    Ok(text_value(pointer.get_text(None)?.to_str()?, cuts))
}

/// Bytes, or their digest.
pub(super) fn data_value(bytes: &[u8], cuts: Cuts) -> Value {
    if cuts.data {
        return Value::Bytes(bytes.to_vec());
    }
    Value::Data { bytes: bytes.len(), digest: of_bytes(bytes) }
}

/// A text, or the start of a long one.
pub(super) fn text_value(text: &str, cuts: Cuts) -> Value {
    let start = text[..text.floor_char_boundary(cuts.text_bytes)].to_owned();
    let digest = if start.len() == text.len() { digest::NONE } else { of_bytes(text.as_bytes()) };
    Value::Text { start, bytes: text.len(), digest }
}

/// The start of a text that is kept, cut between characters.
pub(super) fn shorten(text: &str) -> &str {
    &text[..text.floor_char_boundary(MAX_TEXT_BYTES)]
}

/// An untyped pointer; capnp's `any_pointer::Reader` hides its own.
struct Pointer<'a>(PointerReader<'a>);

/// The capabilities of a message that has none.
struct NoCaps;

impl CapNames for NoCaps {
    fn len(&self) -> usize {
        0
    }

    fn cap(&mut self, _index: usize, _ty: Option<&Instance>) -> Option<Cap> {
        None
    }

    fn interface(&self, _ty: Option<&Instance>) -> Arc<str> {
        "capability".into()
    }
}

impl<'a> FromPointerReader<'a> for Pointer<'a> {
    fn get_from_pointer(
        reader: &PointerReader<'a>,
        _default: Option<&'a [capnp::Word]>,
    ) -> capnp::Result<Self> {
        Ok(Self(*reader))
    }
}

/// An index into a payload's capability table. capnp returns the capability that a pointer's index stands for, never
/// the index itself. So the table that it looks into holds these, and `get_ptr` returns the index. Nobody calls them.
struct Handle(usize);

impl ClientHook for Handle {
    fn add_ref(&self) -> Box<dyn ClientHook> {
        Box::new(Self(self.0))
    }
    fn new_call(
        &self,
        _interface_id: u64,
        _method_id: u16,
        _size_hint: Option<capnp::MessageSize>,
    ) -> Request<any_pointer::Owned, any_pointer::Owned> {
        unreachable!("the decoder calls no capability")
    }
    fn call(
        &self,
        _interface_id: u64,
        _method_id: u16,
        _params: Box<dyn ParamsHook>,
        _results: Box<dyn ResultsHook>,
    ) -> Promise<(), capnp::Error> {
        unreachable!("the decoder calls no capability")
    }
    fn get_brand(&self) -> usize {
        0
    }
    fn get_ptr(&self) -> usize {
        self.0
    }
    fn get_resolved(&self) -> Option<Box<dyn ClientHook>> {
        None
    }
    fn when_more_resolved(&self) -> Option<Promise<Box<dyn ClientHook>, capnp::Error>> {
        None
    }
    fn when_resolved(&self) -> Promise<(), capnp::Error> {
        Promise::ok(())
    }
}
