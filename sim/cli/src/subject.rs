//! What a command runs: a scenario, a check or a component, and the settings that go with it.

use crate::called;
use crate::component::ComponentArgs;
use crate::guest_files::GuestArgs;
use crate::schemas::SchemaArgs;
use crate::without::WithoutArgs;
use std::path::PathBuf;
use wavetank_sim::saved;

/// A scenario, a check or a component, for commands that search for failures.
#[derive(clap::Args, Clone)]
pub(crate) struct SubjectArgs {
    /// A scenario (`wavetank list` names them), or the path of a component that runs as pid0
    #[arg(default_value = "pid0")]
    pub(crate) scenario: String,
    #[command(flatten)]
    pub(crate) guests: GuestArgs,
    #[command(flatten)]
    pub(crate) settings: SettingArgs,
    #[command(flatten)]
    pub(crate) keep: Keep,
}

/// The settings of a run that a replay needs too.
#[derive(clap::Args, Clone)]
pub(crate) struct SettingArgs {
    #[command(flatten)]
    pub(crate) component: ComponentArgs,
    #[command(flatten)]
    pub(crate) without: WithoutArgs,
    #[command(flatten)]
    pub(crate) schema: SchemaArgs,
}

/// Where failures are saved.
#[derive(clap::Args, Clone)]
pub(crate) struct Keep {
    /// Save failures in this folder [default: the value of WAVETANK_FAILURES, or wavetank-failures]
    #[arg(long, value_name = "DIR")]
    pub(crate) failures: Option<PathBuf>,
    /// Save no failures, and do not retry saved ones
    #[arg(long, conflicts_with = "failures")]
    pub(crate) no_keep: bool,
}

/// The component of the user's own that a token refers to.
#[derive(clap::Args, Clone)]
pub(crate) struct Own {
    /// The component, if the token refers to one of your own
    #[arg(long, value_name = "FILE")]
    pub(crate) wasm: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) settings: SettingArgs,
    /// Guests that the run has in place of others.
    #[arg(skip)]
    pub(crate) guests: GuestArgs,
}

impl SubjectArgs {
    /// The options that give the same settings again, and the arguments for the component. The scenario and the folder
    /// of failures are not among them.
    pub(crate) fn words(&self) -> Vec<String> {
        let SettingArgs { component, without, schema } = &self.settings;
        [self.guests.words(), without.words(), schema.words(), component.flags(), component.tail()].concat()
    }
}

impl Keep {
    /// The chosen folder; `None` if nothing is to be saved.
    pub(crate) fn folder(&self) -> Option<PathBuf> {
        if self.no_keep { None } else { saved::folder(self.failures.clone(), called::failures_base()) }
    }
}

impl Own {
    /// Whether the user said anything about the component.
    pub(crate) fn is_given(&self) -> bool {
        self.wasm.is_some() || self.settings.component.is_given()
    }
}
