//! A sequence diagram in the language of Mermaid, which many forges and editors draw.

use crate::model::{LaneKind, MessageKind, NoteKind, Run};
use std::fmt::Write;

/// Lines of messages and notes, at most: viewers refuse diagrams that are much larger.
const SHOWN: usize = 400;

/// Characters of a label, at most.
const WIDTH: usize = 80;

/// The run as a sequence diagram: its parties, its messages without Finish and Release, births, ends, faults and
/// output, and the deciding steps.
pub fn mermaid(run: &Run, deciding: &[u64]) -> String {
    let mut text = String::from("sequenceDiagram\n");
    for (place, lane) in run.lanes.iter().enumerate() {
        let word = if lane.kind == LaneKind::Cell { "participant" } else { "actor" };
        let _ = writeln!(text, "    {word} L{place} as {}", label(&lane.name));
    }
    let lines = lines(run, deciding);
    for (_, line) in lines.iter().take(SHOWN) {
        let _ = writeln!(text, "    {line}");
    }
    if lines.len() > SHOWN && !run.lanes.is_empty() {
        let _ = writeln!(text, "    Note over L0: … {} more", lines.len() - SHOWN);
    }
    text
}

/// The lines with their steps, in order.
fn lines(run: &Run, deciding: &[u64]) -> Vec<(u64, String)> {
    let text = |place: u32| run.texts.get(place as usize).map(String::as_str).unwrap_or_default();
    let mut lines: Vec<(u64, String)> = Vec::new();
    for message in &run.messages {
        let arrow = match (message.received, message.kind) {
            (_, MessageKind::Finish | MessageKind::Release | MessageKind::Closed) => continue,
            (None, _) => "--x",
            (Some(_), MessageKind::Return) => "-->>",
            (Some(_), _) => "->>",
        };
        let (from, to) = (message.from, message.to);
        let short = label(text(message.short));
        lines.push((message.sent, format!("L{from}{arrow}L{to}: {short} (step {})", message.sent)));
    }
    for note in &run.notes {
        let is_shown = !matches!(note.kind, NoteKind::Call | NoteKind::Closed);
        if let (true, Ok(lane)) = (is_shown, u32::try_from(note.lane)) {
            lines.push((
                note.step,
                format!("Note over L{lane}: {} (step {})", label(text(note.text)), note.step),
            ));
        }
    }
    for step in deciding {
        let at = (*step as usize).checked_sub(1);
        let place = at.and_then(|at| run.steps.text.get(at));
        let lane = at.and_then(|at| run.steps.lane.get(at)).copied().unwrap_or_default().max(0);
        if let Some(place) = place {
            lines.push((*step, format!("Note over L{lane}: deciding: step {step}: {}", label(text(*place)))));
        }
    }
    lines.sort_by_key(|(step, _)| *step);
    lines
}

/// A text that Mermaid takes as it is: its own signs are written as entities.
fn label(text: &str) -> String {
    let mut label = String::new();
    for (place, c) in text.chars().enumerate() {
        if place == WIDTH {
            label.push('…');
            break;
        }
        match c {
            '#' | ';' | '<' | '>' | '&' | '"' | '%' | '`' | '{' | '}' | ':' | '\\' => {
                let _ = write!(label, "#{};", u32::from(c));
            }
            c if c.is_control() || ('\u{2028}'..='\u{202e}').contains(&c) => label.push('\u{fffd}'),
            c => label.push(c),
        }
    }
    if label.trim().is_empty() { "-".into() } else { label }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Lane, Message, Note};

    #[test]
    fn a_call_its_answer_and_what_is_lost() {
        let lane = |name: &str| Lane { name: name.into(), ..Lane::default() };
        let message = |kind, from, sent, received, short| Message {
            kind,
            from,
            to: 1 - from,
            sent,
            received,
            short,
            ..Message::default()
        };
        let run = Run {
            lanes: vec![lane("host"), Lane { kind: LaneKind::Cell, ..lane("shop; end") }],
            texts: vec!["call echo".into(), "return \"hi\"".into(), "a\nloop #1".into()],
            messages: vec![
                message(MessageKind::Call, 1, 2, Some(3), 0),
                message(MessageKind::Return, 0, 4, None, 1),
                message(MessageKind::Finish, 1, 5, Some(6), 0),
            ],
            notes: vec![Note { kind: NoteKind::Stderr, step: 1, lane: 1, text: 2 }],
            ..Run::default()
        };
        let drawn = "sequenceDiagram\n    actor L0 as host\n    participant L1 as shop#59; end\n    \
                     Note over L1: a\u{fffd}loop #35;1 (step 1)\n    L1->>L0: call echo (step 2)\n    \
                     L0--xL1: return #34;hi#34; (step 4)\n";
        assert_eq!(mermaid(&run, &[]), drawn);
    }
}
