//! Redactions: values that a snapshot must not depend on, such as ids and times of day, by the path that leads to them.
//!
//! A path begins with the interface and the method, and goes on with the fields of the parameters or results:
//! `Shop.order.receipt.id`. `*` stands for any one part, `**` for any number of parts, and `[]` for every element of a
//! list, `[2]` for one: `Shop.list.items[].price`, `**.token`.

use crate::frames::{Digest, Frame, Message, Outcome, Return, Value};
use std::borrow::Cow;
use std::fmt;

/// The paths whose values are replaced, with the replacements.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Redactions(Vec<(Vec<Part>, String)>);

/// A part of a path.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Name(String),
    AnyOne,
    AnyNumber,
    Element(usize),
    EveryElement,
}

/// A step from a value to one inside it.
#[derive(Clone, Copy)]
enum Step<'v> {
    Field(&'v str),
    Element(usize),
}

/// A path that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PathError {
    path: String,
    wrong: &'static str,
}

impl Redactions {
    /// Adds a path and the text that replaces the values there.
    ///
    /// # Errors
    /// If the path is empty, or if a bracket in it is not closed or holds anything but a number.
    pub fn add(&mut self, path: &str, replacement: &str) -> Result<(), PathError> {
        self.0.push((parse(path)?, replacement.to_owned()));
        Ok(())
    }

    /// The parameters or results of a method, `Shop.order`, with the values replaced that a path leads to.
    #[must_use]
    pub fn apply<'v>(&self, method: &str, value: &'v Value) -> Cow<'v, Value> {
        if self.0.is_empty() {
            return Cow::Borrowed(value);
        }
        let mut path: Vec<Step> = method.split('.').map(Step::Field).collect();
        Cow::Owned(self.replaced(&mut path, value))
    }

    /// The frame with the values replaced that a path leads to.
    #[must_use]
    pub fn frame<'f>(&self, frame: &'f Frame) -> Cow<'f, Frame> {
        if self.0.is_empty() {
            return Cow::Borrowed(frame);
        }
        let mut frame = frame.clone();
        match &mut frame.message {
            Message::Call(call) => {
                call.params.value = self.apply(&call.method, &call.params.value).into_owned();
            }
            Message::Return(Return { call: Some(method), outcome: Outcome::Results(results), .. }) => {
                results.value = self.apply(method, &results.value).into_owned();
            }
            _ => {}
        }
        Cow::Owned(frame)
    }

    fn replaced<'v>(&self, path: &mut Vec<Step<'v>>, value: &'v Value) -> Value {
        let found = self.0.iter().find(|(parts, _)| leads(parts, path));
        if let Some((_, replacement)) = found {
            return Value::Redacted(replacement.clone());
        }
        let mut inside = |step, value| {
            path.push(step);
            let replaced = self.replaced(path, value);
            path.pop();
            replaced
        };
        match value {
            Value::Struct(fields) => {
                let replaced =
                    fields.iter().map(|(name, value)| (name.clone(), inside(Step::Field(name), value)));
                Value::Struct(replaced.collect())
            }
            Value::List { elements, more, digest } => {
                let replaced: Vec<Value> =
                    elements.iter().enumerate().map(|(at, value)| inside(Step::Element(at), value)).collect();
                // The digest of the whole list would tell what was replaced.
                let digest = if replaced == *elements { *digest } else { Digest([0; 4]) };
                Value::List { elements: replaced, more: *more, digest }
            }
            other => other.clone(),
        }
    }
}

/// Whether the parts lead along exactly this path.
fn leads(parts: &[Part], path: &[Step<'_>]) -> bool {
    let Some((part, parts)) = parts.split_first() else { return path.is_empty() };
    if *part == Part::AnyNumber {
        return (0..=path.len()).any(|skipped| leads(parts, &path[skipped..]));
    }
    let Some((step, path)) = path.split_first() else { return false };
    let fits = match (part, step) {
        (Part::AnyOne, _) => true,
        (Part::Name(name), Step::Field(field)) => name == field,
        (Part::Element(wanted), Step::Element(at)) => wanted == at,
        (Part::EveryElement, Step::Element(_)) => true,
        _ => false,
    };
    fits && leads(parts, path)
}

fn parse(path: &str) -> Result<Vec<Part>, PathError> {
    let error = |wrong| PathError { path: path.to_owned(), wrong };
    let mut parts = Vec::new();
    for piece in path.split('.') {
        let mut brackets = piece.split('[');
        match brackets.next() {
            Some("*") => parts.push(Part::AnyOne),
            Some("**") => parts.push(Part::AnyNumber),
            Some("") | None => return Err(error("a part of it is empty")),
            Some(name) => parts.push(Part::Name(name.to_owned())),
        }
        for bracket in brackets {
            let index = bracket.strip_suffix(']').ok_or_else(|| error("a bracket is not closed"))?;
            parts.push(match index {
                "" => Part::EveryElement,
                _ => Part::Element(index.parse().map_err(|_| error("brackets hold a number or nothing"))?),
            });
        }
    }
    Ok(parts)
}

impl fmt::Display for PathError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{:?} is no path to a value: {} (write Interface.method.field[].field)",
            self.path, self.wrong
        )
    }
}

impl std::error::Error for PathError {}

#[cfg(test)]
mod tests {
    use super::*;

    fn order() -> Value {
        let item = |id, price| {
            Value::Struct(vec![("id".to_owned(), Value::UInt(id)), ("price".to_owned(), Value::UInt(price))])
        };
        let items = Value::List { elements: vec![item(1, 10), item(2, 20)], more: 0, digest: Digest([0; 4]) };
        Value::Struct(vec![("id".to_owned(), Value::UInt(7)), ("items".to_owned(), items)])
    }

    #[test]
    fn a_path_leads_to_the_values_it_names_and_to_no_others() {
        let table = [
            ("Shop.order.id", "(id = _, items = [(id = 1, price = 10), (id = 2, price = 20)])"),
            ("Shop.order.items[].price", "(id = 7, items = [(id = 1, price = _), (id = 2, price = _)])"),
            ("Shop.order.items[1]", "(id = 7, items = [(id = 1, price = 10), _])"),
            ("Shop.*.items", "(id = 7, items = _)"),
            ("**.id", "(id = _, items = [(id = _, price = 10), (id = _, price = 20)])"),
            ("Shop.order", "_"),
            ("Shop.cancel.id", "(id = 7, items = [(id = 1, price = 10), (id = 2, price = 20)])"),
            ("id", "(id = 7, items = [(id = 1, price = 10), (id = 2, price = 20)])"),
        ];
        for (path, text) in table {
            let mut redactions = Redactions::default();
            redactions.add(path, "_").expect(path);
            assert_eq!(redactions.apply("Shop.order", &order()).to_string(), text, "{path}");
        }
    }

    #[test]
    fn a_path_that_cannot_be_read_is_an_error() {
        for path in ["", "Shop..id", "a[", "a[x]", "a[1"] {
            assert!(Redactions::default().add(path, "_").is_err(), "{path}");
        }
    }
}
