use capnp::message::Builder;
use capnp::schema_capnp::value;

use super::*;
use crate::schema::{Enum, Field};

const UNION: u64 = 1;
const WRAPPER: u64 = 2;
const ENUM: u64 = 3;

/// Describes `Value` of schema.capnp, a union of every scalar, as far as the tests set it, and a struct with one
/// pointer.
fn schema(wrapped: Type) -> Schema {
    let slot = |offset, ty, default| Place::Slot { offset, ty, default: Literal::Bits(default) };
    let field = |name: &str, variant, place| Field { name: name.to_owned(), variant, place };
    let union = [
        field("bool", Some(1), slot(16, Type::Bool, 1)),
        field("int8", Some(2), slot(2, Type::Int(8), 0xff)),
        field("int32", Some(4), slot(1, Type::Int(32), 0)),
        field("uint64", Some(9), slot(1, Type::UInt(64), 0)),
        field("float32", Some(10), slot(1, Type::Float(32), 0)),
        field("text", Some(12), slot(0, Type::Text, 0)),
        field("enum", Some(15), slot(1, Type::Enum(ENUM), 0)),
        field("outside", None, slot(63, Type::UInt(16), 7)),
    ];
    let wrapper = field("it", None, slot(0, wrapped, 0));
    let colour = Enum { name: "Colour".to_owned(), enumerants: vec!["red".to_owned(), "blue".to_owned()] };
    Schema {
        structs: [
            (UNION, layout("Value", Some(0), union.into())),
            (WRAPPER, layout("Wrapper", None, vec![wrapper])),
        ]
        .into(),
        enums: [(ENUM, colour)].into(),
        ..Schema::default()
    }
}

/// A struct of which all bits and four pointers are known.
fn layout(name: &str, discriminant_offset: Option<u32>, fields: Vec<Field>) -> Struct {
    Struct { name: name.to_owned(), discriminant_offset, fields, used_bits: vec![u64::MAX; 8], pointers: 4 }
}

/// Builds a payload and prints its content.
fn read(schema: &Schema, ty: Option<u64>, build: impl FnOnce(any_pointer::Builder)) -> String {
    let mut message = Builder::new_default();
    build(message.init_root::<payload::Builder>().get_content());
    let payload = message.get_root_as_reader::<payload::Reader>().expect("just built");
    read_content(schema, payload, &mut NoCaps, ty.map(Instance::plain).as_ref(), Cuts::LINE).to_string()
}

#[test]
fn scalars_follow_union_and_defaults() {
    let schema = schema(Type::AnyPointer);
    let one = |set: fn(value::Builder)| read(&schema, Some(UNION), |content| set(content.init_as()));
    assert_eq!(one(|mut value| value.set_bool(true)), "(bool = false, outside = 7)");
    assert_eq!(one(|mut value| value.set_int8(1)), "(int8 = -2, outside = 7)");
    assert_eq!(one(|mut value| value.set_int32(-5)), "(int32 = -5, outside = 7)");
    assert_eq!(one(|mut value| value.set_uint64(u64::MAX)), "(uint64 = 18446744073709551615, outside = 7)");
    assert_eq!(one(|mut value| value.set_float32(-0.0)), "(float32 = -0.0, outside = 7)");
    assert_eq!(one(|mut value| value.set_text("é")), "(text = \"é\", outside = 7)");
    assert_eq!(one(|mut value| value.set_enum(1)), "(enum = blue, outside = 7)");
    assert_eq!(one(|mut value| value.set_enum(9)), "(enum = 9, outside = 7)");
    assert_eq!(one(|mut value| value.set_int16(1)), "(outside = 7, union = 3)");
}

