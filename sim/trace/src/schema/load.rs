//! Reads the tables out of a CodeGeneratorRequest.

use std::collections::{BTreeMap, BTreeSet};

use capnp::message::{self, ReaderOptions};
use capnp::schema_capnp::{brand, code_generator_request, field, method, node, superclass, type_, value};
use capnp::{any_pointer, data, struct_list, text};

use super::brand::Arguments;
use super::{
    Brand, Constant, Enum, Field, Instance, Interface, Literal, MAX_GROUPS, Method, Place, Schema, Struct,
    Type,
};

/// The largest data section, in words. Struct pointers count them in 16 bits.
const MAX_DATA_WORDS: usize = 1 << 16;

/// The tables of the request in these bytes.
pub(super) fn load(mut bytes: &[u8]) -> capnp::Result<Schema> {
    // A schema is the user's own file, so it may be large. Each of its objects is visited about once.
    let words = bytes.len() / 8;
    let options = ReaderOptions { traversal_limit_in_words: Some(8 * words + 1024), nesting_limit: 64 };
    let message = capnp::serialize::read_message(&mut bytes, options)?;
    let mut schema = Schema::default();
    for node in message.get_root::<code_generator_request::Reader>()?.get_nodes()? {
        let id = node.get_id();
        let name = load_name(node)?;
        match node.which()? {
            node::Struct(reader) => {
                schema.structs.insert(id, load_struct(name, reader)?);
            }
            node::Enum(reader) => {
                let names = reader.get_enumerants()?.iter().map(|one| Ok(one.get_name()?.to_string()?));
                let enumerants = names.collect::<capnp::Result<_>>()?;
                schema.enums.insert(id, Enum { name, enumerants });
            }
            node::Interface(reader) => {
                let methods = load_methods(reader.get_methods()?)?;
                let superclasses = load_superclasses(reader.get_superclasses()?)?;
                schema.interfaces.insert(id, Interface { name, methods, superclasses });
            }
            node::Const(reader) => {
                let ty = load_type(reader.get_type()?)?;
                let value = load_value(reader.get_value()?)?;
                schema.constants.insert(id, Constant { name, ty, value });
            }
            node::File(()) | node::Annotation(_) => {}
        }
    }
    mark_used_bits(&mut schema.structs);
    Ok(schema)
}

/// The name without its scope. The scope is the file and the types around it: "peer.capnp:Host." before "Peer".
fn load_name(node: node::Reader) -> capnp::Result<String> {
    let name = node.get_display_name()?.to_str()?;
    let prefix_len = node.get_display_name_prefix_length() as usize;
    Ok(name.get(prefix_len..).unwrap_or(name).to_owned())
}

fn load_methods(methods: struct_list::Reader<method::Owned>) -> capnp::Result<Vec<Method>> {
    let mut loaded = Vec::new();
    for method in methods {
        loaded.push(Method {
            name: method.get_name()?.to_string()?,
            params: Instance {
                id: method.get_param_struct_type(),
                brand: load_brand(method.get_param_brand()?)?,
            },
            results: Instance {
                id: method.get_result_struct_type(),
                brand: load_brand(method.get_result_brand()?)?,
            },
        });
    }
    Ok(loaded)
}

fn load_superclasses(superclasses: struct_list::Reader<superclass::Owned>) -> capnp::Result<Vec<Instance>> {
    let load =
        |one: superclass::Reader| Ok(Instance { id: one.get_id(), brand: load_brand(one.get_brand()?)? });
    superclasses.iter().map(load).collect()
}

fn load_struct(name: String, reader: node::struct_::Reader) -> capnp::Result<Struct> {
    let mut fields = Vec::new();
    for field in reader.get_fields()? {
        fields.push((field.get_code_order(), load_field(field)?));
    }
    fields.sort_by_key(|(code_order, _)| *code_order);
    Ok(Struct {
        name,
        discriminant_offset: (reader.get_discriminant_count() > 0).then(|| reader.get_discriminant_offset()),
        fields: fields.into_iter().map(|(_, field)| field).collect(),
        used_bits: Vec::new(),
        pointers: reader.get_pointer_count(),
    })
}

