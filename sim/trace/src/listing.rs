//! A schema as text: everything that its tables name.
//!
//! It looks like the schema language, so that people find their types again, but it is no text for a compiler: it has
//! neither ids nor offsets, and it puts groups at the top level.

use crate::decoder::read_literal;
use crate::schema::{Field, Instance, Interface, Literal, Place, Schema, Struct, Type};
use std::fmt::Write;

/// All interfaces, structs, enums and constants of a schema, each kind by name.
#[must_use]
pub fn listing(schema: &Schema) -> String {
    let mut parts = Vec::new();
    for interface in schema.interfaces.values() {
        parts.push(interface_text(schema, interface));
    }
    for (id, layout) in &schema.structs {
        if !is_of_a_method(schema, *id) {
            parts.push(struct_text(schema, layout));
        }
    }
    for found in schema.enums.values() {
        parts.push(format!("enum {}: {}\n", found.name, found.enumerants.join(", ")));
    }
    for constant in schema.constants.values() {
        let value = read_literal(schema, &constant.value, &constant.ty);
        parts.push(format!("const {} :{} = {value}\n", constant.name, type_text(schema, &constant.ty)));
    }
    parts.sort();
    parts.concat()
}

fn interface_text(schema: &Schema, interface: &Interface) -> String {
    let mut text = format!("interface {}", interface.name);
    let superclasses: Vec<String> = interface
        .superclasses
        .iter()
        .map(|superclass| type_text(schema, &Type::Interface(superclass.clone())))
        .collect();
    if !superclasses.is_empty() {
        let _ = write!(text, " extends({})", superclasses.join(", "));
    }
    text.push('\n');
    for (id, method) in interface.methods.iter().enumerate() {
        let params = fields_of(schema, &method.params);
        let results = fields_of(schema, &method.results);
        let _ = writeln!(text, "  {} @{id} {params} -> {results}", method.name);
    }
    text
}

fn struct_text(schema: &Schema, layout: &Struct) -> String {
    let mut text = format!("struct {}\n", layout.name);
    for field in &layout.fields {
        let _ = writeln!(text, "  {}", field_text(schema, field));
    }
    text
}

/// The fields of a struct of a method on one line, or the name of a struct that the schema declares by itself.
fn fields_of(schema: &Schema, instance: &Instance) -> String {
    match schema.structs.get(&instance.id) {
        Some(layout) if layout.name.contains('$') => {
            let fields: Vec<String> = layout.fields.iter().map(|field| field_text(schema, field)).collect();
            format!("({})", fields.join(", "))
        }
        _ => type_text(schema, &Type::Struct(instance.clone())),
    }
}

fn field_text(schema: &Schema, field: &Field) -> String {
    let union = if field.variant.is_some() { " (in a union)" } else { "" };
    match &field.place {
        Place::Slot { ty, default, .. } => {
            let name = &field.name;
            let mut text = format!("{name} :{}", type_text(schema, ty));
            if *default != Literal::Bits(0) {
                let _ = write!(text, " = {}", read_literal(schema, default, ty));
            }
            text + union
        }
        Place::Group(_) => format!("{} :group{union}", field.name),
    }
}

fn type_text(schema: &Schema, ty: &Type) -> String {
    schema.type_name(ty).unwrap_or_else(|| "AnyPointer".to_owned())
}

/// Whether a struct holds the parameters or results of a method, which stand with the method.
fn is_of_a_method(schema: &Schema, id: u64) -> bool {
    schema.structs.get(&id).is_some_and(|layout| layout.name.contains('$'))
}
