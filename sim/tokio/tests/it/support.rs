//! A vat that serves a capability to another vat.

use capnp::Error;
use capnp::capability::FromClientHook;
use capnp_rpc::{new_broken_cap, new_client};
use std::pin::Pin;
use std::rc::Rc;
use wavetank::schema::peer_capnp::executor;
use wavetank_sim::World;

type Answer = Pin<Box<dyn Future<Output = String>>>;

/// A server with one method: it is sent a word and answers with one.
struct Words<F>(F);

impl<F: Fn(String) -> Answer + 'static> executor::Server for Words<F> {
    async fn echo(
        self: Rc<Self>,
        params: executor::EchoParams,
        mut results: executor::EchoResults,
    ) -> Result<(), Error> {
        let word = params.get()?.get_message()?.to_string()?;
        let answer = self.0(word).await;
        results.get().set_response(&answer[..]);
        Ok(())
    }
}

/// Serves an answer to words in the vat "server", and returns it as the vat "client" sees it.
pub(crate) fn serve<A: Future<Output = String> + 'static>(
    world: &World,
    answer: impl Fn(String) -> A + 'static,
) -> (wavetank::ActorId, executor::Client) {
    let client = world.vat("client");
    let server = world.vat("server");
    let words: executor::Client = new_client(Words(move |word| -> Answer { Box::pin(answer(word)) }));
    let nothing = new_broken_cap(Error::failed("nothing is served here".into()));
    let [seen, _] = world.join("link", [(client, nothing), (server, words.client)]);
    (client, executor::Client::new(seen.hook))
}

/// Sends a word and waits for the answer.
pub(crate) async fn ask(server: &executor::Client, word: &str) -> String {
    let mut request = server.echo_request();
    request.get().set_message(word);
    let answer = request.send().promise.await.expect("an answer");
    answer.get().unwrap().get_response().unwrap().to_string().unwrap()
}
