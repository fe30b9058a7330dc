//! `wasi:cli`: arguments, environment, exit, and stdio over the cell's pipes. There is no terminal.

use super::bindings::wasi::cli;
use crate::event::HandleKind;
use crate::shared::Blocked;
use crate::store::CellState;
use crate::stream::{GuestInput, GuestOutput};
use wasmtime::component::Resource;
use wasmtime::{Result, bail};
use wasmtime_wasi_io::streams::{DynInputStream, DynOutputStream};

/// A guest's request to end with a code, passed on as an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("exit with code {0}")]
pub(crate) struct Exit(pub(crate) i32);

impl cli::environment::Host for CellState {
    fn get_environment(&mut self) -> Result<Vec<(String, String)>> {
        Ok(self.env.clone())
    }

    fn get_arguments(&mut self) -> Result<Vec<String>> {
        Ok(self.args.clone())
    }

    fn initial_cwd(&mut self) -> Result<Option<String>> {
        Ok(None)
    }
}

impl cli::exit::Host for CellState {
    fn exit(&mut self, status: std::result::Result<(), ()>) -> Result<()> {
        Err(Exit(i32::from(status.is_err())).into())
    }

    fn exit_with_code(&mut self, code: u8) -> Result<()> {
        Err(Exit(code.into()).into())
    }
}

impl CellState {
    pub(super) fn push_input(&mut self, stream: GuestInput) -> Result<Resource<DynInputStream>> {
        let waits_on = Blocked::Reading(stream.pipe());
        let handle = self.table.push(Box::new(stream) as DynInputStream)?;
        self.born(HandleKind::InputStream, handle.rep(), Some(waits_on));
        Ok(handle)
    }

    pub(super) fn push_output(&mut self, stream: GuestOutput) -> Result<Resource<DynOutputStream>> {
        let waits_on = Blocked::Writing(stream.pipe());
        let handle = self.table.push(Box::new(stream) as DynOutputStream)?;
        self.born(HandleKind::OutputStream, handle.rep(), Some(waits_on));
        Ok(handle)
    }
}

impl cli::stdin::Host for CellState {
    fn get_stdin(&mut self) -> Result<Resource<DynInputStream>> {
        self.push_input(GuestInput::new(self.stdin.clone()))
    }
}

impl cli::stdout::Host for CellState {
    fn get_stdout(&mut self) -> Result<Resource<DynOutputStream>> {
        self.push_output(GuestOutput::new(self.stdout.clone()))
    }
}

impl cli::stderr::Host for CellState {
    fn get_stderr(&mut self) -> Result<Resource<DynOutputStream>> {
        self.push_output(GuestOutput::new(self.stderr.clone()))
    }
}

impl cli::terminal_input::Host for CellState {}

impl cli::terminal_input::HostTerminalInput for CellState {
    fn drop(&mut self, _: Resource<cli::terminal_input::TerminalInput>) -> Result<()> {
        bail!("no terminal was ever handed out")
    }
}

impl cli::terminal_output::Host for CellState {}

impl cli::terminal_output::HostTerminalOutput for CellState {
    fn drop(&mut self, _: Resource<cli::terminal_output::TerminalOutput>) -> Result<()> {
        bail!("no terminal was ever handed out")
    }
}

impl cli::terminal_stdin::Host for CellState {
    fn get_terminal_stdin(&mut self) -> Result<Option<Resource<cli::terminal_input::TerminalInput>>> {
        Ok(None)
    }
}

impl cli::terminal_stdout::Host for CellState {
    fn get_terminal_stdout(&mut self) -> Result<Option<Resource<cli::terminal_output::TerminalOutput>>> {
        Ok(None)
    }
}

impl cli::terminal_stderr::Host for CellState {
    fn get_terminal_stderr(&mut self) -> Result<Option<Resource<cli::terminal_output::TerminalOutput>>> {
        Ok(None)
    }
}
