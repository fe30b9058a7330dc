//! A check that is driven: its test was started to serve requests, and not to run its seeds.
//!
//! The environment names a Unix socket, because a test harness and the tests themselves write to stdout as they like.

use super::protocol::{Described, Message, Request, Settings, VERSION};
use super::replaced::{self, NewGuest};
use super::subject::{COMPILES_UNTOLD, Subject, said_if_long};
use super::{Line, Work, hello};
use crate::guest_panic::SourceLine;
use crate::harness::Harness;
use crate::oracle::Oracle;
use crate::run::{Choices, Run};
use crate::saved::{ReplacedGuest, Setting, Source};
use crate::world::World;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use wavetank_choice::profile::Profile;
use wavetank_choice::seed::Seed;
use wavetank_choice::strategy::StrategyName;
use wavetank_trace::schema::Schema;

/// The variable that makes the checks of a process serve requests: the path of the socket.
pub const SOCKET: &str = "WAVETANK_WORKER";

/// The variable that names the check to serve, as in tokens. Without it, the first check of the process serves.
pub const CHECK: &str = "WAVETANK_WORKER_CHECK";

/// Whether a check is driven.
pub(crate) enum Asked {
    /// No: it runs its seeds.
    Nothing,
    /// No, but another check of this process is.
    Another,
    /// Yes, over this socket.
    This(PathBuf),
}

/// Whether the check with this name in tokens is driven.
#[expect(clippy::disallowed_methods, reason = "read once before any world, by checks alone, and documented")]
pub(crate) fn asked(name: &str) -> Asked {
    let set = |variable| std::env::var_os(variable).filter(|value| !value.is_empty());
    match (set(SOCKET), set(CHECK)) {
        (None, _) => Asked::Nothing,
        (Some(_), Some(check)) if check != name => Asked::Another,
        (Some(socket), _) => Asked::This(socket.into()),
    }
}

/// A check that a worker serves.
struct DrivenCheck<F> {
    /// Its name for people.
    title: String,
    /// Its name in tokens.
    name: String,
    harness: Harness<F>,
    replaced: Vec<ReplacedGuest>,
    settings: Settings,
    line: Arc<Line>,
    has_run: AtomicBool,
}

impl<F: Fn(&mut World) + Sync> DrivenCheck<F> {
    /// Replaces the guests that the user set.
    fn replace_guests(&mut self) -> Result<(), String> {
        if self.settings.guests.is_empty() {
            return Ok(());
        }
        let guests = replaced::load(&self.settings.guests)?;
        replaced::replace(self, &guests)?;
        self.replaced = guests.iter().map(NewGuest::saved).collect();
        self.name = replaced::name_with(&self.name, &self.replaced);
        Ok(())
    }
}

impl<F: Fn(&mut World) + Sync> Subject for DrivenCheck<F> {
    type Scenario = F;

    fn name(&self) -> &str {
        &self.name
    }

    fn title(&self) -> &str {
        &self.title
    }

    fn command(&self) -> &str {
        &self.settings.command
    }

    fn replay_line(&self, token: &str) -> String {
        format!("{} replay {token}{}", self.settings.command, self.settings.replay_args)
    }

    fn harness(&self) -> &Harness<F> {
        &self.harness
    }

    fn harness_mut(&mut self) -> &mut Harness<F> {
        &mut self.harness
    }

    fn setting(&self, seed: Seed) -> Setting {
        let setup = self.harness.setup(seed);
        let schemas = self.settings.schema_names.clone();
        let replaced = self.replaced.clone();
        let setting = Setting::of(&self.name, Source::Check, &setup, self.harness.is_comparing());
        Setting { schemas, replaced, ..setting }
    }

    fn run_with(&self, seed: Seed, choices: Choices, compares: bool) -> Run {
        let run = || self.harness.run_with(seed, choices, compares);
        if self.has_run.swap(true, Ordering::Relaxed) {
            return run();
        }
        let say = || {
            if self.harness.engine().is_compiling() {
                let _ = self.line.say(Message::Compiling);
            }
        };
        said_if_long(COMPILES_UNTOLD, say, run)
    }
}

