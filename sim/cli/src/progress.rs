//! The progress of a sweep, on stderr: a bar on a terminal, otherwise a line now and then.

use crate::terminal;
use indicatif::{ProgressBar, ProgressState, ProgressStyle};
use std::fmt;
use std::io::IsTerminal;
use std::time::{Duration, Instant};
use wavetank_sim::record::Record;

/// Number of progress lines for a sweep if there is no terminal.
const LINES: u64 = 10;

/// The minimum number of worlds between two lines.
const LEAST: u64 = 20;

/// Tracks the progress of a sweep and the wall clock.
pub(crate) struct Progress {
    name: String,
    bar: Option<ProgressBar>,
    total: u64,
    ran: u64,
    failed: u64,
    started: Instant,
    limit: Option<Duration>,
}

impl Progress {
    pub(crate) fn new(name: &str, total: u64, limit: Option<Duration>) -> Self {
        let bar = std::io::stderr().is_terminal().then(|| {
            let style = ProgressStyle::with_template("{msg} {wide_bar} {pos}/{len} {rate} {eta}");
            // Show whole worlds: `per_sec` has four decimals.
            let style = style.expect("a template of known keys").with_key("rate", rate);
            ProgressBar::new(total).with_style(style).with_message(format!("{name}: 0 failed"))
        });
        Progress { name: name.into(), bar, total, ran: 0, failed: 0, started: now(), limit }
    }

    /// Counts a world that ran.
    pub(crate) fn ran(&mut self, record: &Record) {
        self.ran += 1;
        if record.is_news() {
            self.failed += 1;
            if let Some(bar) = &self.bar {
                bar.set_message(format!("{}: {} failed", self.name, self.failed));
            }
        }
        match &self.bar {
            Some(bar) => bar.inc(1),
            None if self.ran < self.total && self.ran.is_multiple_of(self.each()) => {
                let Progress { name, ran, total, failed, .. } = self;
                terminal::note(format_args!("{name}: {ran} of {total} seeds, {failed} failed\n"));
            }
            None => {}
        }
    }

    /// Number of worlds from one line to the next.
    fn each(&self) -> u64 {
        self.total.div_ceil(LINES).max(LEAST)
    }

    pub(crate) fn is_over_time(&self) -> bool {
        self.limit.is_some_and(|limit| now() - self.started > limit)
    }

    /// Ends the bar; gives the elapsed time.
    pub(crate) fn finish(self) -> Duration {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
        now() - self.started
    }
}

fn rate(state: &ProgressState, text: &mut dyn fmt::Write) {
    let _ = write!(text, "{}/s", state.per_sec() as u64);
}

/// A spinner for slow work, if there is a terminal.
pub(crate) fn note() -> ProgressBar {
    if std::io::stderr().is_terminal() { ProgressBar::new_spinner() } else { ProgressBar::hidden() }
}

/// The time on the wall clock. It is for users who wait; no world sees it.
#[expect(clippy::disallowed_methods, reason = "outside of all worlds: how long a sweep takes, for its user")]
pub fn now() -> Instant {
    Instant::now() // For the user who waits: no world sees it.
}
