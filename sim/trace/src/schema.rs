//! A schema as plain lookup tables: names of interfaces and methods, layout of structs and enums.
//!
//! Generated code has no interface schema at run time. So the tables are read from a CodeGeneratorRequest, the message
//! that the `capnp` compiler hands to its plugins (`capnp compile -o- x.capnp > x.cgr`). Types are named by their
//! 64-bit ids, as on the wire.
//!
//! Not here: annotations, which say nothing about the wire. This module reads no message of a link: see
//! [`crate::frames`].

mod brand;
mod load;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

pub use brand::{Brand, Instance, Type};

/// Groups of one struct that are searched for a field, at most.
const MAX_GROUPS: u32 = 64;

/// Interfaces that are searched for a superclass, at most.
const MAX_SUPERCLASSES: u32 = 256;

/// The result type of methods that are declared as `-> stream`: `StreamResult` of capnp's `stream.capnp`.
const STREAM_RESULT: u64 = 0x995f_9a33_77c0_b16e;

/// The tables of one or several CodeGeneratorRequests.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Schema {
    /// Interfaces by type id.
    pub interfaces: BTreeMap<u64, Interface>,
    /// Structs by type id, including the parameters and results of methods, and including groups.
    pub structs: BTreeMap<u64, Struct>,
    /// Enums by type id.
    pub enums: BTreeMap<u64, Enum>,
    /// Constants by id.
    pub constants: BTreeMap<u64, Constant>,
}

/// An interface.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Interface {
    /// The name without its scope: `Executor`.
    pub name: String,
    /// Its own methods; the index is the method id.
    pub methods: Vec<Method>,
    /// The interfaces that it extends, with their arguments.
    pub superclasses: Vec<Instance>,
}

/// A method of an interface.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Method {
    /// The name as written in the schema: `runBytes`.
    pub name: String,
    /// The struct type of the parameters.
    pub params: Instance,
    /// The struct type of the results.
    pub results: Instance,
}

/// A struct or a group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Struct {
    /// The name without its scope.
    pub name: String,
    /// The place of the union's discriminant, in units of 16 bits, if the struct has an unnamed union.
    pub discriminant_offset: Option<u32>,
    /// The fields in the order in which the schema declares them.
    pub fields: Vec<Field>,
    /// The bits of the data section that some field or discriminant uses, as words. It includes those of its groups.
    pub used_bits: Vec<u64>,
    /// The number of pointers that the schema knows.
    pub pointers: u16,
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
        /// The value of the field if it was not set.
        default: Literal,
    },
    /// Among the fields of the struct around it: a group, described by the struct of this id.
    Group(u64),
}

/// A value that the schema spells out: the default of a field, or a constant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Literal {
    /// The bits of a value in the data section. The wire holds a field's bits XORed with those of its default. 0 also
    /// stands for a null pointer.
    Bits(u64),
    /// The value of a pointer: a message whose root it is.
    Pointer(Arc<[u8]>),
}

/// An enum.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Enum {
    /// The name without its scope.
    pub name: String,
    /// The enumerants, in the order of their values.
    pub enumerants: Vec<String>,
}

