//! The report of a single run.

use crate::annotate;
use crate::desk::Labels;
use crate::terminal::{self, Stop};
use wavetank_sim::worker::single::Told;

/// Prints the report of one run, with `below` beneath it.
pub(crate) fn tell(labels: &Labels, github: bool, told: Told, below: &str) -> Result<(), Stop> {
    let Told { output, report, kept, record, is_news: _ } = told;
    terminal::print(output)?;
    terminal::print_text(&report.into())?;
    terminal::print(below)?;
    terminal::print(kept)?;
    let records = [&record].into_iter();
    terminal::print(annotate::annotations(
        github,
        &labels.title,
        &labels.replay_args,
        labels.at.as_ref(),
        records,
    ))
}
