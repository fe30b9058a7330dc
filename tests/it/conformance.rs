//! The promises of WASI 0.2's text for io, clocks, random and cli. The guest `conformance` asks one question, and the
//! answer must be right in every weather and for every shape of pipe.
//!
//! The questions are rows of [`table`]. To add one, write a function in `guests/conformance`, a row here, and its line
//! in docs/src/reference/wasi-conformance.md, which `the_document_lists_every_question` prints if it is missing.

mod table;

use std::fmt::Write;
use std::fs;
use table::{Answer, Later, Row, Stdin};
use wavetank::cell::{Cause, ExitRecord};
use wavetank::pipe::Ending;
use wavetank::{Blocked, Event, PipeId};
use wavetank_lab::guests;
use wavetank_sim::{Choices, Profile, Run, Setup, StrategyName, Transport, World, peer, run};
use wavetank_tests::{in_repository, setup};

/// The interval at which the far end checks whether the guest waits for it, in nanoseconds.
const LOOK_NS: u64 = 1_000_000;

#[test]
fn poll_answers_as_its_text_says() {
    ask_all(&table::poll());
}

#[test]
fn input_streams_answer_as_their_text_says() {
    ask_all(&table::input());
}

#[test]
fn output_streams_answer_as_their_text_says() {
    ask_all(&table::output());
}

#[test]
fn splices_answer_as_their_text_says() {
    ask_all(&table::splice());
}

#[test]
fn clocks_answer_as_their_text_says() {
    ask_all(&table::clocks());
}

#[test]
fn random_answers_as_its_text_says() {
    ask_all(&table::random());
}

#[test]
fn cli_answers_as_its_text_says() {
    ask_all(&table::cli());
}

#[test]
fn the_document_lists_every_question() {
    let path = in_repository("docs/src/reference/wasi-conformance.md");
    let document = fs::read_to_string(path).expect("the document");
    let listed: Vec<&str> = document.lines().filter(|line| line.starts_with("| `")).collect();
    let rows: Vec<String> = table::all().iter().map(line).collect();
    assert!(
        listed == rows,
        "docs/src/reference/wasi-conformance.md should list these questions:\n{}",
        rows.join("\n")
    );
}

/// A row in the format of the document.
fn line(row: &Row) -> String {
    let answer = match &row.answer {
        Answer::Says(words) => format!("“{words}”"),
        Answer::Writes { says, stdout } => {
            let arrives = if stdout.len() > 40 || !stdout.is_ascii() || stdout.contains(&0) {
                format!("all {} bytes", stdout.len())
            } else {
                format!("“{}”", String::from_utf8_lossy(stdout))
            };
            if says.is_empty() {
                format!("{arrives} arrive")
            } else {
                format!("“{says}”; {arrives} arrive")
            }
        }
        Answer::Traps(class) => format!("traps: {class}"),
        Answer::Exits(code) => format!("exits with {code}"),
        Answer::FollowsSeed => "the same under the same seed, others under another".into(),
    };
    format!("| `{}` | `{}` | {} | {answer} |", row.name, row.interface, row.text)
}

/// Asks each question in every setup, and names all questions with a wrong answer.
fn ask_all(rows: &[Row]) {
    let mut wrong = String::new();
    for row in rows {
        if let Err(report) = ask_everywhere(row) {
            writeln!(wrong, "{} ({}: {})\n  {report}", row.name, row.interface, row.text)
                .expect("a string takes all");
        }
    }
    assert!(wrong.is_empty(), "answered otherwise than WASI's text says:\n{wrong}");
}

/// Asks a question in every setup. The error names the first setup with a wrong answer and the number of wrong answers.
fn ask_everywhere(row: &Row) -> Result<(), String> {
    let setups = setups();
    let mut first = None;
    let mut count = 0;
    for Named { name, setup } in &setups {
        if let Err(wrong) = ask(row, setup) {
            count += 1;
            first.get_or_insert_with(|| format!("{name}, seed {}: {wrong}", setup.seed));
        }
    }
    match first {
        None => Ok(()),
        Some(first) => Err(format!("{first} ({count} of {} runs)", setups.len())),
    }
}

/// A setup with a name.
struct Named {
    name: &'static str,
    setup: Setup,
}

/// All weathers: pipes that are free or held as the seed says, always free, always held, held with little room, and
/// held while their readers have spurious wake-ups and their budgets shrink.
fn setups() -> Vec<Named> {
    let with = |name, seeds, profile: Profile, capacity_bytes| {
        (0..seeds).map(move |seed| {
            let choices = Choices::Drawn(StrategyName::default(), profile.clone());
            Named { name, setup: Setup { choices, capacity_bytes, ..setup(seed) } }
        })
    };
    let full = setup(0).capacity_bytes;
    let free = Profile { held_pipes: 0, ..Profile::swarm() };
    let held = Profile { held_pipes: 1, ..Profile::swarm() };
    let faults = ["spur", "shrink"].map(|fault| (fault.to_string(), 100));
    let faulty = Profile { faults: 100, swarm: false, weights: faults.into(), ..held.clone() };
    with("swarm", 20, Profile::swarm(), full)
        .chain(with("calm", 5, Profile::calm(), full))
        .chain(with("free pipes", 5, free, full))
        .chain(with("held pipes", 5, held.clone(), full))
        .chain(with("faults", 30, faulty, full))
        .chain(with("held pipes of 100 bytes", 5, held.clone(), 100))
        .chain(with("held pipes of 1 byte", 3, held, 1))
        .collect()
}