/// A constant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Constant {
    /// The name without its scope.
    pub name: String,
    /// The type of the value.
    pub ty: Type,
    /// The value.
    pub value: Literal,
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
        load::load(bytes).map_err(Error::Request)
    }

    /// Adds the tables of another schema. If both describe one id, the other's description stays.
    pub fn extend(&mut self, other: Self) {
        self.interfaces.extend(other.interfaces);
        self.structs.extend(other.structs);
        self.enums.extend(other.enums);
        self.constants.extend(other.constants);
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
            // A newer version of the interface has it.
            (Some(interface), None) => format!("{}.method{method_id}", interface.name),
            (None, _) => format!("@{interface_id:#018x}.method{method_id}"),
        }
    }

    /// Whether a method is declared as `-> stream`; false if the schema lacks it.
    #[must_use]
    pub fn streams(&self, interface_id: u64, method_id: u16) -> bool {
        self.method(interface_id, method_id).is_some_and(|method| method.results.id == STREAM_RESULT)
    }

    /// A type as people write it: `Executor`, `List(Text)`, `Channel(Receipt)`. `None` if it is `AnyPointer`, or if the
    /// schema lacks it.
    #[must_use]
    pub fn type_name(&self, ty: &Type) -> Option<String> {
        let instance_name = |name: &str, instance: &Instance| {
            let arguments: Vec<String> = instance
                .brand
                .arguments(instance.id)
                .iter()
                .map(|argument| self.type_name(argument).unwrap_or_else(|| "AnyPointer".to_owned()))
                .collect();
            if arguments.is_empty() { name.to_owned() } else { format!("{name}({})", arguments.join(", ")) }
        };
        Some(match ty {
            Type::Void => "Void".to_owned(),
            Type::Bool => "Bool".to_owned(),
            Type::Int(width) => format!("Int{width}"),
            Type::UInt(width) => format!("UInt{width}"),
            Type::Float(width) => format!("Float{width}"),
            Type::Text => "Text".to_owned(),
            Type::Data => "Data".to_owned(),
            Type::List(element) => format!("List({})", self.type_name(element)?),
            Type::Enum(id) => self.enums.get(id)?.name.clone(),
            Type::Struct(instance) => instance_name(&self.structs.get(&instance.id)?.name, instance),
            Type::Interface(instance) => instance_name(&self.interfaces.get(&instance.id)?.name, instance),
            Type::Parameter { .. } | Type::AnyPointer => return None,
        })
    }

    /// The arguments that a capability of type `capability` gives to the interface `wanted`, which is its own interface
    /// or one that this extends. There are none if the capability's type says nothing about that interface.
    #[must_use]
    pub fn brand_of(&self, capability: &Instance, wanted: u64) -> Brand {
        let mut left = vec![capability.clone()];
        // A forged schema may have interfaces that extend themselves.
        for _ in 0..MAX_SUPERCLASSES {
            let Some(next) = left.pop() else { break };
            if next.id == wanted {
                return next.brand;
            }
            let extended = self.interfaces.get(&next.id).map_or(&[][..], |found| &found.superclasses);
            left.extend(extended.iter().map(|superclass| superclass.close(&next.brand)));
        }
        Brand::default()
    }

    /// Finds the field at a place of a struct's pointer section. Returns its name, with those of the groups around it,
    /// and its type. The result is `None` if several members of a union share the place, because then no single name is
    /// right.
    #[must_use]
    pub fn pointer_field(&self, instance: &Instance, index: u16) -> Option<(String, Type)> {
        let mut found = Vec::new();
        let mut layouts = vec![(instance.id, String::new())];
        // A forged schema may have groups that contain themselves.
        for _ in 0..MAX_GROUPS {
            let Some((id, group)) = layouts.pop() else { break };
            for field in self.structs.get(&id).map_or(&[][..], |layout| &layout.fields) {
                let name = format!("{group}{}", field.name);
                match &field.place {
                    Place::Slot { offset, ty, .. }
                        if *offset == u32::from(index) && ty.width_bits().is_none() =>
                    {
                        found.push((name, ty.close(&instance.brand).into_owned()));
                    }
                    Place::Slot { .. } => {}
                    Place::Group(id) => layouts.push((*id, format!("{name}."))),
                }
            }
        }
        found.pop().filter(|_| found.is_empty())
    }
}

impl Literal {
    /// The bits of a value in the data section; 0 for a pointer.
    #[must_use]
    pub fn bits(&self) -> u64 {
        match self {
            Self::Bits(bits) => *bits,
            Self::Pointer(_) => 0,
        }
    }
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

    fn slot(name: &str, offset: u32, ty: Type) -> Field {
        let place = Place::Slot { offset, ty, default: Literal::Bits(0) };
        Field { name: name.to_owned(), variant: None, place }
    }

    fn layout(fields: Vec<Field>) -> Struct {
        let name = String::new();
        Struct { name, discriminant_offset: None, fields, used_bits: Vec::new(), pointers: 0 }
    }

    #[test]
    fn pointer_fields_are_found_through_groups() {
        let group = |name: &str, id| Field { name: name.to_owned(), variant: None, place: Place::Group(id) };
        let next = Type::Struct(Instance::plain(7));
        let cap = Type::Interface(Instance::plain(8));
        let outer = vec![slot("count", 1, Type::UInt(8)), slot("next", 0, next.clone()), group("inner", 2)];
        // The group contains itself, which no compiler would write.
        let inner = vec![slot("cap", 1, cap.clone()), group("inner", 2)];
        let structs = [(1, layout(outer)), (2, layout(inner))].into();
        let mut schema = Schema { structs, ..Schema::default() };
        let outer = Instance::plain(1);
        assert_eq!(schema.pointer_field(&outer, 0), Some(("next".to_owned(), next)));
        assert_eq!(schema.pointer_field(&outer, 1), None, "one name for every turn of the group");
        schema.structs.get_mut(&2).expect("inserted").fields.pop();
        assert_eq!(schema.pointer_field(&outer, 1), Some(("inner.cap".to_owned(), cap)));
        assert_eq!(schema.pointer_field(&outer, 2), None);
    }

    #[test]
    fn interfaces_that_extend_each_other_are_searched_once() {
        let extends = |id| Interface {
            name: String::new(),
            methods: Vec::new(),
            superclasses: vec![Instance::plain(id), Instance::plain(id)],
        };
        let interfaces = [(1, extends(2)), (2, extends(1))].into();
        let schema = Schema { interfaces, ..Schema::default() };
        assert_eq!(schema.brand_of(&Instance::plain(1), 3), Brand::default());
    }
}
