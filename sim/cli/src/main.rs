//! The `wavetank` command, with the scenarios that everybody can try.

use std::process::ExitCode;
use wavetank_cli::{Binary, Catalogue};

fn main() -> ExitCode {
    wavetank_cli::main(Catalogue::of_users(Binary {
        package: env!("CARGO_PKG_NAME"),
        folder: env!("CARGO_MANIFEST_DIR"),
    }))
}
