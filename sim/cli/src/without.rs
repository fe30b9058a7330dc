//! `--without`: oracles that are switched off.

use wavetank_choice::nearest::did_you_mean;
use wavetank_sim::oracle::{Oracle, SwitchedOff, UnknownOracle};

/// Oracles that are switched off.
#[derive(clap::Args, Clone, Default)]
pub(crate) struct WithoutArgs {
    /// Switch an oracle off, as resources="std keeps its handles"; the report prints the reason
    #[arg(long = "without", value_name = "ORACLE=REASON", value_parser = switched_off)]
    off: Vec<(Oracle, String)>,
}

impl WithoutArgs {
    /// The switched-off oracles in the form that a setup takes.
    pub(crate) fn setting(&self) -> SwitchedOff {
        self.off.iter().map(|(oracle, reason)| (*oracle, reason.as_str().into())).collect()
    }

    /// The name of each oracle that is switched off, with the reason.
    pub(crate) fn pairs(&self) -> Vec<(String, String)> {
        self.off.iter().map(|(oracle, reason)| (oracle.to_string(), reason.clone())).collect()
    }

    /// The arguments that switch the same oracles off again.
    pub(crate) fn words(&self) -> Vec<String> {
        let word = |(oracle, reason): &(Oracle, String)| format!("{oracle}={reason}");
        self.off.iter().flat_map(|off| ["--without".to_string(), word(off)]).collect()
    }
}

fn switched_off(text: &str) -> Result<(Oracle, String), String> {
    let wrong = || format!("not ORACLE=REASON: {text:?} (as resources=\"std keeps its handles\")");
    let (oracle, reason) = text.split_once('=').ok_or_else(wrong)?;
    let oracle = oracle.parse().map_err(|e: UnknownOracle| {
        let suggestion = did_you_mean(&e.name, Oracle::all().map(Oracle::name));
        format!("{e}{suggestion}")
    })?;
    if reason.trim().is_empty() {
        return Err(format!("say why {oracle} is switched off: {oracle}=\"the reason\""));
    }
    Ok((oracle, reason.into()))
}
