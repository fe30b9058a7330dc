use super::*;
use crate::frames::traffic::PEER_REQUEST;

#[test]
fn the_peer_schema_is_all_there() {
    let schema = Schema::from_request(PEER_REQUEST).expect("capnp/peer.cgr is a request");
    let mut methods: Vec<_> = schema
        .interfaces
        .values()
        .flat_map(|interface| {
            interface.methods.iter().map(|method| format!("{}.{}", interface.name, method.name))
        })
        .collect();
    methods.sort();
    assert_eq!(
        methods.join(" "),
        "ByteStream.close ByteStream.read ByteStream.write Executor.echo Executor.runBytes Host.addrs \
         Host.connect Host.executor Host.id Host.peers Process.bootstrap Process.kill Process.stderr \
         Process.stdin Process.stdout Process.wait"
    );
    let (id, _) = schema.interfaces.iter().find(|(_, found)| found.name == "Executor").expect("an Executor");
    let run = schema.method(*id, 0).expect("its first method");
    let fields = &schema.structs[&run.params].fields;
    let names: Vec<_> = fields.iter().map(|field| field.name.as_str()).collect();
    assert_eq!(names, ["wasm", "args", "env", "detached"]);
    let ty = Type::List(Box::new(Type::Text));
    assert_eq!(fields[2].place, Place::Slot { offset: 2, ty, default: 0 });
    assert_eq!(schema.method(*id, 2), None);
}

#[test]
fn schemas_merge() {
    let whole = Schema::from_request(PEER_REQUEST).expect("capnp/peer.cgr is a request");
    let mut merged = Schema::default();
    merged.extend(whole.clone());
    merged.extend(whole.clone());
    assert_eq!(merged, whole);
}

#[test]
fn a_request_cut_short_is_an_error() {
    for len in [0, 4, 100, PEER_REQUEST.len() - 8] {
        let error = Schema::from_request(&PEER_REQUEST[..len]).expect_err("not whole");
        assert!(std::error::Error::source(&error).is_some());
    }
}

#[test]
fn pointer_fields_are_found_through_groups() {
    let slot = |name: &str, offset, ty| {
        let place = Place::Slot { offset, ty, default: 0 };
        Field { name: name.to_owned(), variant: None, place }
    };
    let group = |name: &str, id| Field { name: name.to_owned(), variant: None, place: Place::Group(id) };
    let layout = |fields| Struct { discriminant_offset: None, fields };
    let outer = vec![slot("count", 1, Type::UInt(8)), slot("next", 0, Type::Struct(7)), group("inner", 2)];
    // The group contains itself, which no compiler would write.
    let inner = vec![slot("cap", 1, Type::Interface(8)), group("inner", 2)];
    let mut schema = Schema { structs: [(1, layout(outer)), (2, layout(inner))].into(), ..Schema::default() };
    assert_eq!(schema.pointer_field(1, 0), Some(("next".to_owned(), Some(7))));
    assert_eq!(schema.pointer_field(1, 1), None, "one name for every turn of the group");
    schema.structs.get_mut(&2).expect("inserted").fields.pop();
    assert_eq!(schema.pointer_field(1, 1), Some(("inner.cap".to_owned(), None)));
    assert_eq!(schema.pointer_field(1, 2), None);
}
