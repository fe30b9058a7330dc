//! Draws while a world runs: dice for servers and tasks.
//!
//! A server that awaits a draw waits like one that awaits fake I/O. The draw is on the menu, and the move that decides
//! it draws the value, as a choice that is recorded, replayed and shrunk. So nothing is drawn inside a poll.
//!
//! The dullest value is no, 0 or the first option. It is taken in the calm phase of a run, and shrinking goes towards
//! it. So a failure that a draw only decorates is shown without that draw. A loop must end with the dullest value:
//! `while dice.chance("retry", 1, 2).await` ends, and `while !dice.chance("done", 1, 2).await` need not.

use super::World;
use std::cell::Cell;
use std::fmt::Debug;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll};
use wavetank::{DrawRange, GateId, SharedState, escape_control};

/// Draws for servers and tasks of one world, while it runs. Clones are the same and cheap.
#[derive(Clone)]
pub struct Dice {
    shared: SharedState,
    is_running: Rc<Cell<bool>>,
}

/// Whether the world of some dice runs. While this lives, it does.
pub(super) struct Running(Rc<Cell<bool>>);

impl Running {
    pub(super) fn start(is_running: &Rc<Cell<bool>>) -> Self {
        is_running.set(true);
        Running(is_running.clone())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.0.set(false);
    }
}

impl World {
    /// Dice for servers and tasks: they draw while the world runs. Give them clones.
    ///
    /// ```
    /// use wavetank_sim::{World, check};
    ///
    /// let run = check("tries again", |world: &mut World| {
    ///     let dice = world.dice();
    ///     world.task("writer", async move {
    ///         while dice.chance("the disk is full", 1, 20).await {}
    ///         let row = dice.below("row", 10).await;
    ///         assert!(row < 10);
    ///         let color = dice.choose("color", &["red", "green"]).await;
    ///         assert!(["red", "green"].contains(&color));
    ///     });
    /// })
    /// .run_seed(3);
    /// let moves = run.transcript.steps_text(&run.schema);
    /// assert!(moves.contains("the draw `the disk is full`: no\n"), "{moves}");
    /// ```
    pub fn dice(&self) -> Dice {
        Dice { shared: self.shared.clone(), is_running: self.is_running.clone() }
    }
}

impl Dice {
    /// Draws whether something happens, `times` times in `of`: `chance("database fails", 5, 100)` is yes in 5 % of the
    /// draws. `what` names the draw in reports.
    ///
    /// No is the dullest. Under the profile `calm` it is always no, unless it is certain. Fuzzers and the exhaustive
    /// search try both.
    ///
    /// # Panics
    /// If `of` is 0 or less than `times`, or if the world of these dice does not run.
    #[track_caller]
    pub fn chance(&self, what: &str, times: u32, of: u32) -> Draw<bool> {
        assert!(of > 0 && times <= of, "the draw `{what}` is to be yes {times} times in {of}");
        self.draw(what, DrawRange::Chance { times, of }, |value| value == 1)
    }

    /// Draws a number below `bound`, each equally likely; 0 is the dullest. `what` names the draw in reports.
    ///
    /// # Panics
    /// If `bound` is 0, or if the world of these dice does not run.
    #[track_caller]
    pub fn below(&self, what: &str, bound: u32) -> Draw<u32> {
        assert!(bound > 0, "the draw `{what}` has nothing to choose from: nothing is below 0");
        self.draw(what, DrawRange::Below(bound), |value| value)
    }

    /// Draws one of some options, each equally likely; the first is the dullest. `what` names the draw in reports, and
    /// the options are shown as `Debug` prints them. That must be the same in each run.
    ///
    /// # Panics
    /// If there are no options, or if the world of these dice does not run.
    #[track_caller]
    pub fn choose<T: Clone + Debug + 'static>(&self, what: &str, options: &[T]) -> Draw<T> {
        assert!(!options.is_empty(), "the draw `{what}` has nothing to choose from");
        let words = options.iter().map(|option| escape_control(&format!("{option:?}")).into());
        let options = options.to_vec();
        self.draw(what, DrawRange::Options(words.collect()), move |value| options[value as usize].clone())
    }

    #[track_caller]
    fn draw<T>(&self, what: &str, range: DrawRange, meaning: impl Fn(u32) -> T + 'static) -> Draw<T> {
        assert!(
            self.is_running.get(),
            "the draw `{what}` is asked for while its world does not run. A draw is a move of that world: await it in a \
             server or a task of the world. A scenario that builds its world draws with `World::draw`"
        );
        let shared = self.shared.clone();
        Draw { shared, what: what.into(), range, meaning: Box::new(meaning), id: None }
    }
}

/// A draw that was asked for. It begins when it is first awaited. If it is dropped before it is decided, nothing is
/// drawn.
#[must_use = "a draw begins when it is awaited"]
pub struct Draw<T> {
    shared: SharedState,
    what: Arc<str>,
    range: DrawRange,
    meaning: Box<dyn Fn(u32) -> T>,
    id: Option<GateId>,
}

impl<T> Future for Draw<T> {
    type Output = T;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<T> {
        let this = &mut *self;
        match this.id {
            Some(id) => this.shared.poll_draw(id, cx).map(&this.meaning),
            None => {
                this.id = Some(this.shared.begin_draw(&this.what, this.range.clone(), cx.waker()));
                Poll::Pending
            }
        }
    }
}

impl<T> Drop for Draw<T> {
    fn drop(&mut self) {
        if let Some(id) = self.id {
            self.shared.drop_draw(id);
        }
    }
}
