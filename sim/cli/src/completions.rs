//! `wavetank completions`: the completion script of a shell.

use crate::args::Completions;
use crate::catalogue::Catalogue;
use crate::terminal::{self, Stop};
use clap::Command;

/// The name under which the command is installed.
const NAME: &str = "wavetank";

/// Prints the script.
pub(crate) fn completions(args: &Completions, catalogue: &Catalogue) -> Result<(), Stop> {
    let mut command = shown(&(catalogue.command_line)());
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut command, NAME, &mut script);
    terminal::write(&script)
}

/// The same command line without its hidden commands, which the generators would offer too.
fn shown(command: &Command) -> Command {
    let commands = command.get_subcommands().filter(|command| !command.is_hide_set());
    Command::new(NAME)
        .version(env!("CARGO_PKG_VERSION"))
        .about(command.get_about().cloned().unwrap_or_default())
        .args(command.get_arguments())
        .subcommands(commands)
}
