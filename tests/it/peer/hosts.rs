//! `Host`: the questions that a guest can ask its host.

use super::*;

/// A host that knows `east`, at two addresses, and `west`, at none.
fn a_host() -> (Bare, host::Client) {
    let bare = Bare::new();
    let (cell, _stdio) = bare.start(bare.spec("pid0", guests::SERVER));
    let client = host(&bare.tank, &cell).cast_to();
    (bare, client)
}

fn connect(host: &host::Client, id: &str, addrs: &[&str]) -> impl Future<Output = Answer<()>> + use<> {
    let mut request = host.connect_request();
    request.get().set_peer_id(id);
    request.get().set_addrs(addrs).expect("texts");
    let answer = request.send().promise;
    async move { answer.await.map(drop) }
}

fn texts(list: capnp::text_list::Reader<'_>) -> Vec<String> {
    list.iter().map(|text| text.and_then(|text| Ok(text.to_string()?)).expect("text")).collect()
}

#[test]
fn a_host_says_its_name_its_addresses_and_its_peers() {
    let (mut bare, host) = a_host();
    let id = bare.run(host.id_request().send().promise).unwrap();
    assert_eq!(id.get().unwrap().get_peer_id().unwrap(), "here");
    let addrs = bare.run(host.addrs_request().send().promise).unwrap();
    assert_eq!(texts(addrs.get().unwrap().get_addrs().unwrap()), ["tank:here"]);
    let peers = bare.run(host.peers_request().send().promise).unwrap();
    let peers = peers.get().unwrap().get_peers().unwrap();
    let peers: Vec<(String, Vec<String>)> = peers
        .iter()
        .map(|peer| (peer.get_peer_id().unwrap().to_string().unwrap(), texts(peer.get_addrs().unwrap())))
        .collect();
    assert_eq!(peers.len(), 2);
    assert_eq!(peers[0], ("east".into(), vec!["tank:east".into(), "tcp:east:7".into()]));
    assert_eq!(peers[1], ("west".into(), vec![]));
}

#[test]
fn connecting_takes_a_known_peer_and_one_of_its_addresses() {
    let (mut bare, host) = a_host();
    bare.run(connect(&host, "east", &["tank:elsewhere", "tcp:east:7"])).unwrap();
    fails(bare.run(connect(&host, "north", &["tank:east"])), "no such peer: north");
    for addrs in [&["tank:here"][..], &[]] {
        fails(bare.run(connect(&host, "east", addrs)), "east is not at any of these addresses");
    }
    fails(bare.run(connect(&host, "west", &["tank:west"])), "west is not at any of these addresses");
}

#[test]
fn a_hosts_executor_starts_children_of_the_cell_that_asks() {
    let (mut bare, host) = a_host();
    let executor = host.executor_request().send().pipeline.get_executor();
    bare.events();
    bare.run(run_bytes(&executor, guests::SERVER, &With::default())).unwrap();
    let pid0 = bare.tank.cells()[0].id();
    let born = |event: &Event| matches!(event, Event::CellBorn { parent, .. } if *parent == Some(pid0));
    assert!(bare.events().iter().any(born));
}