fn load_field(field: field::Reader) -> capnp::Result<Field> {
    let variant = field.get_discriminant_value();
    let place = match field.which()? {
        field::Slot(slot) => Place::Slot {
            offset: slot.get_offset(),
            ty: load_type(slot.get_type()?)?,
            default: load_value(slot.get_default_value()?)?,
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
        type_::Struct(ty) => {
            Type::Struct(Instance { id: ty.get_type_id(), brand: load_brand(ty.get_brand()?)? })
        }
        type_::Interface(ty) => {
            Type::Interface(Instance { id: ty.get_type_id(), brand: load_brand(ty.get_brand()?)? })
        }
        type_::AnyPointer(any) => match any.which()? {
            type_::any_pointer::Parameter(parameter) => {
                Type::Parameter { scope: parameter.get_scope_id(), index: parameter.get_parameter_index() }
            }
            // The type of a method's own parameter is known to the caller alone.
            type_::any_pointer::Unconstrained(_) | type_::any_pointer::ImplicitMethodParameter(_) => {
                Type::AnyPointer
            }
        },
    })
}

fn load_brand(reader: brand::Reader) -> capnp::Result<Brand> {
    let mut scopes = BTreeMap::new();
    for scope in reader.get_scopes()? {
        let arguments = match scope.which()? {
            brand::scope::Bind(bindings) => {
                let mut types = Vec::new();
                for binding in bindings? {
                    types.push(match binding.which()? {
                        brand::binding::Unbound(()) => Type::AnyPointer,
                        brand::binding::Type(ty) => load_type(ty?)?,
                    });
                }
                Arguments::Bound(types)
            }
            brand::scope::Inherit(()) => Arguments::Inherited,
        };
        scopes.insert(scope.get_scope_id(), arguments);
    }
    Ok(Brand::new(scopes))
}

/// A default value, or the value of a constant.
fn load_value(value: value::Reader) -> capnp::Result<Literal> {
    Ok(Literal::Bits(match value.which()? {
        value::Bool(bit) => u64::from(bit),
        // Signed values are kept in their own width: XOR must not touch the bits above it.
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
        value::Text(Err(error)) | value::Data(Err(error)) => return Err(error),
        value::Text(Ok(text)) if !text.is_empty() => {
            return pointer(|root| root.set_as::<text::Owned>(text));
        }
        value::Data(Ok(data)) if !data.is_empty() => {
            return pointer(|root| root.set_as::<data::Owned>(data));
        }
        value::List(any) | value::Struct(any) | value::AnyPointer(any) if !any.is_null() => {
            return pointer(|root| root.set_as::<any_pointer::Owned>(any));
        }
        // The rest are null pointers, or have no bits.
        _ => 0,
    }))
}

/// A message whose root is set by `set`.
fn pointer(
    set: impl FnOnce(&mut capnp::any_pointer::Builder) -> capnp::Result<()>,
) -> capnp::Result<Literal> {
    let mut message = message::Builder::new_default();
    set(&mut message.init_root())?;
    Ok(Literal::Pointer(capnp::serialize::write_message_to_words(&message).into()))
}

/// Notes for each struct which bits of its data section have a meaning.
fn mark_used_bits(structs: &mut BTreeMap<u64, Struct>) {
    let mut marked = BTreeMap::new();
    for &id in structs.keys() {
        let mut bits = Vec::new();
        let mut left = vec![id];
        let mut seen = BTreeSet::new();
        while let Some(id) = left.pop() {
            // A forged schema may have groups that contain themselves.
            if seen.len() >= MAX_GROUPS as usize || !seen.insert(id) {
                continue;
            }
            let Some(layout) = structs.get(&id) else { continue };
            if let Some(offset) = layout.discriminant_offset {
                mark(&mut bits, offset, 16);
            }
            for field in &layout.fields {
                match &field.place {
                    Place::Slot { offset, ty, .. } => mark(&mut bits, *offset, ty.width_bits().unwrap_or(0)),
                    Place::Group(group) => left.push(*group),
                }
            }
        }
        marked.insert(id, bits);
    }
    for (id, bits) in marked {
        if let Some(layout) = structs.get_mut(&id) {
            layout.used_bits = bits;
        }
    }
}

/// Marks the bits of a value of `width` bits, at `offset` in units of that width.
fn mark(bits: &mut Vec<u64>, offset: u32, width: u8) {
    if width == 0 {
        return;
    }
    let first = u64::from(offset) * u64::from(width);
    let word = (first / 64) as usize;
    if word >= MAX_DATA_WORDS {
        return;
    }
    if bits.len() <= word {
        bits.resize(word + 1, 0);
    }
    bits[word] |= (u64::MAX >> (64 - width)) << (first % 64);
}
