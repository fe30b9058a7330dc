//! Saved failures as text: TOML, with a checksum as its last line. It is the checksum of everything before it, so an
//! edited file is not taken for the failure that was found.
//!
//! The text is written by our own code and read by a library. So every choice has a line of its own, and two files
//! differ only in the lines that say how the failures differ.

use super::{
    ComponentInputs, InputFile, Original, ReplacedGuest, SavedChoice, SavedFailure, Served, Setting, Shrunk,
    Source, hex, unhex,
};
use serde::Deserialize;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::fmt::{self, Write};
use std::str::FromStr;
use wavetank::cell::Transport;
use wavetank_choice::seed::Seed;
use wavetank_choice::strategy::StrategyName;
use wavetank_choice::token::Token;

/// The version of the format.
const VERSION: u32 = 1;

/// The second line of every version.
const HEADING: &str = "# A failing run, kept by wavetank. Not to be edited: the last line tells.";

/// Stands for the transport of a component if the user set none.
const BY_IMPORTS: &str = "imports";

/// The start of the last line.
const CHECKSUM: &str = "# checksum ";

const CHECKSUM_BYTES: usize = 16;

/// Why a file is not a saved failure.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SavedFailureError {
    /// The file cannot be read at all.
    #[error("{0}: make it a file that can be read, or move it elsewhere")]
    Unreadable(String),
    /// The file is something else.
    #[error("not a failure that wavetank kept: move it elsewhere")]
    Foreign,
    /// Another version of wavetank wrote it.
    #[error(
        "kept by another wavetank: its version is {0}, and this one reads {VERSION}: replay it with that one"
    )]
    Version(String),
    /// Its end is missing.
    #[error("cut short: its checksum is missing: remove it, or restore it whole")]
    Cut,
    /// Its text has changed since it was written.
    #[error("edited or damaged since it was kept: its checksum is of another text: restore it, or remove it")]
    Edited,
    /// Its text is unchanged but makes no sense.
    #[error("it makes no sense ({0}): remove it")]
    Wrong(String),
}

impl fmt::Display for SavedFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = body(self)?;
        writeln!(f, "{text}{CHECKSUM}{}", checksum(&text))
    }
}

/// A text of this version with any content, with its heading and its checksum.
#[cfg(test)]
pub(super) fn sealed(anything: &str) -> String {
    let text = format!("version = {VERSION}\n{HEADING}\n{anything}");
    format!("{text}{CHECKSUM}{}\n", checksum(&text))
}

fn checksum(text: &str) -> String {
    hex(&Sha256::digest(text)[..CHECKSUM_BYTES])
}

