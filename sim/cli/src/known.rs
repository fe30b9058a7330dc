//! `wavetank known`: the known faults of the libraries below.

use crate::args::Known;
use crate::terminal::{self, Stop};
use wavetank_choice::nearest::did_you_mean;
use wavetank_sim::known;

/// Prints what is known of one fault, or a line for each.
pub(crate) fn known(args: &Known) -> Result<(), Stop> {
    let Some(id) = &args.id else {
        for fault in known::all() {
            let title = known::title(fault.id).unwrap_or_default();
            terminal::print(format_args!("{:<4} {:<17} {title}\n", fault.id, fault.layer))?;
        }
        return Ok(());
    };
    let wanted = id.to_uppercase();
    let section = known::section(&wanted).ok_or_else(|| {
        let suggestion = did_you_mean(&wanted, known::all().iter().map(|fault| fault.id));
        Stop::Told(format!("there is no known fault {id:?}{suggestion}: `wavetank known` lists them"))
    })?;
    terminal::print(format_args!("{section}\n"))
}
