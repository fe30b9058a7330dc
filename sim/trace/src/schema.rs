//! A schema as plain lookup tables: names of interfaces and methods, layout of structs and enums.
//!
//! Generated code has no interface schema at run time. So the tables are read from a CodeGeneratorRequest, the message
//! that the `capnp` compiler hands to its plugins (`capnp compile -o- x.capnp > x.cgr`). Types are named by their
//! 64-bit ids, as on the wire.
//!
//! Not here: constants, annotations, the brands of generics (a type parameter reads as `AnyPointer`), the superclasses
//! of interfaces (a Call names the interface that declares its method, never one that inherits it), and default values
//! of pointer fields. This module reads no message of a link: see [`crate::frames`].

use std::collections::BTreeMap;
use std::fmt;

use capnp::message::ReaderOptions;
use capnp::schema_capnp::{code_generator_request, field, node, type_, value};

/// Groups of one struct that are searched for a field, at most.
const MAX_GROUPS: u32 = 64;

/// The result type of methods that are declared as `-> stream`: `StreamResult` of capnp's `stream.capnp`.
const STREAM_RESULT: u64 = 0x995f_9a33_77c0_b16e;

/// The tables of one or several CodeGeneratorRequests.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Schema {
    /// Interfaces by type id.
    pub interfaces: BTreeMap<u64, Interface>,
    /// Structs by type id, including the parameters and results of methods, and including groups.
    pub structs: BTreeMap<u64, Struct>,
    /// The enumerants of each enum by type id, in the order of their values.
    pub enums: BTreeMap<u64, Vec<String>>,
}

/// An interface.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Interface {
    /// The name without its scope: `Executor`.
    pub name: String,
    /// Its own methods; the index is the method id.
    pub methods: Vec<Method>,
}

/// A method of an interface.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Method {
    /// The name as written in the schema: `runBytes`.
    pub name: String,
    /// The struct type of the parameters.
    pub params: u64,
    /// The struct type of the results.
    pub results: u64,
}

/// A struct or a group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Struct {
    /// The place of the union's discriminant, in units of 16 bits, if the struct has an unnamed union.
    pub discriminant_offset: Option<u32>,
    /// The fields in the order in which the schema declares them.
    pub fields: Vec<Field>,
}

/// A field of a struct.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Field {
    /// The name as written in the schema.
    pub name: String,
    /// The value of the discriminant while this field is set; `None` outside a union.
    pub variant: Option<u16>,
    /// The place of the field's value.
    pub place: Place,
}

/// The place of a field's value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// In the data or the pointer section.
    Slot {
        /// In units of the type's own size from the section's start.
        offset: u32,
        /// The type of the value.
        ty: Type,
        /// The bits that the wire's bits are XORed with; 0 for pointers.
        default: u64,
    },
    /// Among the fields of the struct around it: a group, described by the struct of this id.
    Group(u64),
}

/// The type of a field or of a list's elements.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Type {
    /// No bits.
    Void,
    /// One bit.
    Bool,
    /// A signed integer of this many bits: 8, 16, 32 or 64.
    Int(u8),
    /// An unsigned integer of this many bits: 8, 16, 32 or 64.
    UInt(u8),
    /// A float of this many bits: 32 or 64.
    Float(u8),
    /// An enum, by type id.
    Enum(u64),
    /// UTF-8.
    Text,
    /// Bytes.
    Data,
    /// A list of such elements.
    List(Box<Type>),
    /// A struct, by type id.
    Struct(u64),
    /// A capability, by type id of its interface.
    Interface(u64),
    /// Any value that the sender put there.
    AnyPointer,
}

/// The reason why a schema could not be loaded.
#[derive(Debug)]
#[non_exhaustive]
pub enum Error {
    /// The bytes are not a CodeGeneratorRequest. Make one with `capnp compile -o- x.capnp > x.cgr`.
    Request(capnp::Error),
}

impl Schema {
    /// Loads the tables from the bytes of a CodeGeneratorRequest.
    ///
    /// # Errors
    ///
    /// [`Error::Request`] if the bytes are not one whole CodeGeneratorRequest.
    pub fn from_request(bytes: &[u8]) -> Result<Self, Error> {
        let mut schema = Self::default();
        schema.load(bytes).map_err(Error::Request)?;
        Ok(schema)
    }

    /// Adds the tables of another schema. If both describe one id, the other's description stays.
    pub fn extend(&mut self, other: Self) {
        self.interfaces.extend(other.interfaces);
        self.structs.extend(other.structs);
        self.enums.extend(other.enums);
    }

