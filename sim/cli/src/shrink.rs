//! `wavetank shrink`: only makes a failing run smaller.

use crate::args::Shrink;
use crate::desk::{Desk, unexpected};
use crate::exit_code::FOUND;
use crate::subject::Own;
use crate::terminal::{self, Stop};
use crate::{Catalogue, replay, saved_failures};
use indicatif::{ProgressBar, ProgressStyle};
use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use wavetank_sim::worker::protocol::{Message, Request};
use wavetank_sim::worker::single::Minimised;

pub(crate) fn shrink(args: &Shrink, catalogue: &Catalogue) -> Result<ExitCode, Stop> {
    let own = Own { guests: args.guests.clone(), ..args.own.clone() };
    let (job, of) = replay::found(&args.token, &own, catalogue)?;
    let failures = folder(args).map(|folder| match job.driven() {
        // Tests run in the folder of their package.
        Some(_) => std::path::absolute(&folder).unwrap_or(folder),
        None => folder,
    });
    let request = Request::Minimise { of, runs: args.runs, time: args.time, failures };
    let bar = bar(args.runs);
    let ran = |choices| {
        if let Some(bar) = &bar {
            bar.inc(1);
            bar.set_message(format!("{choices} choices"));
        }
    };
    let answer = Desk::of(job, None, false)?.ask_and(request, &ran);
    if let Some(bar) = &bar {
        bar.finish_and_clear();
    }
    match answer? {
        Message::Minimised(Minimised { changed, report, is_news }) => {
            for changed in changed {
                terminal::warn(changed);
            }
            terminal::print_text(&report.into())?;
            Ok(if is_news { ExitCode::from(FOUND) } else { ExitCode::SUCCESS })
        }
        other => Err(unexpected(&other)),
    }
}

/// The folder in which the smaller run is saved: beside its own file if it came from one.
fn folder(args: &Shrink) -> Option<PathBuf> {
    let beside = saved_failures::is_file(&args.token).then(|| Path::new(&args.token).parent()).flatten();
    match (args.keep.folder(), beside, &args.keep.failures) {
        (None, ..) => None,
        (Some(_), Some(beside), None) => Some(beside.to_path_buf()),
        (Some(folder), ..) => Some(folder),
    }
}

/// A bar of the runs, on a terminal.
fn bar(runs: u64) -> Option<ProgressBar> {
    std::io::stderr().is_terminal().then(|| {
        let style = ProgressStyle::with_template("shrinking: {msg} {wide_bar} {pos}/{len} runs {elapsed}");
        ProgressBar::new(runs).with_style(style.expect("a template of known keys"))
    })
}
