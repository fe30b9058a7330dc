//! Schemas of a user's own: every place that prints a call uses them.

use capnp::Error;
use capnp::capability::FromClientHook;
use capnp_rpc::{new_broken_cap, new_client};
use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;
use wavetank_sim::calls::calls;
use wavetank_sim::snapshot::{View, redacted_text, redactions, text};
use wavetank_sim::{Run, World};
use wavetank_tests::schemas::contacts_capnp::{PhoneKind, book, person};
use wavetank_tests::schemas::market_capnp::{channel, market, readable, receipt};
use wavetank_tests::schemas::sums_capnp::sums;
use wavetank_tests::schemas::{CONTACTS, MARKET, SUMS};
use wavetank_tests::{finished, round_robin, setup};

/// A world of a client and a server that serves `root`.
fn joined<C: FromClientHook>(world: &World, root: C) -> (wavetank::ActorId, C) {
    let client = world.vat("client");
    let server = world.vat("server");
    let nothing = new_broken_cap(Error::failed("nothing is served here".into()));
    let root = capnp::capability::Client::new(root.into_client_hook());
    let [seen, _] = world.join("link", [(client, nothing), (server, root)]);
    (client, C::new(seen.hook))
}

struct Contacts;

impl book::Server for Contacts {
    async fn find(
        self: Rc<Self>,
        params: book::FindParams,
        mut results: book::FindResults,
    ) -> Result<(), Error> {
        let name = params.get()?.get_name()?.to_str()?;
        let mut person = results.get().init_person();
        if name == "nobody" {
            return Ok(());
        }
        person.set_id(7);
        person.set_name(name);
        let mut phones = person.reborrow().init_phones(2);
        phones.reborrow().get(0).set_number("1");
        phones.reborrow().get(1).set_number("2");
        phones.reborrow().get(1).set_kind(PhoneKind::Work);
        let mut school = person.reborrow().get_employment().init_school();
        school.set_name("primary");
        school.set_year(4);
        person.reborrow().get_address().set_street("Main Street");
        person.reborrow().init_born().set_year(1999);
        person.reborrow().init_friend().set_age(21);
        person.set_balance(12);
        person.reborrow().init_flags(3).set(1, true);
        person.reborrow().init_notes(2).init(1, 1).set(0, "hello");
        person.init_extra().init_as::<person::Builder>().set_id(9);
        Ok(())
    }
}

fn asks_for(name: &'static str) -> impl Fn(&mut World) + Copy + Sync {
    move |world| {
        world.schema(CONTACTS);
        let (client, book) = joined(world, new_client::<book::Client, _>(Contacts));
        world.task_of(client, "ask", async move {
            let mut request = book.find_request();
            request.get().set_name(name);
            request.send().promise.await.expect("an answer");
        });
    }
}

#[test]
fn every_kind_of_field_is_printed_by_its_name() {
    let run = finished(asks_for("Ana"), &round_robin());
    let person = "id = 7, name = \"Ana\", email = \"none@example.org\", \
        phones = [(number = \"1\", kind = mobile), (number = \"2\", kind = work)], \
        employment = (school = (name = \"primary\", year = 4)), \
        address = (street = \"Main Street\", country = \"PT\"), born = (year = 1999, month = 0, day = 0)";
    let text = calls(&run);
    let expected = format!("Book.find (name = \"Ana\", country = \"PT\") → (person = ({person}, ");
    assert!(text.contains(&expected), "{text}");
    let rest = "weights = [1.5, -2.0], key = Data(2 bytes, ";
    assert!(text.contains(rest), "{text}");
    let rest = "isActive = true, balance = 12, ratio = 0.25, favourite = home, flags = [false, true, false], \
        notes = [[], [\"hello\"]], extra = {";
    assert!(text.contains(rest), "{text}");
    assert!(text.contains("friend = (id = 0, name = \"\", "), "{text}");
    assert!(!text.contains("@0x"), "{text}");
}

#[test]
fn a_value_that_was_not_set_prints_its_default() {
    let run = finished(asks_for("nobody"), &round_robin());
    let text = calls(&run);
    for default in [
        "age = 18, friend = null",
        "weights = [1.5, -2.0]",
        "balance = -5",
        "employment = (none = void)",
        "country = \"PT\"",
    ] {
        assert!(text.contains(default), "{default}: {text}");
    }
}

