//! The questions, one function for each group. An answer is printed as `name: value`.

use std::{
    env,
    io::{self, Read},
    time::Duration,
};

use wasip2::{
    cli::{environment, terminal_stderr, terminal_stdin, terminal_stdout},
    clocks::{monotonic_clock, wall_clock},
    filesystem::preopens,
    random::{insecure, insecure_seed, random},
};
use wavetank_guest::{Error, Result, link::create_connection};

const RANDOM_BYTES: u64 = 32;

/// Asks all questions, in this order.
pub fn ask_all(nap: Duration) -> Result<()> {
    surroundings();
    clocks(nap)?;
    randomness();
    connection();
    stdin()
}

fn surroundings() {
    println!("args: {:?}", env::args().collect::<Vec<_>>());
    println!("env: {:?}", environment::get_environment());
    println!("initial-cwd: {:?}", environment::initial_cwd());
    println!("terminal-stdin: {:?}", terminal_stdin::get_terminal_stdin());
    println!("terminal-stdout: {:?}", terminal_stdout::get_terminal_stdout());
    println!("terminal-stderr: {:?}", terminal_stderr::get_terminal_stderr());
    println!("preopens: {:?}", preopens::get_directories());
}

fn clocks(nap: Duration) -> Result<()> {
    println!("monotonic-resolution: {} ns", monotonic_clock::resolution());
    println!("wall-resolution: {:?}", wall_clock::resolution());
    look_at_clocks("before");
    super::sleep(nap)?;
    look_at_clocks("after");
    Ok(())
}

fn look_at_clocks(when: &str) {
    println!("monotonic-{when}: {} ns", monotonic_clock::now());
    let wall = wall_clock::now();
    println!("wall-{when}: {}.{:09} s", wall.seconds, wall.nanoseconds);
}

fn randomness() {
    println!("random: {}", hex(&random::get_random_bytes(RANDOM_BYTES)));
    println!("random-u64: {:016x}", random::get_random_u64());
    println!("insecure: {}", hex(&insecure::get_insecure_random_bytes(RANDOM_BYTES)));
    println!("insecure-u64: {:016x}", insecure::get_insecure_random_u64());
    let (low, high) = insecure_seed::insecure_seed();
    println!("insecure-seed: {low:016x} {high:016x}");
}

/// Takes everything that can be taken only once.
fn connection() {
    let connection = create_connection();
    println!("connection: ok");
    let _input = connection.get_input_stream();
    println!("input-stream: ok");
    let _output = connection.get_output_stream();
    println!("output-stream: ok");
}

/// Takes one of these things twice: the connection, its input or its output. The host traps.
pub fn twice(what: &str) -> Result<()> {
    let connection = create_connection();
    match what {
        "connection" => drop(create_connection()),
        "input" => drop([connection.get_input_stream(), connection.get_input_stream()]),
        "output" => drop([connection.get_output_stream(), connection.get_output_stream()]),
        _ => return Err(Error::guest("usage: probe twice connection|input|output")),
    }
    println!("not reached");
    Ok(())
}

/// Asked last, because the end of stdin may take long to come.
fn stdin() -> Result<()> {
    let mut bytes = Vec::new();
    io::stdin().read_to_end(&mut bytes)?;
    println!("stdin: {} bytes {:?}", bytes.len(), String::from_utf8_lossy(&bytes));
    Ok(())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
