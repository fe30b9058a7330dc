//! Reads a payload's content into a [`Value`] by the schema.
//!
//! The bytes may be anything. capnp's reader checks every pointer and charges it to the message's traversal limit. The
//! limits here keep a line readable and the work in proportion to the frame.

#[cfg(test)]
mod tests;

use capnp::any_pointer;
use capnp::capability::{Promise, Request};
use capnp::message::ReaderOptions;
use capnp::primitive_list;
use capnp::private::capability::{ClientHook, ParamsHook, ResultsHook};
use capnp::private::layout::{CapTable, PointerReader, PointerType, PrimitiveElement, StructReader};
use capnp::struct_list;
use capnp::traits::{FromPointerReader, Imbue, IntoInternalStructReader};
use capnp_rpc::rpc_capnp::payload;
use twox_hash::XxHash3_64;

use super::{Cap, Value};
use crate::schema::{Place, Schema, Struct, Type};

/// The deepest nesting that is read. A field of the content is at depth 1.
const MAX_DEPTH: u32 = 16;
/// Elements of one list that are read, at most.
const MAX_ELEMENTS: u32 = 64;
/// Values of one payload that are read, at most.
const MAX_VALUES: u32 = 512;
/// Bytes of one text that are kept, at most.
const MAX_TEXT_BYTES: usize = 256;

/// The limits for reading a frame of `bytes` bytes. A message that visits each of its objects once stays far below
/// them. A message whose pointers visit the same object again and again is stopped.
pub(super) fn limits(bytes: usize) -> ReaderOptions {
    ReaderOptions { traversal_limit_in_words: Some(bytes / 2 + (64 << 10)), nesting_limit: 64 }
}

/// Reads a payload's content as a struct of type `ty` or, without a type, as an untyped value. A capability in it is
/// read as the descriptor in `caps` that it points to.
pub(super) fn read_content(
    schema: &Schema,
    payload: payload::Reader,
    caps: &[Cap],
    ty: Option<u64>,
) -> Value {
    let handles: CapTable = (0..caps.len()).map(|index| Some(Handle(index).add_ref())).collect();
    let mut content = payload.get_content();
    content.imbue(&handles);
    let mut reader = Reader { schema, caps, values_left: MAX_VALUES };
    let ty = ty.map_or(Type::AnyPointer, Type::Struct);
    match content.get_as::<Pointer>() {
        Ok(Pointer(pointer)) => reader.pointer(pointer, &ty, 0),
        Err(error) => Value::Malformed(error.to_string()),
    }
}

struct Reader<'a> {
    schema: &'a Schema,
    caps: &'a [Cap],
    values_left: u32,
}