struct Computer;

struct Number(f64);

impl sums::number::Server for Number {
    async fn read(
        self: Rc<Self>,
        _: sums::number::ReadParams,
        mut results: sums::number::ReadResults,
    ) -> Result<(), Error> {
        results.get().set_value(self.0);
        Ok(())
    }
}

impl sums::Server for Computer {
    async fn evaluate(
        self: Rc<Self>,
        params: sums::EvaluateParams,
        mut results: sums::EvaluateResults,
    ) -> Result<(), Error> {
        let number = match params.get()?.get_expression()?.which()? {
            sums::expression::Literal(number) => number,
            sums::expression::Call(call) => {
                let mut request = call.get_function()?.call_request();
                let given = call.get_arguments()?;
                let mut arguments = request.get().init_arguments(given.len());
                for (at, argument) in given.iter().enumerate() {
                    if let sums::expression::Literal(number) = argument.which()? {
                        arguments.set(at as u32, number);
                    }
                }
                request.send().promise.await?.get()?.get_value()
            }
            _ => return Err(Error::unimplemented("only literals and calls".into())),
        };
        results.get().set_number(new_client(Number(number)));
        Ok(())
    }
}

struct Adder;

impl sums::function::Server for Adder {
    async fn call(
        self: Rc<Self>,
        params: sums::function::CallParams,
        mut results: sums::function::CallResults,
    ) -> Result<(), Error> {
        results.get().set_value(params.get()?.get_arguments()?.iter().sum());
        Ok(())
    }
}

fn adds(world: &mut World) {
    world.schema(SUMS);
    let (client, root) = joined(world, new_client::<sums::Client, _>(Computer));
    world.task_of(client, "add", async move {
        let mut request = root.evaluate_request();
        let mut call = request.get().init_expression().init_call();
        call.set_function(new_client(Adder));
        let mut arguments = call.init_arguments(2);
        arguments.reborrow().get(0).set_literal(1.0);
        arguments.reborrow().get(1).set_literal(2.0);
        let number = request.send().pipeline.get_number();
        let read = number.read_request().send().promise.await.expect("an answer");
        assert_eq!(read.get().unwrap().get_value(), 3.0);
    });
}

#[test]
fn capabilities_are_named_by_owner_and_type_under_every_schedule() {
    let expected = "link of client\n  \
          the cell asks its host for its bootstrap\n    \
            Sums.evaluate (expression = (call = (function = client's Function, \
              arguments = [(literal = 1.0), (literal = 2.0)]))) → (number = server's Number)\n      \
              number: Number.read () → (value = 3.0)\n      \
              params.expression.call.function: Function.call (arguments = [1.0, 2.0]) → (value = 3.0)\n";
    for seed in 0..50 {
        assert_eq!(calls(&finished(adds, &setup(seed))), expected, "seed {seed}");
    }
}

#[test]
fn frames_number_calls_and_keep_the_names_of_capabilities() {
    let run = finished(adds, &round_robin());
    let frames = text(&run, View::Frames);
    for line in [
        "→ call       q2 on q1 Sums.evaluate (expression = (call = (function = client's Function, ",
        "← call       q3 on client's Function Function.call (arguments = [1.0, 2.0])",
        "→ call       q4 on server's Number Number.read ()",
        "← return     q2 Sums.evaluate (number = server's Number)",
        "← release    client's Function ×1",
        "→ release    server's Number ×1",
    ] {
        assert!(frames.contains(line), "{line}\n{frames}");
    }
    assert!(!frames.contains("@0x"), "{frames}");
}

#[derive(Default)]
struct Till(RefCell<u64>);

impl readable::Server<receipt::Owned> for Till {
    async fn read(
        self: Rc<Self>,
        _: readable::ReadParams<receipt::Owned>,
        mut results: readable::ReadResults<receipt::Owned>,
    ) -> Result<(), Error> {
        results.get().init_value().set_total(*self.0.borrow());
        Ok(())
    }
}

impl channel::Server<receipt::Owned> for Till {
    async fn send(self: Rc<Self>, params: channel::SendParams<receipt::Owned>) -> Result<(), Error> {
        *self.0.borrow_mut() += params.get()?.get_value()?.get_total();
        Ok(())
    }

