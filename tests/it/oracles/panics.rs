//! Panics, and the party at fault.

use super::*;

/// An executor that panics in the middle of a call.
struct Clumsy;

impl executor::Server for Clumsy {
    async fn echo(
        self: Rc<Self>,
        _: executor::EchoParams,
        _: executor::EchoResults,
    ) -> Result<(), capnp::Error> {
        let none: Option<u32> = "none".parse().ok();
        Err(capnp::Error::failed(none.expect("a number").to_string()))
    }
}

#[test]
fn a_panic_names_its_place_and_its_layer() {
    let run = run(
        |world: &mut World| {
            let clumsy = capnp_rpc::new_client::<executor::Client, _>(Clumsy).client;
            world.cell("child-echo", guests::CHILD_ECHO_STDIO).serve(clumsy).spawn();
        },
        &setup(0),
    );
    let Outcome::Panicked { message, at, blame } = run.outcome else { panic!("{}", run.outcome) };
    assert_eq!(message, "a number");
    assert!(at.starts_with("tests/it/oracles/panics.rs:"), "{at}");
    assert_eq!(blame, Blame::Capability { vat: None, call: "Executor.echo".into() });
}
