//! The options of a component of the user's own: its inputs and the expectations of it.

use crate::files;
use clap::ValueEnum;
use sha2::{Digest, Sha256};
use std::fmt::Write;
use std::path::PathBuf;
use wavetank_sim::saved::{ComponentInputs, InputFile, Served};
use wavetank_sim::world::StdinScript;
use wavetank_sim::{Transport, World, peer};

/// How a component of the user's own runs.
#[derive(clap::Args, Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct ComponentArgs {
    /// Transport of the RPC of a component of your own [default: a connection if it imports wetware:streams, else
    /// stdio]
    #[arg(long, value_enum)]
    transport: Option<TransportArg>,
    /// File that a component of your own reads as its stdin [default: its stdin is empty]
    #[arg(long, value_name = "FILE")]
    stdin: Option<PathBuf>,
    /// Variable in the environment of a component of your own; may be given several times [default: it is empty]
    #[arg(long = "env", value_name = "NAME=VALUE", value_parser = variable)]
    env: Vec<(String, String)>,
    /// Capability that the host serves to a component of your own [default: host]
    #[arg(long, value_enum, value_name = "WHAT")]
    serve: Option<ServeArg>,
    /// Fail if a component of your own ends with another exit code [default: 0]
    #[arg(long, value_name = "CODE", value_parser = clap::value_parser!(u8))]
    expect_exit: Option<u8>,
    /// Fail if a component of your own makes no RPC call that is answered
    #[arg(long)]
    expect_rpc: bool,
    /// Let a component of your own close the output of a child before the child has ended; that child may then fail
    #[arg(long)]
    early_close: bool,
    /// Arguments for a component of your own
    #[arg(last = true, value_name = "ARGS")]
    args: Vec<String>,
}

/// The transport of a component's RPC.
#[derive(Clone, Copy, Debug, ValueEnum, PartialEq, Eq)]
enum TransportArg {
    /// Over wetware:streams; stdin and stdout are the guest's own
    Connection,
    /// Over stdin and stdout, even if the guest also writes other text there
    Stdio,
}

/// The capability that a component's host serves.
#[derive(Clone, Copy, Debug, ValueEnum, PartialEq, Eq)]
enum ServeArg {
    /// The Executor of peer.capnp, which starts children
    Executor,
    /// The Host of peer.capnp, which also gives an Executor
    Host,
    /// Nothing: a call to it is an exception
    None,
}

impl ComponentArgs {
    /// Whether any option or argument was given.
    pub(crate) fn is_given(&self) -> bool {
        *self != ComponentArgs::default()
    }

    /// The options, as on a command line.
    pub(crate) fn flags(&self) -> Vec<String> {
        let mut words = Vec::new();
        let mut flag = |name: &str, value: String| words.extend([name.to_string(), value]);
        if let Some(transport) = self.transport {
            flag("--transport", value_name(transport));
        }
        if let Some(stdin) = &self.stdin {
            flag("--stdin", stdin.to_string_lossy().into_owned());
        }
        for (name, value) in &self.env {
            flag("--env", format!("{name}={value}"));
        }
        if let Some(serve) = self.serve {
            flag("--serve", value_name(serve));
        }
        if let Some(code) = self.expect_exit {
            flag("--expect-exit", code.to_string());
        }
        for (given, flag) in [(self.expect_rpc, "--expect-rpc"), (self.early_close, "--early-close")] {
            if given {
                words.push(flag.into());
            }
        }
        words
    }

    /// The arguments for the component itself, as on a command line.
    pub(crate) fn tail(&self) -> Vec<String> {
        if self.args.is_empty() {
            return Vec::new();
        }
        std::iter::once("--".to_string()).chain(self.args.iter().cloned()).collect()
    }

    /// Reads the file of stdin.
    ///
    /// # Errors
    /// A message for the user if it is no file that a replay could read again.
    pub(crate) fn load(&self) -> Result<Inputs, String> {
        let stdin = self.stdin.as_deref().map(files::input).transpose()?;
        let file = |(path, bytes): (&PathBuf, &Vec<u8>)| InputFile {
            path: path.display().to_string(),
            digest: hex(&Sha256::digest(bytes)),
        };
        let given = ComponentInputs {
            args: self.args.clone(),
            env: self.env.clone(),
            stdin: self.stdin.as_ref().zip(stdin.as_ref()).map(file),
            transport: self.transport.map(Into::into),
            serves: self.serve.map(Into::into).unwrap_or_default(),
            expects_rpc: self.expect_rpc,
            expects_exit: self.expect_exit.map(Into::into),
            may_close_early: self.early_close,
        };
        Ok(Inputs { given, stdin })
    }
}

impl From<&ComponentInputs> for ComponentArgs {
    fn from(inputs: &ComponentInputs) -> Self {
        let served = Some(inputs.serves).filter(|served| *served != Served::default());
        ComponentArgs {
            transport: inputs.transport.map(|transport| match transport {
                Transport::Connection => TransportArg::Connection,
                Transport::Stdio => TransportArg::Stdio,
            }),
            stdin: inputs.stdin.as_ref().map(|file| PathBuf::from(&file.path)),
            env: inputs.env.clone(),
            serve: served.map(|served| match served {
                Served::Executor => ServeArg::Executor,
                Served::Host => ServeArg::Host,
                Served::None => ServeArg::None,
            }),
            expect_exit: inputs.expects_exit.and_then(|code| u8::try_from(code).ok()),
            expect_rpc: inputs.expects_rpc,
            early_close: inputs.may_close_early,
            args: inputs.args.clone(),
        }
    }
}

