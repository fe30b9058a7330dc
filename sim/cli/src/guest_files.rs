//! `--guest NAME=FILE`: components of the user's own in place of guests that a scenario starts.

use std::path::PathBuf;
use std::str::FromStr;
use wavetank_sim::saved::ReplacedGuest;
use wavetank_sim::worker::replaced::GuestFile;

/// Guests that the user replaces.
#[derive(clap::Args, Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct GuestArgs {
    /// Run a component of your own in place of a guest, named as in `guests/built` or by its cell; may be given several
    /// times
    #[arg(long = "guest", value_name = "NAME=FILE")]
    pub(crate) guests: Vec<GuestArg>,
}

/// A guest and the component in its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct GuestArg {
    pub(crate) name: String,
    pub(crate) path: PathBuf,
}

impl FromStr for GuestArg {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.split_once('=') {
            Some((name, path)) if !name.is_empty() && !path.is_empty() => {
                Ok(GuestArg { name: name.into(), path: path.into() })
            }
            _ => Err(format!("not NAME=FILE: {text:?} (as --guest child-echo=new.wasm)")),
        }
    }
}

impl GuestArgs {
    pub(crate) fn is_empty(&self) -> bool {
        self.guests.is_empty()
    }

    /// The options that replace the same guests again.
    pub(crate) fn words(&self) -> Vec<String> {
        let word = |guest: &GuestArg| format!("{}={}", guest.name, guest.path.to_string_lossy());
        self.guests.iter().flat_map(|guest| ["--guest".to_string(), word(guest)]).collect()
    }

    /// The files. If they are for a process in another folder, their paths are absolute.
    pub(crate) fn files(&self, is_elsewhere: bool) -> Vec<GuestFile> {
        let file = |GuestArg { name, path }: &GuestArg| {
            let absolute = is_elsewhere.then(|| std::path::absolute(path).ok()).flatten();
            let file = absolute.unwrap_or_else(|| path.clone());
            GuestFile { name: name.clone(), file, named: path.clone() }
        };
        self.guests.iter().map(file).collect()
    }
}

impl From<&[ReplacedGuest]> for GuestArgs {
    fn from(saved: &[ReplacedGuest]) -> Self {
        let guest = |ReplacedGuest { name, file }: &ReplacedGuest| GuestArg {
            name: name.clone(),
            path: file.path.clone().into(),
        };
        GuestArgs { guests: saved.iter().map(guest).collect() }
    }
}
