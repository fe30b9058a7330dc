use crate::traffic::PEER_REQUEST;
use wavetank_trace::schema::{Literal, Place, Schema, Type};

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
    let fields = &schema.structs[&run.params.id].fields;
    let names: Vec<_> = fields.iter().map(|field| field.name.as_str()).collect();
    assert_eq!(names, ["wasm", "args", "env", "detached"]);
    let ty = Type::List(Box::new(Type::Text));
    assert_eq!(fields[2].place, Place::Slot { offset: 2, ty, default: Literal::Bits(0) });
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
