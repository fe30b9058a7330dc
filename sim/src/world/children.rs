//! Expectations of the cells that guests start.
//!
//! A scenario has no handle of such a cell, because it does not exist yet when the scenario is set up. So it names them
//! by a pattern.

use super::World;
use super::judge::{Expectation, Expected, Stream};
use crate::oracle::{Blame, Evidence, Finding, Oracle};
use std::rc::Rc;
use wavetank::TrapClass;
use wavetank::cell::{Cause, Cell, ExitRecord};

/// The children whose names match a pattern.
pub struct Children<'w> {
    world: &'w World,
    pattern: Rc<str>,
}

/// An expectation of all children whose names match a pattern.
pub(super) struct ChildExpectation {
    pattern: Rc<str>,
    /// `None` if only their existence is expected.
    what: Option<Expected>,
}

impl World {
    /// The cells that guests start and whose names match a pattern, in which `*` stands for any letters. If a name is
    /// taken, the tank adds a number to it: `worker*` matches all cells that were started as `worker`.
    ///
    /// At least one such child must be started. An expectation counts for each of them.
    ///
    /// ```
    /// use wavetank_sim::{World, check, guests, peer};
    ///
    /// check("its child says that it is well", |world: &mut World| {
    ///     world.cell("pid0", guests::PID0).serve(peer::host(world)).spawn().expect_exit(0);
    ///     world.children("child-echo*").expect_exit(0).expect_stderr("CHILD_OK");
    /// })
    /// .seeds(0..20)
    /// .run();
    /// ```
    pub fn children(&self, pattern: &str) -> Children<'_> {
        let pattern: Rc<str> = pattern.into();
        self.of_children.borrow_mut().push(ChildExpectation { pattern: pattern.clone(), what: None });
        Children { world: self, pattern }
    }

    /// Whether the scenario expects that a child ends as it did.
    pub(super) fn is_end_expected(&self, cell: &Cell, exit: &ExitRecord) -> bool {
        self.of_children.borrow().iter().any(|expectation| {
            let is_met = match &expectation.what {
                Some(Expected::Code(code)) => exit.cause == Cause::Exited && exit.code == *code,
                Some(Expected::Trap(class)) => {
                    matches!(&exit.cause, Cause::Trapped(trap) if trap.class == *class)
                }
                _ => false,
            };
            is_met && matches(&expectation.pattern, cell.name())
        })
    }

    /// The first expectation of children that does not hold.
    pub(super) fn unmet_by_children(&self, evidence: &Evidence<'_>) -> Option<Finding> {
        let cells = self.tank().cells();
        let is_child = |cell: &&Cell| evidence.cell(cell.id()).is_some_and(|cell| cell.parent.is_some());
        let expectations = self.of_children.borrow();
        expectations.iter().find_map(|ChildExpectation { pattern, what }| {
            let mut children =
                cells.iter().filter(is_child).filter(|cell| matches(pattern, cell.name())).peekable();
            if children.peek().is_none() {
                return evidence.is_on(Oracle::Exit).then(|| nobody(pattern));
            }
            let what = what.clone()?;
            children.find_map(|child| {
                self.unmet_by(&Expectation { cell: child.clone(), what: what.clone() }, evidence)
            })
        })
    }
}

fn nobody(pattern: &str) -> Finding {
    Finding {
        oracle: Oracle::Exit,
        who: pattern.into(),
        blame: Blame::Unknown,
        what: format!("no child was started whose name matches {pattern:?}"),
        detail: Vec::new(),
    }
}

impl Children<'_> {
    /// Expects that each ends with this code. A parent that exits with 0 may have children that end like this.
    pub fn expect_exit(&self, code: i32) -> &Self {
        self.expect(Expected::Code(code))
    }

    /// Expects that each ends in a trap of this class. A parent that exits with 0 may have children that end like this.
    pub fn expect_trap(&self, class: TrapClass) -> &Self {
        self.expect(Expected::Trap(class))
    }

    /// Expects that the stdout of each contains this text.
    pub fn expect_stdout(&self, text: &str) -> &Self {
        self.expect(Expected::Output(Stream::Stdout, text.into()))
    }

    /// Expects that the stderr of each contains this text.
    pub fn expect_stderr(&self, text: &str) -> &Self {
        self.expect(Expected::Output(Stream::Stderr, text.into()))
    }

    /// Expects RPC of each: at least one call over its link must be answered, in either direction.
    pub fn expect_rpc(&self) -> &Self {
        self.expect(Expected::Rpc)
    }

    fn expect(&self, what: Expected) -> &Self {
        let expectation = ChildExpectation { pattern: self.pattern.clone(), what: Some(what) };
        self.world.of_children.borrow_mut().push(expectation);
        self
    }
}

/// Whether a name matches a pattern, in which `*` stands for any letters.
fn matches(pattern: &str, name: &str) -> bool {
    let Some((start, rest)) = pattern.split_once('*') else { return pattern == name };
    let Some(name) = name.strip_prefix(start) else { return false };
    let ends = name.char_indices().map(|(at, _)| at).chain([name.len()]);
    ends.into_iter().any(|at| matches(rest, &name[at..]))
}

#[cfg(test)]
mod tests {
    use super::matches;

    #[test]
    fn a_star_stands_for_any_letters() {
        for (pattern, name, is_match) in [
            ("yes", "yes", true),
            ("yes", "yes-2", false),
            ("yes*", "yes", true),
            ("yes*", "yes-2", true),
            ("*-2", "yes-2", true),
            ("y*s-*", "yes-12", true),
            ("y*t", "yes", false),
            ("*", "", true),
            ("ä*", "äö", true),
        ] {
            assert_eq!(matches(pattern, name), is_match, "{pattern} and {name}");
        }
    }
}
