//! A number for the parts of a value that are not shown.
//!
//! A line shows only the start of a long value. The digest of the whole stands beside it, so that two lines differ if
//! the values differ. It hashes the bytes that a pointer leads to, whichever segments they lie in. A capability counts
//! as one, whichever it is, because its index depends on the schedule.

use std::hash::Hasher;

use capnp::private::layout::{ElementSize, ListReader, PointerReader, PointerType, StructReader};
use capnp::traits::{FromPointerReader, IntoInternalListReader, IntoInternalStructReader};
use capnp::{raw, struct_list};
use capnp_rpc::rpc_capnp::payload;
use twox_hash::XxHash3_64;

use crate::frames::Digest;

/// The digest of nothing.
pub(super) const NONE: Digest = Digest([0; 4]);

/// The digest of bytes.
pub(super) fn of_bytes(bytes: &[u8]) -> Digest {
    let [a, b, c, d, ..] = XxHash3_64::oneshot(bytes).to_be_bytes();
    Digest([a, b, c, d])
}

/// The digest of everything that a pointer leads to. Parts that cannot be read count as their error.
pub(super) fn of_pointer(pointer: PointerReader) -> Digest {
    let mut hash = XxHash3_64::new();
    hash_pointer(&mut hash, pointer);
    finish(&hash)
}

/// The digest of a struct with everything that it leads to.
pub(super) fn of_struct(reader: StructReader) -> Digest {
    let mut hash = XxHash3_64::new();
    hash_struct(&mut hash, reader);
    finish(&hash)
}

fn finish(hash: &XxHash3_64) -> Digest {
    let [a, b, c, d, ..] = hash.finish().to_be_bytes();
    Digest([a, b, c, d])
}

// The reader's nesting limit bounds the recursion, and its traversal limit the work.
fn hash_pointer(hash: &mut XxHash3_64, pointer: PointerReader) {
    let result = match pointer.get_pointer_type() {
        Ok(kind @ (PointerType::Null | PointerType::Capability)) => {
            hash.write(if matches!(kind, PointerType::Null) { b"n" } else { b"c" });
            Ok(())
        }
        Ok(PointerType::Struct) => pointer.get_struct(None).map(|reader| hash_struct(hash, reader)),
        Ok(PointerType::List) => hash_list(hash, pointer),
        Err(error) => Err(error),
    };
    if let Err(error) = result {
        hash.write(error.to_string().as_bytes());
    }
}

fn hash_struct(hash: &mut XxHash3_64, reader: StructReader) {
    let data = data_section(reader);
    // A shorter section stands for the same values.
    let used = data.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
    hash.write(b"s");
    hash.write(&(used as u64).to_le_bytes());
    hash.write(&data[..used]);
    let pointers = pointer_count(reader);
    let used = (0..pointers).rev().find(|at| !reader.get_pointer_field(*at).is_null());
    for at in 0..used.map_or(0, |last| last + 1) {
        hash_pointer(hash, reader.get_pointer_field(at));
    }
    hash.write(b".");
}

fn hash_list(hash: &mut XxHash3_64, pointer: PointerReader) -> capnp::Result<()> {
    let list = any_list(pointer)?;
    hash.write(b"l");
    hash.write(&list.len().to_le_bytes());
    match raw::get_list_element_size(List(list)) {
        ElementSize::Pointer | ElementSize::InlineComposite => {
            for element in structs(pointer)?.1 {
                hash_struct(hash, element);
            }
        }
        _ => hash.write(raw::get_list_bytes(List(list))),
    }
    Ok(())
}

/// A list with elements of any size.
pub(super) fn any_list(pointer: PointerReader) -> capnp::Result<ListReader> {
    // A list of anything may be read as one of Void, except a list of bits.
    pointer.get_list(ElementSize::Void, None).or_else(|_| pointer.get_list(ElementSize::Bit, None))
}

/// The data section of a struct.
pub(super) fn data_section(reader: StructReader<'_>) -> &[u8] {
    raw::get_struct_data_section(Struct(reader))
}

/// The number of pointers of a struct.
pub(super) fn pointer_count(reader: StructReader) -> usize {
    raw::get_struct_pointer_section(Struct(reader)).len() as usize
}

/// The length of a list, and its elements as structs of any type. A list of pointers or of numbers reads as structs with
/// one field.
pub(super) fn structs<'a>(
    pointer: PointerReader<'a>,
) -> capnp::Result<(usize, impl Iterator<Item = StructReader<'a>>)> {
    // Any generated struct will do as a stand-in: only its untyped reader is used.
    let list = struct_list::Reader::<payload::Owned>::get_from_pointer(&pointer, None)?;
    let elements = list.into_iter().map(IntoInternalStructReader::into_internal_struct_reader);
    Ok((list.len() as usize, elements))
}

/// capnp's functions for raw sections take typed readers. These two have no type.
struct Struct<'a>(StructReader<'a>);

impl<'a> IntoInternalStructReader<'a> for Struct<'a> {
    fn into_internal_struct_reader(self) -> StructReader<'a> {
        self.0
    }
}

pub(super) struct List<'a>(pub(super) ListReader<'a>);

impl<'a> IntoInternalListReader<'a> for List<'a> {
    fn into_internal_list_reader(self) -> ListReader<'a> {
        self.0
    }
}
