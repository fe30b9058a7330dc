//! Types, and the arguments of generic types.
//!
//! A schema gives the arguments of a generic type as a *brand*: for each scope with type parameters, the types that are
//! bound to them. A brand may mention the parameters of the scope around it. [`Type::close`] replaces those, so that
//! afterwards a type means the same everywhere.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Arguments within arguments that are followed, at most. A forged schema may have a type whose arguments grow with
/// each use; the rest of them reads as `AnyPointer`.
const MAX_NESTED: u32 = 8;

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
    /// A struct.
    Struct(Instance),
    /// A capability of an interface.
    Interface(Instance),
    /// A type parameter of a generic type.
    Parameter {
        /// The id of the generic type.
        scope: u64,
        /// Its place among the parameters of that type.
        index: u16,
    },
    /// Any value that the sender put there, also as `AnyStruct`, `AnyList` or `Capability`.
    AnyPointer,
}

/// A struct or an interface, with the arguments of the generic types that it lies in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Instance {
    /// The type id.
    pub id: u64,
    /// The arguments.
    pub brand: Brand,
}

/// The arguments of generic types, by the id of the generic type. Most types have none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Brand(Option<Arc<BTreeMap<u64, Arguments>>>);

/// The arguments of one generic type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Arguments {
    /// Those of the place where the type is used.
    Inherited,
    /// These types, by the place of the parameter.
    Bound(Vec<Type>),
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
            | Self::Parameter { .. }
            | Self::AnyPointer => None,
        }
    }

    /// The type, with its parameters replaced by the arguments in `brand`. A parameter without an argument becomes
    /// `AnyPointer`.
    #[must_use]
    pub fn close(&self, brand: &Brand) -> Cow<'_, Self> {
        self.close_nested(brand, 0)
    }

    fn close_nested(&self, brand: &Brand, depth: u32) -> Cow<'_, Self> {
        match self {
            Self::Parameter { scope, index } => Cow::Owned(brand.argument(*scope, *index)),
            Self::List(element) => match element.close_nested(brand, depth) {
                Cow::Borrowed(_) => Cow::Borrowed(self),
                Cow::Owned(element) => Cow::Owned(Self::List(Box::new(element))),
            },
            Self::Struct(instance) if instance.brand.0.is_some() => {
                Cow::Owned(Self::Struct(instance.close_nested(brand, depth)))
            }
            Self::Interface(instance) if instance.brand.0.is_some() => {
                Cow::Owned(Self::Interface(instance.close_nested(brand, depth)))
            }
            _ => Cow::Borrowed(self),
        }
    }
}

impl Instance {
    /// A type without arguments.
    #[must_use]
    pub fn plain(id: u64) -> Self {
        Self { id, brand: Brand::default() }
    }

    /// The type, with the parameters in its arguments replaced by the arguments in `brand`.
    #[must_use]
    pub fn close(&self, brand: &Brand) -> Self {
        self.close_nested(brand, 0)
    }

    fn close_nested(&self, brand: &Brand, depth: u32) -> Self {
        Self { id: self.id, brand: self.brand.close_nested(brand, depth) }
    }
}

impl Brand {
    /// The brand with these arguments.
    pub(super) fn new(arguments: BTreeMap<u64, Arguments>) -> Self {
        Self((!arguments.is_empty()).then(|| Arc::new(arguments)))
    }

    /// The arguments of the generic type with this id; empty if there are none.
    pub(super) fn arguments(&self, scope: u64) -> &[Type] {
        match self.0.as_ref().and_then(|scopes| scopes.get(&scope)) {
            Some(Arguments::Bound(types)) => types,
            Some(Arguments::Inherited) | None => &[],
        }
    }

    fn argument(&self, scope: u64, index: u16) -> Type {
        self.arguments(scope).get(usize::from(index)).cloned().unwrap_or(Type::AnyPointer)
    }

    fn close_nested(&self, outer: &Self, depth: u32) -> Self {
        let Some(scopes) = &self.0 else { return Self::default() };
        if depth >= MAX_NESTED {
            return Self::default();
        }
        let mut closed = BTreeMap::new();
        for (scope, arguments) in &**scopes {
            let types: Vec<Type> = match arguments {
                Arguments::Inherited => outer.arguments(*scope).to_vec(),
                Arguments::Bound(types) => {
                    types.iter().map(|ty| ty.close_nested(outer, depth + 1).into_owned()).collect()
                }
            };
            closed.insert(*scope, Arguments::Bound(types));
        }
        Self::new(closed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bound(scope: u64, types: Vec<Type>) -> Brand {
        Brand::new([(scope, Arguments::Bound(types))].into())
    }

    #[test]
    fn parameters_become_arguments_through_lists_and_nested_brands() {
        let parameter = Type::Parameter { scope: 1, index: 0 };
        let nested = Type::Struct(Instance { id: 2, brand: bound(2, vec![parameter.clone()]) });
        let inherited = Brand::new([(1, Arguments::Inherited)].into());
        let entry = Type::Struct(Instance { id: 3, brand: inherited });
        let brand = bound(1, vec![Type::Text]);
        assert_eq!(*Type::List(Box::new(parameter)).close(&brand), Type::List(Box::new(Type::Text)));
        assert_eq!(
            *nested.close(&brand),
            Type::Struct(Instance { id: 2, brand: bound(2, vec![Type::Text]) })
        );
        assert_eq!(*entry.close(&brand), Type::Struct(Instance { id: 3, brand: brand.clone() }));
        assert_eq!(*Type::Parameter { scope: 9, index: 0 }.close(&brand), Type::AnyPointer);
    }

    #[test]
    fn arguments_that_grow_with_each_use_end() {
        let parameter = Type::Parameter { scope: 1, index: 0 };
        let pair = Instance { id: 1, brand: bound(1, vec![Type::List(Box::new(parameter))]) };
        let mut ty = Instance { id: 1, brand: bound(1, vec![Type::Struct(pair.clone())]) };
        for _ in 0..100 {
            ty = pair.close(&ty.brand);
            let nested = Instance { id: 1, brand: bound(1, vec![Type::Struct(ty)]) };
            ty = nested.close(&Brand::default());
        }
        assert!(format!("{ty:?}").len() < 10_000);
    }
}