impl From<TransportArg> for Transport {
    fn from(arg: TransportArg) -> Self {
        match arg {
            TransportArg::Connection => Transport::Connection,
            TransportArg::Stdio => Transport::Stdio,
        }
    }
}

impl From<ServeArg> for Served {
    fn from(arg: ServeArg) -> Self {
        match arg {
            ServeArg::Executor => Served::Executor,
            ServeArg::Host => Served::Host,
            ServeArg::None => Served::None,
        }
    }
}

/// The inputs of a component, read.
pub(crate) struct Inputs {
    pub(crate) given: ComponentInputs,
    /// The content of its stdin, if it was given any.
    stdin: Option<Vec<u8>>,
}

impl Inputs {
    /// Inputs that were saved, with the content of stdin.
    pub(crate) fn saved(given: ComponentInputs, stdin: Option<Vec<u8>>) -> Self {
        Inputs { given, stdin }
    }

    /// The content of its stdin, if it was given any.
    pub(crate) fn stdin(&self) -> Option<&[u8]> {
        self.stdin.as_deref()
    }

    /// The mark of what the component is given, for its name in tokens; `None` if all is as by default. It is made of the
    /// content of stdin, because its path may change.
    pub(crate) fn mark(&self) -> Option<String> {
        let ComponentInputs { args, env, serves, .. } = &self.given;
        let stdin = self.given.stdin.as_ref().map(|file| &file.digest);
        if args.is_empty() && env.is_empty() && stdin.is_none() && *serves == Served::default() {
            return None;
        }
        let all = serde_json::to_vec(&(args, env, stdin, serves)).expect("inputs are plain data");
        Some(short_digest(&all))
    }

    /// Refuses a transport that the component cannot use.
    pub(crate) fn refuse_unfit(&self, imports: Transport, path: &str) -> Result<(), String> {
        if self.given.transport == Some(Transport::Stdio) && imports == Transport::Connection {
            return Err(format!(
                "--transport stdio does not fit {path}: it imports wetware:streams, so it opens a connection for its RPC, and would trap; leave --transport out, or build it for stdio"
            ));
        }
        Ok(())
    }

    /// Builds the world of a component that runs as pid0.
    pub(crate) fn build(&self, world: &World, name: &str, wasm: &[u8]) {
        let ComponentInputs { args, env, transport, serves, .. } = &self.given;
        let mut cell = world.cell(name, wasm).args(args.clone()).envs(env.clone());
        if let Some(transport) = transport {
            cell = cell.transport(*transport);
        }
        if let Some(stdin) = &self.stdin {
            cell = cell.stdin_script(StdinScript::new().write(stdin));
        }
        if self.given.may_close_early {
            cell = cell.may_close_early();
        }
        cell = match serves {
            Served::Host => cell.serve(peer::host(world)),
            Served::Executor => cell.serve(peer::executor(world)),
            Served::None => cell,
        };
        let cell = cell.spawn();
        cell.expect_exit(self.given.expects_exit.unwrap_or(0));
        if self.given.expects_rpc {
            cell.expect_rpc();
        }
    }
}

/// The first digits of a digest, enough to tell a few texts apart.
pub(crate) fn short_digest(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes)[..4])
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

fn value_name(value: impl ValueEnum) -> String {
    value.to_possible_value().map_or_else(String::new, |value| value.get_name().into())
}

fn variable(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.into(), value.into())),
        _ => Err(format!("not NAME=VALUE: {text:?} (as --env LEVEL=debug)")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Parser)]
    struct Command {
        #[command(flatten)]
        component: ComponentArgs,
    }

    fn parsed(words: &[&str]) -> ComponentArgs {
        let words = std::iter::once("command").chain(words.iter().copied());
        Command::try_parse_from(words).unwrap_or_else(|e| panic!("{e}")).component
    }

    #[test]
    fn options_are_told_as_they_were_given() {
        for line in [
            "",
            "--transport stdio",
            "--stdin in.txt --env A=b --env C=d=e --serve none --expect-exit 3 --expect-rpc --early-close -- x -y",
            "--serve executor --early-close",
        ] {
            let words: Vec<&str> = line.split_whitespace().collect();
            let args = parsed(&words);
            let told: Vec<String> = args.flags().into_iter().chain(args.tail()).collect();
            assert_eq!(told, words);
            assert_eq!(args.is_given(), !words.is_empty());
        }
    }

    #[test]
    fn saved_inputs_are_the_options_again() {
        for line in ["", "--env A=b --serve executor --expect-exit 0 --expect-rpc --early-close -- x"] {
            let args = parsed(&line.split_whitespace().collect::<Vec<_>>());
            let inputs = args.load().expect("it reads no file");
            assert_eq!(ComponentArgs::from(&inputs.given), args);
        }
    }

    #[test]
    fn the_mark_is_of_what_the_component_sees() {
        let mark = |line: &str| {
            let args = parsed(&line.split_whitespace().collect::<Vec<_>>());
            args.load().expect("it reads no file").mark()
        };
        let seen = ["", "-- a", "-- a b", "--env A=b", "--serve none", "--serve executor"];
        for (at, line) in seen.iter().enumerate() {
            for other in &seen[..at] {
                assert_ne!(mark(line), mark(other), "{line} and {other}");
            }
        }
        assert_eq!(mark(""), None);
        assert_eq!(mark("--expect-exit 3 --expect-rpc --serve host --early-close"), None);
    }
}