    async fn last(
        self: Rc<Self>,
        _: channel::LastParams<receipt::Owned>,
        mut results: channel::LastResults<receipt::Owned>,
    ) -> Result<(), Error> {
        let mut pair = results.get().init_pair();
        pair.reborrow().init_first().set_total(*self.0.borrow());
        pair.reborrow().set_second("done")?;
        pair.init_inner().init_again().set_currency("USD");
        Ok(())
    }
}

struct Hall;

impl market::Server for Hall {
    async fn open(
        self: Rc<Self>,
        _: market::OpenParams,
        mut results: market::OpenResults,
    ) -> Result<(), Error> {
        results.get().set_channel(new_client(Till::default()));
        Ok(())
    }
}

fn trades(total: u64) -> impl Fn(&mut World) + Copy + Sync {
    move |world| {
        world.schema(MARKET);
        let (client, root) = joined(world, new_client::<market::Client, _>(Hall));
        world.task_of(client, "trade", async move {
            let channel = root.open_request().send().pipeline.get_channel();
            let mut send = channel.send_request();
            send.get().init_value().set_total(total);
            send.send().await.expect("sent");
            channel.last_request().send().promise.await.expect("an answer");
            let readable: readable::Client<receipt::Owned> = channel.cast_to();
            readable.read_request().send().promise.await.expect("an answer");
        });
    }
}

#[test]
fn generics_are_read_by_their_arguments_and_inherited_methods_too() {
    let run = finished(trades(12), &round_robin());
    assert_eq!(
        calls(&run),
        "link of client\n  \
           the cell asks its host for its bootstrap\n    \
             Market.open (name = \"\") → (channel = server's Channel(Receipt))\n      \
               channel: Channel.send (value = (total = 12, currency = \"EUR\")) → ()\n      \
               channel: Channel.last () → (pair = (first = (total = 12, currency = \"EUR\"), second = \"done\", \
                 inner = (again = (total = 0, currency = \"USD\"))))\n      \
               channel: Readable.read () → (value = (total = 12, currency = \"EUR\"))\n"
    );
}

/// The steps of a run without a schema, as a user has them who gave none.
fn unnamed(run: &Run) -> String {
    run.transcript.steps_text(&Arc::default())
}

#[test]
fn a_text_differs_whenever_a_value_differs_with_a_schema_or_without() {
    let one = finished(trades(12), &round_robin());
    let other = finished(trades(13), &round_robin());
    assert_ne!(calls(&one), calls(&other));
    assert_ne!(unnamed(&one), unnamed(&other));
    assert!(unnamed(&one).contains("method0 ({ptr0 = {12, ptr0 = null}})"), "{}", unnamed(&one));
}

#[test]
fn redacted_values_do_not_show() {
    let redactions = redactions(&[("**.total", "[total]")]);
    for view in [View::Calls, View::Frames, View::Steps] {
        let redacted = |total| redacted_text(&finished(trades(total), &round_robin()), view, &redactions);
        assert!(redacted(12).contains("(total = [total], currency = \"EUR\")"), "{}", redacted(12));
        if view != View::Steps {
            assert_eq!(redacted(12), redacted(13));
        }
    }
}

#[test]
fn a_schema_lists_what_it_names() {
    let schema = |request| wavetank_trace::Schema::from_request(request).expect("a request");
    let contacts = wavetank_trace::listing(&schema(CONTACTS));
    for line in [
        "const country :Text = \"PT\"\n",
        "const maxPeople :UInt16 = 500\n",
        "const nobody :Person = (id = 0, name = \"nobody\", ",
        "enum PhoneKind: mobile, home, work\n",
        "interface Book\n  find @0 (name :Text, country :Text = \"PT\") -> (person :Person)\n",
        "  weights :List(Float32) = [1.5, -2.0]\n",
        "  age :UInt8 = 18 (in a union)\n",
    ] {
        assert!(contacts.contains(line), "{line}\n{contacts}");
    }
    let market = wavetank_trace::listing(&schema(MARKET));
    assert!(market.contains("interface Channel extends(Readable(AnyPointer))\n"), "{market}");
    assert!(market.contains("open @0 (name :Text) -> (channel :Channel(Receipt))\n"), "{market}");
}
