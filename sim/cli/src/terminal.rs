//! All output of the command: results go to stdout, progress and warnings to stderr.
//!
//! Nothing else in this crate prints (a lint checks it). So no text of a guest can control a terminal, and one place
//! handles a reader that has gone or a device that is full.

use anstream::{AutoStream, ColorChoice};
use anstyle::{AnsiColor, Style};
use std::fmt::{self, Display};
use std::io::{ErrorKind, Write};
use std::ops::AddAssign;
use std::sync::atomic::{AtomicBool, Ordering};
use wavetank::escape_control;
use wavetank_sim::worker::report::{self, Tone};

/// Why a command ends before it has an exit code of its own.
#[derive(Debug)]
pub enum Stop {
    /// A reason to print for the user.
    Told(String),
    /// Nobody reads the output any more.
    Unread,
}

impl From<String> for Stop {
    fn from(message: String) -> Self {
        Stop::Told(message)
    }
}

/// The colour of failures.
pub const FAILED: Style = AnsiColor::Red.on_default().bold();

/// The colour of known faults of libraries.
pub const KNOWN: Style = AnsiColor::Yellow.on_default();

/// The colour of runs that finished.
pub const FINISHED: Style = AnsiColor::Green.on_default();

/// The colour of a command to copy.
pub const COMMAND: Style = AnsiColor::Cyan.on_default();

/// Text in colours. Colours are kept apart from the text until it is printed, because control characters of the text
/// are escaped first: a guest must not be able to set any colour.
#[derive(Default)]
pub struct Text(Vec<(Style, String)>);

impl Text {
    /// Appends text in a colour.
    pub fn styled(&mut self, style: Style, text: impl Display) {
        self.0.push((style, text.to_string()));
    }

    /// The text for a file: without colours, and with control characters escaped.
    pub(crate) fn plain(&self) -> String {
        self.rendered(false)
    }

    /// The text for output, with or without its colours.
    fn rendered(&self, colours: bool) -> String {
        let mut rendered = String::new();
        for (style, text) in &self.0 {
            let text = lines(text);
            if colours && !style.is_plain() {
                rendered += &format!("{style}{text}{style:#}");
            } else {
                rendered += &text;
            }
        }
        rendered
    }
}

impl From<report::Text> for Text {
    fn from(text: report::Text) -> Self {
        let style = |tone| match tone {
            Tone::Plain => Style::new(),
            Tone::Failed => FAILED,
            Tone::Known => KNOWN,
            Tone::Finished => FINISHED,
            Tone::Command => COMMAND,
        };
        Text(text.0.into_iter().map(|(tone, text)| (style(tone), text)).collect())
    }
}

impl fmt::Write for Text {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        match self.0.last_mut() {
            Some((style, last)) if style.is_plain() => last.push_str(text),
            _ => self.0.push((Style::new(), text.into())),
        }
        Ok(())
    }
}

impl AddAssign<&str> for Text {
    fn add_assign(&mut self, text: &str) {
        let _ = fmt::Write::write_str(self, text);
    }
}

/// Whether stdout carries data.
static STDOUT_IS_TAKEN: AtomicBool = AtomicBool::new(false);

/// Reserves stdout for data: text for people goes to stderr from here on.
pub(crate) fn leave_stdout_to_data() {
    STDOUT_IS_TAKEN.store(true, Ordering::Relaxed);
}

/// Prints lines on stdout, or on stderr if stdout carries data.
pub fn print(text: impl Display) -> Result<(), Stop> {
    let mut plain = Text::default();
    plain += &text.to_string();
    print_text(&plain)
}

/// Prints text in colours if the output supports them.
pub fn print_text(text: &Text) -> Result<(), Stop> {
    if STDOUT_IS_TAKEN.load(Ordering::Relaxed) {
        let colours = AutoStream::choice(&std::io::stderr()) != ColorChoice::Never;
        let _ = std::io::stderr().lock().write_all(text.rendered(colours).as_bytes());
        return Ok(());
    }
    let colours = AutoStream::choice(&std::io::stdout()) != ColorChoice::Never;
    write(text.rendered(colours).as_bytes())
}

/// Writes bytes to stdout unchanged and flushes them.
pub fn write(bytes: &[u8]) -> Result<(), Stop> {
    let mut out = std::io::stdout().lock();
    out.write_all(bytes).and_then(|()| out.flush()).map_err(|e| match e.kind() {
        ErrorKind::BrokenPipe => Stop::Unread,
        _ => Stop::Told(format!("stdout: {e}")),
    })
}

/// Prints lines on stderr. If that fails, no result is lost, so the error is ignored.
pub fn note(text: impl Display) {
    let _ = std::io::stderr().lock().write_all(lines(text).as_bytes());
}

/// Warns the user about something other than a result.
pub fn warn(message: impl Display) {
    note(format_args!("wavetank: {message}\n"));
}

fn lines(text: impl Display) -> String {
    let text = text.to_string();
    text.split('\n').map(escape_control).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_command_itself_colours() {
        let mut text = Text::default();
        text.styled(FAILED, "failed: \u{1b}[32mfine");
        text += "\nplain\n";
        assert_eq!(text.rendered(false), "failed: \\u{1b}[32mfine\nplain\n");
        assert_eq!(text.rendered(true), "\u{1b}[1m\u{1b}[31mfailed: \\u{1b}[32mfine\u{1b}[0m\nplain\n");
    }
}