    /// Finds a method by the two numbers that a Call carries.
    #[must_use]
    pub fn method(&self, interface_id: u64, method_id: u16) -> Option<&Method> {
        self.interfaces.get(&interface_id)?.methods.get(usize::from(method_id))
    }

    /// A method by name, `Executor.echo`, or by its numbers if the schema lacks it.
    #[must_use]
    pub fn method_name(&self, interface_id: u64, method_id: u16) -> String {
        match (self.interfaces.get(&interface_id), self.method(interface_id, method_id)) {
            (Some(interface), Some(method)) => format!("{}.{}", interface.name, method.name),
            _ => format!("@{interface_id:#018x}.method{method_id}"),
        }
    }

    /// Whether a method is declared as `-> stream`; false if the schema lacks it.
    #[must_use]
    pub fn streams(&self, interface_id: u64, method_id: u16) -> bool {
        self.method(interface_id, method_id).is_some_and(|method| method.results == STREAM_RESULT)
    }

    /// Finds the field at a place of a struct's pointer section. Returns its name, with those of the groups around it,
    /// and the struct type it points to, if it points to one. The result is `None` if several members of a union share
    /// the place, because then no single name is right.
    #[must_use]
    pub fn pointer_field(&self, struct_id: u64, index: u16) -> Option<(String, Option<u64>)> {
        let mut found = Vec::new();
        let mut layouts = vec![(struct_id, String::new())];
        // A forged schema may have groups that contain themselves.
        for _ in 0..MAX_GROUPS {
            let Some((id, group)) = layouts.pop() else { break };
            for field in self.structs.get(&id).map_or(&[][..], |layout| &layout.fields) {
                let name = format!("{group}{}", field.name);
                match &field.place {
                    Place::Slot { offset, ty, .. }
                        if *offset == u32::from(index) && ty.width_bits().is_none() =>
                    {
                        found.push((name, if let Type::Struct(id) = ty { Some(*id) } else { None }));
                    }
                    Place::Slot { .. } => {}
                    Place::Group(id) => layouts.push((*id, format!("{name}."))),
                }
            }
        }
        found.pop().filter(|_| found.is_empty())
    }

    fn load(&mut self, mut bytes: &[u8]) -> capnp::Result<()> {
        let message = capnp::serialize::read_message(&mut bytes, ReaderOptions::new())?;
        for node in message.get_root::<code_generator_request::Reader>()?.get_nodes()? {
            let id = node.get_id();
            match node.which()? {
                node::Struct(reader) => {
                    self.structs.insert(id, load_struct(reader)?);
                }
                node::Enum(reader) => {
                    let names = reader.get_enumerants()?.iter().map(|one| Ok(one.get_name()?.to_string()?));
                    self.enums.insert(id, names.collect::<capnp::Result<_>>()?);
                }
                node::Interface(reader) => {
                    let name = node.get_display_name()?.to_str()?;
                    // The prefix is the file and the scopes: "peer.capnp:Host." before "Peer".
                    let prefix_len = node.get_display_name_prefix_length() as usize;
                    let name = name.get(prefix_len..).unwrap_or(name).to_owned();
                    self.interfaces.insert(id, Interface { name, methods: load_methods(reader)? });
                }
                node::File(()) | node::Const(_) | node::Annotation(_) => {}
            }
        }
        Ok(())
    }
}

impl Type {
    /// The bits a value takes in the data section, or `None` for a type that lives in the pointer section.
    #[must_use]
    pub fn width_bits(&self) -> Option<u8> {
        match self {
            Self::Void => Some(0),
            Self::Bool => Some(1),
            Self::Int(width) | Self::UInt(width) | Self::Float(width) => Some(*width),
            Self::Enum(_) => Some(16),
            Self::Text
            | Self::Data
            | Self::List(_)
            | Self::Struct(_)
            | Self::Interface(_)
            | Self::AnyPointer => None,
        }
    }
}

fn load_methods(reader: node::interface::Reader) -> capnp::Result<Vec<Method>> {
    let load = |method: capnp::schema_capnp::method::Reader| {
        Ok(Method {
            name: method.get_name()?.to_string()?,
            params: method.get_param_struct_type(),
            results: method.get_result_struct_type(),
        })
    };
    reader.get_methods()?.iter().map(load).collect()
}

