//! `wavetank man`: the manual pages, made from the same texts as `--help`.

use crate::args::Man;
use crate::catalogue::Catalogue;
use crate::terminal::{self, Stop};
use std::fs;
use std::io;
use std::path::Path;

/// Prints the page of the whole command, or writes the pages of all commands into a folder.
pub(crate) fn man(args: &Man, catalogue: &Catalogue) -> Result<(), Stop> {
    let command = (catalogue.command_line)();
    if let Some(folder) = &args.out {
        return write_all(command, folder).map_err(|e| unwritable(folder, &e));
    }
    let mut page = Vec::new();
    clap_mangen::Man::new(command).render(&mut page).expect("memory can be written");
    terminal::write(&page)
}

/// One page each for the command and for its commands: `wavetank.1`, `wavetank-run.1`.
fn write_all(command: clap::Command, folder: &Path) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    clap_mangen::generate_to(command, folder)
}

fn unwritable(folder: &Path, error: &io::Error) -> Stop {
    Stop::Told(format!("{}: {error}: name a folder for --out that can be written", folder.display()))
}
