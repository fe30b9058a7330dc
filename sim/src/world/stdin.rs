//! A cell's stdin as a script: parts of bytes, with pauses between them whose length the simulator chooses.

use std::rc::Rc;
use wavetank::Io;
use wavetank::stdio::Input;

/// The bytes that a cell reads from stdin, and when.
///
/// The pipe delivers them in pieces, as every pipe does. A [pause](Self::pause) takes no time, or from a quarter of a
/// millisecond to two seconds of virtual time; a move ends it, so it draws one choice.
///
/// ```
/// use wavetank_sim::world::StdinScript;
/// use wavetank_sim::{Transport, World, check, guests, peer};
///
/// check("reads what comes late", |world: &mut World| {
///     let copy = world.cell("copy", guests::CHILD_COPY).transport(Transport::Connection);
///     let typed = StdinScript::new().write(b"first ").pause().write(b"second");
///     let copy = copy.stdin_script(typed).serve(peer::executor(world)).spawn();
///     copy.expect_exit(0).expect_stdout("first second");
/// })
/// .seeds(0..20)
/// .run();
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[must_use = "a script does nothing until a cell gets it"]
pub struct StdinScript {
    parts: Vec<Part>,
    stays_open: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Bytes(Vec<u8>),
    Pause,
}

impl StdinScript {
    /// No bytes, and the end at once.
    pub fn new() -> Self {
        StdinScript::default()
    }

    /// Then writes these bytes.
    pub fn write(mut self, bytes: impl AsRef<[u8]>) -> Self {
        self.parts.push(Part::Bytes(bytes.as_ref().into()));
        self
    }

    /// Then waits for as long as the simulator chooses.
    pub fn pause(mut self) -> Self {
        self.parts.push(Part::Pause);
        self
    }

    /// Leaves stdin open after the last part. A cell that reads on waits for ever.
    pub fn leave_open(mut self) -> Self {
        self.stays_open = true;
        self
    }

    pub(super) fn stays_open(&self) -> bool {
        self.stays_open
    }

    /// Writes the parts in turn. It ends early if the cell no longer reads, because a cell need not read the bytes that
    /// it is given.
    pub(super) async fn play(self, stdin: Rc<Input>, io: Io) {
        for part in self.parts {
            let is_read = match part {
                Part::Bytes(bytes) => stdin.write(bytes.into()).await.is_ok(),
                Part::Pause => io.op("pause of stdin").await.is_ok(),
            };
            if !is_read {
                return;
            }
        }
    }
}