/// Serves a check over a socket until the parent needs nothing more, then ends this process: nothing else of the test
/// is to happen.
///
/// # Panics
/// If nobody listens on the socket, or if what arrives there is no order.
#[cfg(unix)]
pub(crate) fn work<F: Fn(&mut World) + Sync>(
    name: String,
    at: &SourceLine,
    harness: Harness<F>,
    socket: PathBuf,
) -> ! {
    let stream = std::os::unix::net::UnixStream::connect(&socket);
    let stream =
        stream.unwrap_or_else(|e| panic!("{SOCKET} is for `cargo wavetank`: {}: {e}", socket.display()));
    let orders = stream.try_clone().unwrap_or_else(|e| panic!("{}: {e}", socket.display()));
    let served = serve(name, at, harness, stream, std::io::BufReader::new(orders));
    // If the parent has gone, nobody needs to know.
    std::process::exit(i32::from(served.is_err()))
}

/// Says that checks cannot be driven here.
#[cfg(not(unix))]
pub(crate) fn work<F: Fn(&mut World) + Sync>(_: String, _: &SourceLine, _: Harness<F>, _: PathBuf) -> ! {
    panic!("{SOCKET}: checks are driven over Unix sockets, which this system has not")
}

#[cfg_attr(not(unix), expect(dead_code, reason = "there is no socket"))]
fn serve<F: Fn(&mut World) + Sync>(
    name: String,
    at: &SourceLine,
    harness: Harness<F>,
    out: impl std::io::Write + Send + 'static,
    mut orders: impl std::io::BufRead,
) -> std::io::Result<()> {
    let line = Arc::new(Line::new(out));
    let Some(first) = line.next(&mut orders)? else { return Ok(()) };
    let Request::Open { version, settings } = first else {
        return line.say(Message::Refused("the first order must open the line".into()));
    };
    if version != VERSION {
        return line.say(Message::Hello { version: VERSION, check: None });
    }
    let settings = settings.map(|settings| *settings).unwrap_or_default();
    let (harness, profile) = match under(harness, &settings) {
        Ok(set) => set,
        Err(e) => return line.say(Message::Refused(e)),
    };
    let failures = settings.failures.clone();
    let mut check = DrivenCheck {
        title: name.clone(),
        name,
        harness,
        replaced: Vec::new(),
        settings,
        line: line.clone(),
        has_run: AtomicBool::new(false),
    };
    if let Err(e) = check.replace_guests() {
        return line.say(Message::Refused(e));
    }
    line.say(hello(described(&check, at)))?;
    Work::new(check, failures, profile).serve(&line, &mut orders)
}

/// The harness as the user set it, and the profile of a fuzzer's draws.
fn under<F: Fn(&mut World) + Sync>(
    mut harness: Harness<F>,
    settings: &Settings,
) -> Result<(Harness<F>, Profile), String> {
    let strategy: Option<StrategyName> =
        settings.strategy.as_ref().map(|name| name.parse().map_err(|e| format!("{e}"))).transpose()?;
    let profile: Option<Profile> =
        settings.profile.as_ref().map(|name| name.parse().map_err(|e| format!("{e}"))).transpose()?;
    let base = harness.base_mut();
    if let Choices::Drawn(its_strategy, its_profile) = &mut base.choices {
        *its_strategy = strategy.unwrap_or_else(|| its_strategy.clone());
        *its_profile = profile.clone().unwrap_or_else(|| its_profile.clone());
    }
    for (oracle, reason) in &settings.without {
        let oracle: Oracle = oracle.parse().map_err(|e| format!("{e}"))?;
        base.without.insert(oracle, reason.as_str().into());
    }
    for file in &settings.schemas {
        let of = |e: &dyn std::fmt::Display| format!("{}: {e}", file.display());
        let bytes = std::fs::read(file).map_err(|e| of(&e))?;
        let schema = Schema::from_request(&bytes).map_err(|e| of(&e))?;
        Arc::make_mut(&mut base.schema).extend(schema);
    }
    let canary = settings.canary || harness.is_comparing();
    Ok((harness.comparing(canary), profile.unwrap_or_default()))
}