impl Reader<'_> {
    fn pointer(&mut self, pointer: PointerReader, ty: &Type, depth: u32) -> Value {
        if depth > MAX_DEPTH || self.values_left == 0 {
            return Value::Cut;
        }
        self.values_left -= 1;
        let value = match ty {
            Type::Text => read_text(pointer),
            Type::Data => pointer.get_data(None).map(|bytes| {
                let [a, b, c, d, ..] = XxHash3_64::oneshot(bytes).to_be_bytes();
                Value::Data { bytes: bytes.len(), digest: [a, b, c, d] }
            }),
            Type::List(element) => self.list(pointer, element, depth),
            Type::Struct(id) => match self.schema.structs.get(id) {
                Some(layout) => pointer.get_struct(None).map(|reader| self.fields(&reader, layout, depth)),
                None => self.any(pointer),
            },
            // The other types have no pointers.
            _ => self.any(pointer),
        };
        value.unwrap_or_else(|error| Value::Malformed(error.to_string()))
    }

    fn any(&self, pointer: PointerReader) -> capnp::Result<Value> {
        let kind = match pointer.get_pointer_type()? {
            PointerType::Null => return Ok(Value::Null),
            PointerType::Capability => {
                let index = pointer.get_capability()?.get_ptr();
                return Ok(self.caps.get(index).map_or(Value::Null, |cap| Value::Cap(cap.clone())));
            }
            PointerType::Struct => "AnyStruct",
            PointerType::List => "AnyList",
        };
        let size = pointer.total_size()?;
        Ok(Value::Opaque { kind, words: size.word_count, caps: size.cap_count })
    }

    fn fields(&mut self, reader: &StructReader, layout: &Struct, depth: u32) -> Value {
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
                Place::Slot { offset, ty, default } => self.slot(reader, *offset, ty, *default, depth + 1),
                Place::Group(id) => match self.schema.structs.get(id) {
                    Some(layout) if depth < MAX_DEPTH && self.values_left > 0 => {
                        self.values_left -= 1;
                        self.fields(reader, layout, depth + 1)
                    }
                    _ => Value::Cut,
                },
            };
            fields.push((field.name.clone(), value));
        }
        if !variant_known {
            // A newer sender set it: the schema here has no name for the member that is set.
            fields.push(("union".to_owned(), Value::Enum(variant.unwrap_or_default().to_string())));
        }
        Value::Struct(fields)
    }

    fn slot(&mut self, reader: &StructReader, offset: u32, ty: &Type, default: u64, depth: u32) -> Value {
        let offset = offset as usize;
        let bits = match ty.width_bits() {
            Some(0) => 0,
            Some(1) => u64::from(reader.get_bool_field(offset)),
            Some(8) => u64::from(reader.get_data_field::<u8>(offset)),
            Some(16) => u64::from(reader.get_data_field::<u16>(offset)),
            Some(32) => u64::from(reader.get_data_field::<u32>(offset)),
            Some(_) => reader.get_data_field::<u64>(offset),
            None => return self.pointer(reader.get_pointer_field(offset), ty, depth),
        };
        if self.values_left == 0 {
            return Value::Cut;
        }
        self.values_left -= 1;
        self.scalar(ty, bits ^ default)
    }

    fn list(&mut self, pointer: PointerReader, ty: &Type, depth: u32) -> capnp::Result<Value> {
        let mut elements = Vec::new();
        let mut element = |this: &mut Self, read: &dyn Fn(&mut Self) -> Value| {
            if this.values_left > 0 {
                elements.push(read(this));
            }
        };
        let len = match (ty, ty.width_bits()) {
            (Type::Struct(id), _) if self.schema.structs.contains_key(id) => {
                let layout = &self.schema.structs[id];
                // Any generated struct will do as a stand-in: only its untyped reader is used.
                let list = struct_list::Reader::<payload::Owned>::get_from_pointer(&pointer, None)?;
                for one in list.iter().take(MAX_ELEMENTS as usize) {
                    let one = one.into_internal_struct_reader();
                    element(self, &|this| {
                        this.values_left -= 1;
                        if depth < MAX_DEPTH { this.fields(&one, layout, depth + 1) } else { Value::Cut }
                    });
                }
                list.len()
            }
            // A list of structs that no schema names has no pointers as elements.
            (Type::Struct(_), _) => return self.any(pointer),
            (_, Some(width)) => {
                let (list, len) = match width {
                    0 => scalars::<()>(&pointer, |()| 0)?,
                    1 => scalars::<bool>(&pointer, u64::from)?,
                    8 => scalars::<u8>(&pointer, u64::from)?,
                    16 => scalars::<u16>(&pointer, u64::from)?,
                    32 => scalars::<u32>(&pointer, u64::from)?,
                    _ => scalars::<u64>(&pointer, u64::from)?,
                };
                for bits in list {
                    element(self, &|this| {
                        this.values_left -= 1;
                        this.scalar(ty, bits)
                    });
                }
                len
            }
            (_, None) => {
                let list = capnp::any_pointer_list::Reader::get_from_pointer(&pointer, None)?;
                for one in list.iter().take(MAX_ELEMENTS as usize) {
                    let Pointer(one) = one?.get_as()?;
                    element(self, &|this| this.pointer(one, ty, depth + 1));
                }
                list.len()
            }
        };
        let more = len as usize - elements.len();
        Ok(Value::List { elements, more })
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
                let name = self.schema.enums.get(id).and_then(|names| names.get(bits as usize));
                Value::Enum(name.cloned().unwrap_or_else(|| bits.to_string()))
            }
            _ => Value::Void,
        }
    }
}

/// The first elements of a list of scalars, as bits, and the length of the list.
fn scalars<'a, T>(pointer: &PointerReader<'a>, bits: impl Fn(T) -> u64) -> capnp::Result<(Vec<u64>, u32)>
where
    T: PrimitiveElement,
    primitive_list::Reader<'a, T>: FromPointerReader<'a>,
{
    let list = primitive_list::Reader::<T>::get_from_pointer(pointer, None)?;
    let len = list.len();
    Ok((list.iter().take(MAX_ELEMENTS as usize).map(bits).collect(), len))
}

fn read_text(pointer: PointerReader) -> capnp::Result<Value> {
    let text = pointer.get_text(None)?.to_str()?;
    Ok(Value::Text { start: shorten(text).to_owned(), bytes: text.len() })
}

/// The start of a text that is kept, cut between characters.
pub(super) fn shorten(text: &str) -> &str {
    &text[..text.floor_char_boundary(MAX_TEXT_BYTES)]
}

/// An untyped pointer; capnp's `any_pointer::Reader` hides its own.
struct Pointer<'a>(PointerReader<'a>);

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