fn load_struct(reader: node::struct_::Reader) -> capnp::Result<Struct> {
    let mut fields = Vec::new();
    for field in reader.get_fields()? {
        fields.push((field.get_code_order(), load_field(field)?));
    }
    fields.sort_by_key(|(code_order, _)| *code_order);
    Ok(Struct {
        discriminant_offset: (reader.get_discriminant_count() > 0).then(|| reader.get_discriminant_offset()),
        fields: fields.into_iter().map(|(_, field)| field).collect(),
    })
}

fn load_field(field: field::Reader) -> capnp::Result<Field> {
    let variant = field.get_discriminant_value();
    let place = match field.which()? {
        field::Slot(slot) => Place::Slot {
            offset: slot.get_offset(),
            ty: load_type(slot.get_type()?)?,
            default: load_default(slot.get_default_value()?)?,
        },
        field::Group(group) => Place::Group(group.get_type_id()),
    };
    Ok(Field {
        name: field.get_name()?.to_string()?,
        variant: (variant != field::NO_DISCRIMINANT).then_some(variant),
        place,
    })
}

fn load_type(ty: type_::Reader) -> capnp::Result<Type> {
    Ok(match ty.which()? {
        type_::Void(()) => Type::Void,
        type_::Bool(()) => Type::Bool,
        type_::Int8(()) => Type::Int(8),
        type_::Int16(()) => Type::Int(16),
        type_::Int32(()) => Type::Int(32),
        type_::Int64(()) => Type::Int(64),
        type_::Uint8(()) => Type::UInt(8),
        type_::Uint16(()) => Type::UInt(16),
        type_::Uint32(()) => Type::UInt(32),
        type_::Uint64(()) => Type::UInt(64),
        type_::Float32(()) => Type::Float(32),
        type_::Float64(()) => Type::Float(64),
        type_::Text(()) => Type::Text,
        type_::Data(()) => Type::Data,
        // The reader's nesting limit bounds this recursion.
        type_::List(list) => Type::List(Box::new(load_type(list.get_element_type()?)?)),
        type_::Enum(ty) => Type::Enum(ty.get_type_id()),
        type_::Struct(ty) => Type::Struct(ty.get_type_id()),
        type_::Interface(ty) => Type::Interface(ty.get_type_id()),
        type_::AnyPointer(_) => Type::AnyPointer,
    })
}

fn load_default(default: value::Reader) -> capnp::Result<u64> {
    Ok(match default.which()? {
        value::Bool(bit) => u64::from(bit),
        // Signed defaults are kept in their own width: XOR must not touch the bits above it.
        value::Int8(int) => u64::from(int.cast_unsigned()),
        value::Int16(int) => u64::from(int.cast_unsigned()),
        value::Int32(int) => u64::from(int.cast_unsigned()),
        value::Int64(int) => int.cast_unsigned(),
        value::Uint8(int) => u64::from(int),
        value::Uint16(int) | value::Enum(int) => u64::from(int),
        value::Uint32(int) => u64::from(int),
        value::Uint64(int) => int,
        value::Float32(float) => u64::from(float.to_bits()),
        value::Float64(float) => float.to_bits(),
        _ => 0,
    })
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Request(_) => f.write_str(
                "these bytes are no CodeGeneratorRequest; make one with `capnp compile -o- x.capnp`",
            ),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Request(cause) => Some(cause),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pointer_fields_are_found_through_groups() {
        let slot = |name: &str, offset, ty| {
            let place = Place::Slot { offset, ty, default: 0 };
            Field { name: name.to_owned(), variant: None, place }
        };
        let group = |name: &str, id| Field { name: name.to_owned(), variant: None, place: Place::Group(id) };
        let layout = |fields| Struct { discriminant_offset: None, fields };
        let outer =
            vec![slot("count", 1, Type::UInt(8)), slot("next", 0, Type::Struct(7)), group("inner", 2)];
        // The group contains itself, which no compiler would write.
        let inner = vec![slot("cap", 1, Type::Interface(8)), group("inner", 2)];
        let mut schema =
            Schema { structs: [(1, layout(outer)), (2, layout(inner))].into(), ..Schema::default() };
        assert_eq!(schema.pointer_field(1, 0), Some(("next".to_owned(), Some(7))));
        assert_eq!(schema.pointer_field(1, 1), None, "one name for every turn of the group");
        schema.structs.get_mut(&2).expect("inserted").fields.pop();
        assert_eq!(schema.pointer_field(1, 1), Some(("inner.cap".to_owned(), None)));
        assert_eq!(schema.pointer_field(1, 2), None);
    }
}