/// Asks a question once.
fn ask(row: &Row, setup: &Setup) -> Result<(), String> {
    let heard = Heard::of(row, setup);
    match &row.answer {
        Answer::FollowsSeed => {
            heard.exited(0)?;
            let again = Heard::of(row, setup);
            expect("said, asked again,", &again.said, &heard.said)?;
            let other =
                Heard::of(row, &Setup { seed: wavetank_sim::Seed(setup.seed.0 + 1000), ..setup.clone() });
            if other.said == heard.said {
                return Err(format!("said {:?} under another seed too", other.said));
            }
            Ok(())
        }
        Answer::Says(words) => {
            heard.exited(0)?;
            expect("said", &heard.said, &format!("{words}\n"))
        }
        Answer::Writes { says, stdout } => {
            heard.exited(0)?;
            let says = if says.is_empty() { String::new() } else { format!("{says}\n") };
            expect("said", &heard.said, &says)?;
            expect("wrote", &String::from_utf8_lossy(&heard.wrote), &String::from_utf8_lossy(stdout))?;
            expect("bytes arrived", &heard.arrived_bytes, &stdout.len())
        }
        Answer::Traps(class) => match &heard.exit.cause {
            Cause::Trapped(trap) if trap.class == *class => heard.finished(),
            cause => Err(format!("ended by {cause:?} and said {:?}, expected a trap: {class}", heard.said)),
        },
        Answer::Exits(code) => {
            heard.exited(*code)?;
            expect("said", heard.said.as_str(), "")
        }
    }
}

fn expect<T: std::fmt::Debug + PartialEq + ?Sized>(what: &str, heard: &T, right: &T) -> Result<(), String> {
    if heard == right { Ok(()) } else { Err(format!("{what} {heard:?}, expected {right:?}")) }
}

/// The result of a question.
struct Heard {
    outcome: Result<(), String>,
    exit: ExitRecord,
    /// All text that was written to stderr.
    said: String,
    /// All bytes that were written to stdout.
    wrote: Vec<u8>,
    /// How many of those bytes the far end has read.
    arrived_bytes: usize,
}

impl Heard {
    fn of(row: &Row, setup: &Setup) -> Self {
        let Run { outcome, cells, transcript, .. } = run(|world: &mut World| build(world, row), setup);
        let pipe = |name: &str| {
            let born = |event: &Event| match event {
                Event::PipeBorn { pipe, name: born, .. } if **born == *name => Some(*pipe),
                _ => None,
            };
            transcript.events.iter().find_map(born).expect("a pipe of this name")
        };
        let written = |wanted: PipeId| {
            let mut bytes = Vec::new();
            for event in &transcript.events {
                if let Event::Wrote { pipe, bytes: piece } = event
                    && *pipe == wanted
                {
                    bytes.extend_from_slice(piece);
                }
            }
            bytes
        };
        let stdout = pipe("conformance stdout");
        let mut arrived_bytes = 0;
        for event in &transcript.events {
            if let Event::Read { pipe, bytes } = event
                && *pipe == stdout
            {
                arrived_bytes += bytes;
            }
        }
        let exit = cells[0].1.clone();
        Heard {
            outcome: if outcome.is_finished() {
                Ok(())
            } else {
                Err(format!("{outcome} {:?}", outcome.detail()))
            },
            exit: exit.unwrap_or(ExitRecord { code: -1, cause: Cause::Killed, fuel: 0, left: Vec::new() }),
            said: String::from_utf8_lossy(&written(pipe("conformance stderr"))).into_owned(),
            wrote: written(stdout),
            arrived_bytes,
        }
    }

    fn finished(&self) -> Result<(), String> {
        self.outcome.clone()
    }

    fn exited(&self, code: i32) -> Result<(), String> {
        match &self.exit.cause {
            Cause::Trapped(trap) => return Err(format!("trapped: {} ({})", trap.class, trap.message)),
            _ => expect("exit code", &self.exit.code, &code)?,
        }
        self.finished().map_err(|outcome| format!("said {:?}; {outcome}", self.said))
    }
}

/// A guest with a question, and a far end that acts as the row says.
fn build(world: &mut World, row: &Row) {
    let cell = world.cell("conformance", guests::CONFORMANCE).args([row.name, "", "two words", "ünïcode"]);
    let cell = cell.env("GREETING", "hello").env("EMPTY", "").transport(Transport::Connection);
    let cell = match row.stdin {
        Stdin::Holds(bytes) => cell.stdin(bytes),
        Stdin::StaysOpen => cell.keep_stdin(),
    };
    let mut cell = cell.serve(peer::executor(world)).spawn();
    match &row.answer {
        Answer::Traps(class) => cell.expect_trap(*class),
        Answer::Exits(code) => cell.expect_exit(*code),
        _ => cell.expect_exit(0),
    };
    let Some(input) = cell.stdin() else { return };
    let (shared, clock) = (world.tank().shared().clone(), world.clock());
    let (cell, later) = (cell.cell().clone(), row.later);
    let (stdin, stdout) = (cell.pipes()[0], cell.pipes()[1]);
    world.task("far end", async move {
        if later != Later::Nothing {
            while cell.exit().is_none() && !shared.blocked(cell.id()).contains(&Blocked::Reading(stdin)) {
                clock.sleep(LOOK_NS).await;
            }
        }
        let after = match later {
            Later::Nothing => &[][..],
            Later::Bytes(bytes) => bytes,
            Later::StdinBreaks => {
                shared.reset(stdin);
                &[]
            }
            Later::StdoutCloses(bytes) => {
                shared.end_after(stdout, 0, Ending::Close);
                bytes
            }
            Later::StdoutBreaks(bytes) => {
                shared.reset(stdout);
                bytes
            }
        };
        // The guest may have stopped reading.
        let _ = input.write(after.into()).await;
        if later != Later::Nothing {
            input.close();
        }
        cell.wait().await;
    });
}
