//! A world at one step, as plain data that can be printed: the output of `replay --until`.
//!
//! [`World`](crate::World) fills it in if [`Setup::until`](crate::Setup::until) asks for it. Not here: the history of
//! the world, which is its transcript.

use std::fmt;
use std::sync::Arc;
use wavetank::Import;
use wavetank::cell::ExitRecord;
use wavetank::pipe::PipeView;

/// A world between two steps.
#[derive(Clone, Debug, Default)]
pub struct WorldView {
    /// Steps that were made.
    pub step: u64,
    /// The last of them, in words; `None` before the first.
    pub last: Option<String>,
    /// The clock, in nanoseconds.
    pub now_ns: u64,
    /// The times that somebody waits for, in nanoseconds, earliest first.
    pub timers_ns: Vec<u64>,
    /// Tasks that have not ended, in order of birth.
    pub tasks: Vec<TaskView>,
    /// Every cell, in order of birth.
    pub cells: Vec<CellView>,
    /// Pipes of which somebody still holds an end.
    pub pipes: Vec<PipeView>,
    /// Calls that were made and not answered.
    pub calls: Vec<CallView>,
    /// The moves that could happen next; the calm policy's move is first.
    pub next: Vec<String>,
}

/// A task that has not ended.
#[derive(Clone, Debug)]
pub struct TaskView {
    /// Its name.
    pub name: String,
    /// The vat or cell in whose queue it stands.
    pub actor: Arc<str>,
    /// Whether it is a background task, which need not end.
    pub is_background: bool,
    /// Whether it could be polled now.
    pub is_ready: bool,
    /// The things that it waits for, as far as they can be seen from outside.
    pub waits_on: Vec<String>,
}

/// A cell.
#[derive(Clone, Debug)]
pub struct CellView {
    /// Its name.
    pub name: Arc<str>,
    /// Whether it was started.
    pub is_started: bool,
    /// How it ended.
    pub exit: Option<ExitRecord>,
    /// The blocking import that it is inside.
    pub blocked_in: Option<Import>,
    /// The things that it waits for there.
    pub waits_on: Vec<String>,
    /// Fuel that it has burned.
    pub fuel: u64,
    /// Resources that it holds: their kind and number.
    pub handles: Vec<(String, usize)>,
}

/// A call.
#[derive(Clone, Debug)]
pub struct CallView {
    /// Its number and method.
    pub name: String,
    /// The caller.
    pub asker: String,
    /// Steps since it came to its server.
    pub age_steps: u64,
    /// Whether its server still works on it, or its answer waits.
    pub state: String,
}

impl fmt::Display for WorldView {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.last {
            Some(last) => writeln!(f, "after step {}: {last}", self.step)?,
            None => writeln!(f, "before the first step")?,
        }
        let timers: Vec<String> = self.timers_ns.iter().map(|at| format!("{at} ns")).collect();
        let timers = if timers.is_empty() { "nobody waits for a time".into() } else { listed(&timers) };
        writeln!(f, "clock: {} ns; timers: {timers}", self.now_ns)?;
        section(f, "cells", &self.cells)?;
        section(f, "tasks", &self.tasks)?;
        let pipes: Vec<PipeLine<'_>> = self.pipes.iter().map(PipeLine).collect();
        section(f, "pipes", &pipes)?;
        section(f, "open calls", &self.calls)?;
        section(f, "next, one of", &self.next)
    }
}

/// Lines of one section, at most.
const SHOWN: usize = 60;

fn section(f: &mut fmt::Formatter<'_>, heading: &str, lines: &[impl fmt::Display]) -> fmt::Result {
    if lines.is_empty() {
        return writeln!(f, "{heading}: none");
    }
    writeln!(f, "{heading}")?;
    for line in lines.iter().take(SHOWN) {
        writeln!(f, "  {line}")?;
    }
    match lines.len().saturating_sub(SHOWN) {
        0 => Ok(()),
        more => writeln!(f, "  … {more} more"),
    }
}

fn listed(words: &[String]) -> String {
    words.join(", ")
}

impl fmt::Display for TaskView {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let background = if self.is_background { ", in the background" } else { "" };
        write!(f, "{} ({}{background}): ", self.name, self.actor)?;
        match (self.is_ready, &self.waits_on[..]) {
            (true, _) => f.write_str("ready"),
            (false, []) => f.write_str("waits"),
            (false, on) => write!(f, "waits on {}", listed(on)),
        }
    }
}

impl fmt::Display for CellView {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.name)?;
        match (&self.exit, self.is_started) {
            (Some(exit), _) => write!(f, "ended with {}", exit.code)?,
            (None, false) => f.write_str("not started")?,
            (None, true) => match self.blocked_in {
                Some(import) if self.waits_on.is_empty() => write!(f, "blocked in {import}")?,
                Some(import) => write!(f, "blocked in {import} on {}", listed(&self.waits_on))?,
                None => f.write_str("runs")?,
            },
        }
        write!(f, "; {} fuel", self.fuel)?;
        let handles: Vec<String> = self.handles.iter().map(|(kind, many)| format!("{many} {kind}")).collect();
        if handles.is_empty() { Ok(()) } else { write!(f, "; holds {}", listed(&handles)) }
    }
}

impl fmt::Display for CallView {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of {}: {} steps old, {}", self.name, self.asker, self.age_steps, self.state)
    }
}

struct PipeLine<'a>(&'a PipeView);

impl fmt::Display for PipeLine<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let pipe = self.0;
        let (staged, visible) = (pipe.staged_bytes, pipe.visible_bytes);
        write!(f, "{}: staged {staged}, visible {visible}, ", pipe.name)?;
        write!(f, "budget {} of {}", pipe.budget_bytes, pipe.capacity_bytes)?;
        let says = [
            (pipe.held, "held"),
            (pipe.muted, "mute"),
            (pipe.reader_waits, "its reader waits"),
            (pipe.writer_waits, "its writer waits"),
            (!pipe.reader_open, "its reader is gone"),
            (!pipe.writer_open, "its writer is gone"),
        ];
        says.iter().filter(|(holds, _)| *holds).try_for_each(|(_, says)| write!(f, ", {says}"))
    }
}