fn quoted(text: &str) -> String {
    let mut quoted = String::from("\"");
    for c in text.chars() {
        match c {
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            '\n' => quoted.push_str("\\n"),
            '\t' => quoted.push_str("\\t"),
            c if c.is_control() => {
                let _ = write!(quoted, "\\u{:04X}", u32::from(c));
            }
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}

fn list(name: &str, items: impl Iterator<Item = String>) -> String {
    let lines: String = items.map(|item| format!("    {item},\n")).collect();
    if lines.is_empty() { format!("{name} = []\n") } else { format!("{name} = [\n{lines}]\n") }
}

fn body(kept: &SavedFailure) -> Result<String, fmt::Error> {
    let SavedFailure { setting, seed, drawn_by, outcome, detail, failure, guests, shrunk, original } = kept;
    let Setting { scenario, source, strategy, profile, canary, engine, config, schemas, replaced } = setting;
    let mut text = format!("version = {VERSION}\n{HEADING}\n");
    let mut line = |name: &str, value: &str| writeln!(text, "{name} = {}", quoted(value));
    line("scenario", scenario)?;
    let of = match source {
        Source::BuiltIn => "scenario",
        Source::Check => "check",
        Source::Component { .. } => "component",
    };
    line("of", of)?;
    line("seed", &seed.to_string())?;
    if let Some(strategy) = strategy {
        line("strategy", &strategy.to_string())?;
    }
    if let Some(profile) = profile {
        line("profile", profile)?;
    }
    line("drawn_by", drawn_by)?;
    line("outcome", outcome)?;
    line("failure", failure)?;
    line("engine", engine)?;
    line("config", config)?;
    writeln!(text, "canary = {canary}")?;
    if !schemas.is_empty() {
        text += &list("schemas", schemas.iter().map(|file| quoted(file)));
    }
    if !replaced.is_empty() {
        let words = |ReplacedGuest { name, file }: &ReplacedGuest| {
            format!("[{}, {}, {}]", quoted(name), quoted(&file.path), quoted(&file.digest))
        };
        text += &list("replaced", replaced.iter().map(words));
    }
    text += &list("detail", detail.iter().map(|line| quoted(line)));
    text += &list(
        "guests",
        guests.iter().map(|(name, digest)| format!("[{}, {}]", quoted(name), quoted(digest))),
    );
    if let Source::Component { path, inputs } = source {
        let ComponentInputs {
            args,
            env,
            stdin,
            transport,
            serves,
            expects_rpc,
            expects_exit,
            may_close_early,
        } = inputs;
        let transport = match transport {
            None => BY_IMPORTS,
            Some(Transport::Stdio) => "stdio",
            Some(Transport::Connection) => "connection",
        };
        writeln!(text, "\n[component]\npath = {}\ntransport = {}", quoted(path), quoted(transport))?;
        if *expects_rpc {
            writeln!(text, "expect_rpc = true")?;
        }
        // Each of these is left out if it has its default, so that older versions read the file.
        if let Some(code) = expects_exit {
            writeln!(text, "expect_exit = {code}")?;
        }
        if *may_close_early {
            writeln!(text, "early_close = true")?;
        }
        if *serves != Served::default() {
            writeln!(text, "serve = {}", quoted(&serves.to_string()))?;
        }
        if let Some(InputFile { path, digest }) = stdin {
            writeln!(text, "stdin = [{}, {}]", quoted(path), quoted(digest))?;
        }
        if !env.is_empty() {
            let words = |(name, value): &(String, String)| format!("[{}, {}]", quoted(name), quoted(value));
            text += &list("env", env.iter().map(words));
        }
        text += &list("args", args.iter().map(|arg| quoted(arg)));
    }
    if let Some(Shrunk { choices, transcript, runs }) = shrunk {
        writeln!(text, "\n[shrunk]\nruns = {runs}\ntranscript = {}", quoted(transcript))?;
        let choice = |SavedChoice { value, check, says }: &SavedChoice| {
            format!("[{value}, {check}, {}]", quoted(says))
        };
        text += "# what was chosen, the fingerprint of what it was about, and what it was about\n";
        text += &list("choices", choices.iter().map(choice));
    }
    let Original { choices, transcript, token } = original;
    writeln!(text, "\n[original]\nchoices = {choices}\ntranscript = {}", quoted(transcript))?;
    writeln!(text, "token = {}", quoted(&token.to_string()))?;
    Ok(text)
}

/// The content of a file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Raw {
    #[serde(rename = "version")]
    _version: u32,
    scenario: String,
    of: RawOf,
    seed: String,
    strategy: Option<String>,
    profile: Option<String>,
    drawn_by: String,
    outcome: String,
    failure: String,
    engine: String,
    config: String,
    canary: bool,
    #[serde(default)]
    schemas: Vec<String>,
    #[serde(default)]
    replaced: Vec<(String, String, String)>,
    detail: Vec<String>,
    guests: Vec<(String, String)>,
    component: Option<RawComponent>,
    shrunk: Option<RawShrunk>,
    original: RawOriginal,
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum RawOf {
    Scenario,
    Check,
    Component,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawComponent {
    path: String,
    transport: RawTransport,
    #[serde(default)]
    expect_rpc: bool,
    expect_exit: Option<i32>,
    #[serde(default)]
    early_close: bool,
    #[serde(default)]
    serve: Served,
    stdin: Option<(String, String)>,
    #[serde(default)]
    env: Vec<(String, String)>,
    args: Vec<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum RawTransport {
    Imports,
    Stdio,
    Connection,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawShrunk {
    runs: usize,
    transcript: String,
    choices: Vec<(u32, u8, String)>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawOriginal {
    choices: usize,
    transcript: String,
    token: String,
}

impl FromStr for SavedFailure {
    type Err = SavedFailureError;

    fn from_str(text: &str) -> Result<Self, SavedFailureError> {
        let mut lines = text.lines();
        let version = lines.next().and_then(|line| line.strip_prefix("version = "));
        let (Some(version), Some(HEADING)) = (version, lines.next()) else {
            return Err(SavedFailureError::Foreign);
        };
        if version != VERSION.to_string() {
            let is_number = !version.is_empty() && version.bytes().all(|byte| byte.is_ascii_digit());
            return Err(if is_number {
                SavedFailureError::Version(version.into())
            } else {
                SavedFailureError::Edited
            });
        }
        let (body, sum) = text.rsplit_once(CHECKSUM).ok_or(SavedFailureError::Cut)?;
        // Compare the whole of the last line, otherwise a change in it would go unnoticed.
        if sum != format!("{}\n", checksum(body)) {
            let is_short = !sum.ends_with('\n') && sum.len() < 2 * CHECKSUM_BYTES + 1;
            return Err(if is_short { SavedFailureError::Cut } else { SavedFailureError::Edited });
        }
        let raw: Raw = toml::from_str(body).map_err(|e| SavedFailureError::Wrong(e.message().into()))?;
        raw.try_into()
    }
}

fn wrong(reason: impl fmt::Display) -> SavedFailureError {
    SavedFailureError::Wrong(reason.to_string())
}

impl From<RawComponent> for Source {
    fn from(raw: RawComponent) -> Self {
        let transport = match raw.transport {
            RawTransport::Imports => None,
            RawTransport::Stdio => Some(Transport::Stdio),
            RawTransport::Connection => Some(Transport::Connection),
        };
        let inputs = ComponentInputs {
            args: raw.args,
            env: raw.env,
            stdin: raw.stdin.map(|(path, digest)| InputFile { path, digest }),
            transport,
            serves: raw.serve,
            expects_rpc: raw.expect_rpc,
            expects_exit: raw.expect_exit,
            may_close_early: raw.early_close,
        };
        Source::Component { path: raw.path, inputs }
    }
}

impl TryFrom<Raw> for SavedFailure {
    type Error = SavedFailureError;

    fn try_from(raw: Raw) -> Result<Self, SavedFailureError> {
        let source = match (raw.of, raw.component) {
            (RawOf::Scenario, None) => Source::BuiltIn,
            (RawOf::Check, None) => Source::Check,
            (RawOf::Component, Some(component)) => component.into(),
            _ => return Err(wrong("a component and nothing else has a table of its own")),
        };
        let seed: Seed = raw.seed.parse().map_err(wrong)?;
        let token: Token = raw.original.token.parse().map_err(wrong)?;
        if token.scenario != raw.scenario || token.seed != seed {
            return Err(wrong("its token is of another scenario or seed"));
        }
        let strategy = raw.strategy.map(|name| name.parse::<StrategyName>().map_err(wrong)).transpose()?;
        let shrunk = raw.shrunk.map(|RawShrunk { runs, transcript, choices }| {
            let kept = |(value, check, says)| SavedChoice { value, check, says };
            Shrunk { choices: choices.into_iter().map(kept).collect(), transcript, runs }
        });
        if shrunk.as_ref().is_some_and(|shrunk| unhex(&shrunk.transcript).is_none_or(|d| d.len() != 16)) {
            return Err(wrong("a transcript's digest has 32 hexadecimal digits"));
        }
        let count = raw.guests.len();
        let guests: BTreeMap<String, String> = raw.guests.into_iter().collect();
        if guests.len() != count {
            return Err(wrong("a guest is named twice"));
        }
        let RawOriginal { choices, transcript, .. } = raw.original;
        let replaced = |(name, path, digest)| ReplacedGuest { name, file: InputFile { path, digest } };
        Ok(SavedFailure {
            setting: Setting {
                scenario: raw.scenario,
                source,
                strategy,
                profile: raw.profile,
                canary: raw.canary,
                engine: raw.engine,
                config: raw.config,
                schemas: raw.schemas,
                replaced: raw.replaced.into_iter().map(replaced).collect(),
            },
            seed,
            drawn_by: raw.drawn_by,
            outcome: raw.outcome,
            detail: raw.detail,
            failure: raw.failure,
            guests,
            shrunk,
            original: Original { choices, transcript, token },
        })
    }
}
