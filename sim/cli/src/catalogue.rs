//! The scenarios that a command knows by name, and where its binary comes from.

use crate::args::Args;
use crate::driven::DrivenCheck;
use clap::CommandFactory;
use std::path::Path;
use wavetank_choice::nearest::did_you_mean;
use wavetank_sim::check::AnyCheck;
use wavetank_sim::guests;
use wavetank_sim::replay_line::Built;
use wavetank_sim::scenario::{DEMOS, Scenario};

/// The package that a binary was built from. Lines that replay a run name it if cargo ran the binary.
#[derive(Clone, Copy, Debug)]
pub struct Binary {
    /// The name of its package: `env!("CARGO_PKG_NAME")`.
    pub package: &'static str,
    /// The folder of its package: `env!("CARGO_MANIFEST_DIR")`.
    pub folder: &'static str,
}

impl Binary {
    pub(crate) fn built(&self) -> Built<'static> {
        Built { package: self.package, folder: Path::new(self.folder) }
    }
}

/// Scenarios that belong together.
pub struct Group {
    /// The heading above them in `wavetank list`.
    pub heading: &'static str,
    /// One of them, for error messages: `scenario`.
    pub noun: &'static str,
    /// The beginning of all their names; empty if they have none in common.
    pub prefix: &'static str,
    /// The scenarios.
    pub scenarios: Vec<Scenario>,
}

/// All scenarios of a command.
pub struct Catalogue {
    /// The binary of the command.
    pub binary: Binary,
    /// The whole command line, for completions and manual pages.
    pub command_line: fn() -> clap::Command,
    /// The checks of a user's project. They are looked up before the scenarios.
    pub checks: Vec<fn() -> AnyCheck>,
    /// Checks in test binaries of their own, which other processes run.
    pub driven: Vec<DrivenCheck>,
    /// The scenarios. Names are looked up in this order.
    pub groups: Vec<Group>,
    /// Built guests that `--guest NAME=FILE` may name.
    pub guests: Vec<(&'static str, &'static [u8])>,
}

impl Catalogue {
    /// The scenarios that every command knows, and no others.
    pub fn of_users(binary: Binary) -> Self {
        let demos = Group { heading: "scenarios", noun: "scenario", prefix: "", scenarios: DEMOS.to_vec() };
        Catalogue {
            binary,
            command_line: Args::command,
            checks: Vec::new(),
            driven: Vec::new(),
            groups: vec![demos],
            guests: guests::ALL.to_vec(),
        }
    }

    /// The checks of a user's project, and no scenarios.
    pub fn of_checks(binary: Binary, checks: Vec<fn() -> AnyCheck>) -> Self {
        let guests = guests::ALL.to_vec();
        Catalogue {
            binary,
            command_line: Args::command,
            checks,
            driven: Vec::new(),
            groups: Vec::new(),
            guests,
        }
    }

    /// The check with a name.
    pub(crate) fn check(&self, name: &str) -> Option<AnyCheck> {
        self.checks.iter().map(|make| make()).find(|check| check.token_name() == name)
    }

    /// The check that another process runs, by any of its names.
    pub(crate) fn driven(&self, name: &str) -> Option<&DrivenCheck> {
        self.driven.iter().find(|check| check.answers_to(name))
    }

    /// Whether a check has this name.
    pub(crate) fn has_check(&self, name: &str) -> bool {
        self.check(name).is_some() || self.driven(name).is_some()
    }

    /// The names of the checks.
    pub(crate) fn check_names(&self) -> Vec<String> {
        self.checks.iter().map(|make| make().token_name()).collect()
    }

    /// The scenario with a name.
    pub fn find(&self, name: &str) -> Option<&Scenario> {
        self.groups.iter().flat_map(|group| &group.scenarios).find(|scenario| scenario.name == name)
    }

    /// Whether a scenario or a check has this name.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.find(name).is_some() || self.has_check(name)
    }

    /// The message for a name that no scenario has.
    pub(crate) fn unknown(&self, name: &str) -> String {
        if !self.checks.is_empty() || !self.driven.is_empty() {
            let mut names = self.check_names();
            names.extend(self.driven.iter().map(|check| check.path.clone()));
            let suggestion = did_you_mean(name, names.iter().map(String::as_str));
            return format!("unknown check {name:?}: there are {}{suggestion}", names.join(", "));
        }
        let group =
            self.groups.iter().find(|group| !group.prefix.is_empty() && name.starts_with(group.prefix));
        if let Some(group) = group {
            let listed = group.scenarios.iter().filter(|scenario| scenario.is_listed);
            let names: Vec<&str> = listed.map(|scenario| scenario.name).collect();
            let suggestion = did_you_mean(name, names.iter().copied());
            return format!("unknown {} {name:?}: there are {}{suggestion}", group.noun, names.join(", "));
        }
        let unprefixed = self.groups.iter().filter(|group| group.prefix.is_empty());
        let names = unprefixed.flat_map(|group| &group.scenarios).map(|scenario| scenario.name);
        let suggestion = did_you_mean(name, names);
        format!(
            "unknown scenario {name:?}: `wavetank list` names them all; a component of your own is named by its path, as ./{name}.wasm{suggestion}"
        )
    }
}
