//! The box office in production, over TCP.
//!
//! ```sh
//! tokio-host serve 127.0.0.1:4000 100    # an evening with 100 seats
//! tokio-host buy 127.0.0.1:4000 2
//! ```

use capnp::capability::FromClientHook;
use capnp_rpc::RpcSystem;
use capnp_rpc::rpc_twoparty_capnp::Side;
use capnp_rpc::twoparty::VatNetwork;
use futures::AsyncReadExt;
use std::error::Error;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{LocalSet, spawn_local};
use tokio_host::office_capnp::box_office;
use tokio_util::compat::TokioAsyncReadCompatExt;

type Connection = RpcSystem<Side>;

const USAGE: &str = "usage: tokio-host serve ADDRESS SEATS | tokio-host buy ADDRESS SEATS";

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [command, address, seats] = &arguments[..] else { return Err(USAGE.into()) };
    let seats = seats.parse()?;
    let local = LocalSet::new();
    match &command[..] {
        "serve" => local.run_until(serve(address, seats)).await,
        "buy" => local.run_until(buy(address, seats)).await,
        _ => Err(USAGE.into()),
    }
}

async fn serve(address: &str, seats: u32) -> Result<(), Box<dyn Error>> {
    let office = tokio_host::open(seats, Duration::from_secs(30));
    let listener = TcpListener::bind(address).await?;
    println!("serving on {}", listener.local_addr()?);
    loop {
        let (stream, _) = listener.accept().await?;
        spawn_local(connection(stream, Side::Server, Some(office.clone()))?);
    }
}

async fn buy(address: &str, seats: u32) -> Result<(), Box<dyn Error>> {
    let mut connection = connection(TcpStream::connect(address).await?, Side::Client, None)?;
    let office: box_office::Client = connection.bootstrap(Side::Server);
    spawn_local(connection);
    let mut request = office.reserve_request();
    request.get().set_seats(seats);
    let hold = request.send().promise.await?.get()?.get_hold()?;
    hold.buy_request().send().promise.await?;
    let left = office.left_request().send().promise.await?.get()?.get_seats();
    println!("bought {seats}, {left} left");
    Ok(())
}

fn connection(
    stream: TcpStream,
    side: Side,
    served: Option<box_office::Client>,
) -> Result<Connection, std::io::Error> {
    stream.set_nodelay(true)?;
    let (reader, writer) = stream.compat().split();
    let network = VatNetwork::new(reader, writer, side, Default::default());
    let served = served.map(|office| capnp::capability::Client::new(office.into_client_hook()));
    Ok(RpcSystem::new(Box::new(network), served))
}