#[test]
fn what_is_long_is_cut() {
    let list = |of, build: &dyn Fn(any_pointer::Builder)| {
        read(&schema(Type::List(Box::new(of))), Some(WRAPPER), |content| {
            build(content.init_as::<payload::Builder>().get_content());
        })
    };
    let bits = list(Type::Bool, &|content| {
        content.initn_as::<primitive_list::Builder<bool>>(3).set(1, true);
    });
    assert_eq!(bits, "(it = [false, true, false])");
    let text = list(Type::Text, &|content| {
        content.initn_as::<capnp::text_list::Builder>(66).set(0, "x".repeat(300));
    });
    assert!(
        text.starts_with(&format!("(it = [\"{}…\" (300 bytes, a5d1b460…), \"\", ", "x".repeat(256))),
        "{text}"
    );
    assert!(text.ends_with("\"\", … 2 more, 1549b5d5…])"), "{text}");
    let structs = list(Type::Struct(Instance::plain(UNION)), &|content| {
        content.initn_as::<capnp::struct_list::Builder<value::Owned>>(5000).get(0).set_bool(false);
    });
    assert!(
        structs.starts_with("(it = [(bool = true, outside = 7), (outside = 7, union = 0), "),
        "{structs}"
    );
    assert!(structs.contains(", … 4936 more, "), "{structs}");
    // A list of lists reaches the limit on values before it reaches the limit on elements in each list.
    let lists = list(Type::List(Box::new(Type::Void)), &|content| {
        let mut outer = content.initn_as::<capnp::list_list::Builder<primitive_list::Owned<()>>>(64);
        for index in 0..64 {
            outer.reborrow().init(index, 64);
        }
    });
    // These values are not voids: the outer list and eight inner lists. The last inner list is cut.
    assert_eq!(lists.matches("void").count(), 512 - 9, "{lists}");
    assert!(lists.contains("void, … 9 more, ") && lists.contains("…], … 56 more, "), "{lists}");
}

#[test]
fn what_is_deep_is_cut() {
    let deep = read(&schema(Type::Struct(Instance::plain(WRAPPER))), Some(WRAPPER), |mut content| {
        for _ in 0..20 {
            content = content.init_as::<payload::Builder>().get_content();
        }
    });
    assert_eq!(deep, format!("{}…16f60bb8{}", "(it = ".repeat(17), ")".repeat(17)));
}

#[test]
fn pointers_of_another_kind_are_malformed() {
    let wrapped = |ty| {
        read(&schema(ty), Some(WRAPPER), |content| {
            content.init_as::<payload::Builder>().get_content().init_as::<value::Builder>();
        })
    };
    assert_eq!(wrapped(Type::AnyPointer), "(it = {0, 0, ptr0 = null})");
    let malformed = wrapped(Type::Text);
    assert!(malformed.starts_with("(it = <malformed: "), "{malformed}");
}

/// Prints two values that differ only beyond what is shown.
fn texts(build: impl Fn(u8, any_pointer::Builder)) -> [String; 2] {
    [0, 1].map(|variant| read(&Schema::default(), None, |content| build(variant, content)))
}

#[test]
fn values_that_differ_beyond_the_cut_print_differently() {
    let long_text = texts(|variant, content| {
        content
            .init_as::<payload::Builder>()
            .get_content()
            .set_as(&*format!("{:400}", variant))
            .expect("set");
    });
    let long_list = texts(|variant, content| {
        content.initn_as::<primitive_list::Builder<u64>>(100).set(99, u64::from(variant));
    });
    let deep = texts(|variant, mut content| {
        for _ in 0..20 {
            content = content.init_as::<payload::Builder>().get_content();
        }
        content.initn_as::<primitive_list::Builder<u8>>(1).set(0, variant);
    });
    let wide = texts(|variant, content| {
        let mut outer = content.initn_as::<capnp::list_list::Builder<primitive_list::Owned<u16>>>(64);
        for index in 0..64 {
            outer.reborrow().init(index, 64).set(63, u16::from(variant));
        }
    });
    for [one, other] in [long_text, long_list, deep, wide] {
        assert_ne!(one, other);
    }
}

#[test]
fn bits_and_pointers_of_a_newer_sender_are_shown() {
    let mut schema = schema(Type::AnyPointer);
    let known = schema.structs.get_mut(&WRAPPER).expect("inserted");
    known.used_bits = vec![0xff];
    known.pointers = 1;
    let text = read(&schema, Some(WRAPPER), |content| {
        let mut value = content.init_as::<value::Builder>();
        value.set_uint64(5);
    });
    assert_eq!(text, "(it = null, unknown = {0, 5})");
}
