//! The inputs of a component that runs as pid0, and the expectations of it.

use super::Source;
use serde::{Deserialize, Serialize};
use std::fmt;
use wavetank::cell::Transport;

/// The inputs of a component that runs as pid0. The defaults are those of the command line.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ComponentInputs {
    /// Its arguments after the first, which is its name.
    pub args: Vec<String>,
    /// Its environment: names and values.
    pub env: Vec<(String, String)>,
    /// The file that it reads as stdin.
    pub stdin: Option<InputFile>,
    /// The transport of its RPC, if the user set one; otherwise its imports decide.
    pub transport: Option<Transport>,
    /// The capability that its host serves.
    pub serves: Served,
    /// Whether it must make a call that is answered.
    pub expects_rpc: bool,
    /// The exit code that it must end with; `None` is 0.
    pub expects_exit: Option<i32>,
    /// Whether it may close the output of its children early.
    pub may_close_early: bool,
}

/// A file that a run reads, by its content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InputFile {
    /// Its path.
    pub path: String,
    /// The SHA-256 of its content, in hexadecimal.
    pub digest: String,
}

/// A guest that runs in place of one that the scenario starts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReplacedGuest {
    /// The guest that it replaces: a built-in one, or the guest of a cell.
    pub name: String,
    /// The component in its place.
    pub file: InputFile,
}

/// The capability that the host serves to a component that runs as pid0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Served {
    /// The `Host` of `peer.capnp`.
    #[default]
    Host,
    /// The `Executor` of `peer.capnp`.
    Executor,
    /// Nothing: a call to it is an exception.
    None,
}

impl fmt::Display for Served {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Served::Host => "host",
            Served::Executor => "executor",
            Served::None => "none",
        })
    }
}

impl ComponentInputs {
    /// Whether a component that is run like this is run like that one. The content of its stdin may differ, because the
    /// file may have been changed.
    pub fn is_alike(&self, other: &Self) -> bool {
        let without_content = |inputs: &Self| {
            let stdin = inputs.stdin.clone().map(|file| InputFile { digest: String::new(), ..file });
            ComponentInputs { stdin, ..inputs.clone() }
        };
        without_content(self) == without_content(other)
    }

    /// The inputs that older versions did not know, as a text for the name of a file; empty if they have their defaults.
    pub(super) fn newer(&self) -> String {
        let ComponentInputs { env, stdin, serves, expects_exit, may_close_early, .. } = self;
        let stdin = stdin.as_ref().map(|file| &file.path);
        let is_given = !env.is_empty() || stdin.is_some() || *serves != Served::default();
        if is_given || expects_exit.is_some() || *may_close_early {
            format!("{env:?}\n{stdin:?}\n{serves}\n{expects_exit:?}\n{may_close_early}\n")
        } else {
            String::new()
        }
    }
}

impl Source {
    /// The file that is its stdin.
    pub(super) fn stdin(&self) -> Option<&InputFile> {
        match self {
            Source::Component { inputs, .. } => inputs.stdin.as_ref(),
            Source::BuiltIn | Source::Check => None,
        }
    }
}