fn described<F: Fn(&mut World) + Sync>(check: &DrivenCheck<F>, at: &SourceLine) -> Described {
    let (strategy, profile) = match check.harness.choices() {
        Choices::Drawn(strategy, profile) => (strategy.to_string(), profile.to_string()),
        Choices::Given(_) | Choices::GivenThenDrawn { .. } => Default::default(),
    };
    let Setting { engine, config, .. } = check.setting(Seed(0));
    let canary = check.harness.is_comparing();
    Described { name: check.name.clone(), at: at.clone(), strategy, profile, canary, engine, config }
}

#[cfg(test)]
mod tests {
    use super::super::protocol::{Answer, Order};
    use super::*;
    use crate::check::engine;
    use crate::run::Setup;
    use std::sync::{Mutex, PoisonError};

    /// What a worker says.
    #[derive(Clone, Default)]
    struct Said(Arc<Mutex<Vec<u8>>>);

    impl std::io::Write for Said {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap_or_else(PoisonError::into_inner).write(bytes)
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    fn order(nonce: &str, number: u64, request: Request) -> String {
        Order { nonce: nonce.into(), number, request }.line()
    }

    fn said(orders: &str) -> (std::io::Result<()>, Vec<Answer>) {
        let harness = Harness::new(
            |world: &mut World| {
                println!("\u{1e}wavetank {{\"forged\":1}}");
                world.task("count", async { assert_eq!([1, 1].iter().sum::<i32>(), 2) });
            },
            Setup::new(engine(), Seed(0)),
        );
        let at = SourceLine { file: "tests/shop.rs".into(), line: 7 };
        let out = Said::default();
        let ended = serve("counts".into(), &at, harness, out.clone(), orders.as_bytes());
        let text = out.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        (ended, text.split_inclusive(|byte| *byte == b'\n').filter_map(Answer::read).collect())
    }

    #[test]
    fn a_check_serves_requests_with_the_number_and_the_nonce_of_the_order() {
        let open = Request::Open { version: VERSION, settings: None };
        let seeds = Request::Seeds { first: 3, count: 2, step: 5 };
        let (ended, answers) = said(&(order("n", 0, open) + &order("n", 1, seeds)));
        assert!(ended.is_ok());
        assert!(answers.iter().all(|answer| answer.nonce == "n"));
        let Message::Hello { check: Some(check), .. } = &answers[0].message else { panic!("{answers:?}") };
        assert_eq!((&*check.name, check.at.line, &*check.strategy), ("counts", 7, "portfolio"));
        let ran: Vec<(u64, u64)> = answers
            .iter()
            .filter_map(|answer| match &answer.message {
                Message::Ran(record) => Some((answer.order, record.seed)),
                _ => None,
            })
            .collect();
        assert_eq!(ran, [(1, 3), (1, 8)]);
    }

    #[test]
    fn what_cannot_be_set_is_refused_and_foreign_orders_end_the_worker() {
        let settings = Settings { profile: Some("no such".into()), ..Settings::default() };
        let open = Request::Open { version: VERSION, settings: Some(Box::new(settings)) };
        let (_, answers) = said(&order("n", 0, open));
        assert!(matches!(&answers[..], [Answer { message: Message::Refused(_), .. }]), "{answers:?}");
        let open = Request::Open { version: VERSION + 1, settings: None };
        let (_, answers) = said(&order("n", 0, open));
        assert!(matches!(&answers[..], [Answer { message: Message::Hello { check: None, .. }, .. }]));
        let open = Request::Open { version: VERSION, settings: None };
        let seeds = Request::Seeds { first: 0, count: 1, step: 1 };
        let (ended, answers) = said(&(order("n", 0, open) + &order("another", 1, seeds)));
        assert!(ended.is_err() && answers.len() == 1, "{answers:?}");
    }
}
