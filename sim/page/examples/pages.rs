//! Writes pages of made-up runs into a folder, for the tests in a browser: `hostile.html`, whose every name and value
//! is markup, script or control characters, and `large.html`, of a run with 100,000 steps. A page of each text in
//! `hostile.html` alone would show the same.

use std::path::Path;
use wavetank_page::html;
use wavetank_page::model::{
    Deciding, Field, Lane, LaneKind, Message, MessageKind, Note, NoteKind, Page, Pipe, Run, Section, Shots,
    Steps, Task,
};

/// A text that would set `window.ran` if a browser took it for anything but text.
const HOSTILE: &str = "</script><script>window.ran=1</script><img src=x onerror=\"window.ran=2\">'\"><svg \
                       onload=window.ran=3>&lt;b&gt;<!--]]>\u{0}\u{7}\u{1b}[31m\u{202e}\u{2028}`${window.ran=4}`\
                       javascript:window.ran=5";

fn main() {
    let folder = std::env::args().nth(1).expect("a folder to write into");
    let folder = Path::new(&folder);
    std::fs::create_dir_all(folder).expect("a folder");
    std::fs::write(folder.join("hostile.html"), html(&page(HOSTILE, 40))).expect("a file");
    std::fs::write(folder.join("large.html"), html(&page("a plain name", 100_000))).expect("a file");
}

/// A page of two runs of so many steps, in which every text is `text`.
fn page(text: &str, steps: u64) -> Page {
    let owned = || text.to_string();
    Page {
        format: 1,
        title: owned(),
        outcome: owned(),
        failed: true,
        sentence: owned(),
        blame: Some(owned()),
        report: vec![Section { heading: owned(), lines: vec![format!("step 3: {text}")] }],
        facts: vec![[owned(), owned()]],
        replay: Some(owned()),
        deciding: Some(Deciding { says: owned(), steps: vec![3, 7] }),
        runs: vec![run(text, steps), run(text, steps - 5)],
        same: vec![[1, 1, 2], [6, 4, steps - 8]],
        differs_at: Some([3, 3]),
    }
}

fn run(text: &str, steps: u64) -> Run {
    let kinds: [MessageKind; 4] =
        [MessageKind::Call, MessageKind::Return, MessageKind::Finish, MessageKind::Release];
    let lane =
        |kind, born| Lane { name: text.into(), kind, born, exit: Some(text.into()), ..Lane::default() };
    let mut run = Run {
        name: text.into(),
        sentence: text.into(),
        failed: true,
        texts: vec![
            text.into(),
            format!("waits on {text}"),
            format!("poll {text}"),
            format!("{text}.{text}"),
        ],
        lanes: vec![
            lane(LaneKind::Host, 0),
            lane(LaneKind::Vat, 0),
            lane(LaneKind::Cell, 0),
            lane(LaneKind::Cell, 1),
        ],
        cycle: vec![[1, 2], [2, 1]],
        ..Run::default()
    };
    for place in 0..12 {
        run.pipes.push(Pipe {
            name: text.into(),
            writer: Some(place % 4),
            reader: Some((place + 1) % 4),
            rpc: true,
        });
        run.tasks.push(Task { name: text.into(), lane: place % 4 });
    }
    run.steps = Steps { kinds: vec![text.into(), "poll".into()], faults: vec![0], ..Steps::default() };
    run.steps.chosen = vec![(3, text.into())];
    shoot(&mut run.shots, 0);
    for step in 1..=steps {
        run.steps.text.push(if step.is_multiple_of(3) { 2 } else { 0 });
        run.steps.kind.push(u8::from(!step.is_multiple_of(97)));
        run.steps.lane.push((step % 5) as i32 - 1);
        run.steps.now_ns.push(step * 700);
        shoot(&mut run.shots, step);
        if step.is_multiple_of(4) {
            let place = run.messages.len() as u32;
            let kind = kinds[place as usize % 4];
            run.messages.push(Message {
                kind,
                sent: step,
                received: (place % 9 != 8).then_some((step + 3).min(steps)),
                from: place % 4,
                to: (place + 1) % 4,
                question: u64::from(place) + 1,
                pair: (kind == MessageKind::Return).then(|| place - 1),
                method: Some(3),
                bytes: 48,
                caps: vec![text.into()],
                fields: Some(Field::Node(vec![(text.into(), Field::Leaf(text.into()))])),
                error: place.is_multiple_of(11),
                ..Message::default()
            });
            if kind == MessageKind::Return {
                run.messages[place as usize - 1].pair = Some(place);
            }
        }
        if step % 50 == 5 {
            for kind in
                [NoteKind::Stdout, NoteKind::Stderr, NoteKind::Fault, NoteKind::Dropped, NoteKind::Call]
            {
                run.notes.push(Note { kind, step, lane: (step % 5) as i32 - 1, text: 0 });
            }
        }
    }
    run
}

/// Adds a state that differs at each step, as in a busy run.
fn shoot(shots: &mut Shots, step: u64) {
    let (task, pipe) = ((step % 12) as i64, step % 12);
    shots.count += 1;
    shots.pipes.extend([step, pipe, step % 300, step % 70, 4096 - step % 300, 4096, 1 + 4 * (step % 2)]);
    shots.tasks.extend([step as i64, task, (step / 12 % 6) as i64, 1]);
    shots.calls.extend([step as i64, (step % 4) as i64, if step.is_multiple_of(2) { 0 } else { -1 }]);
    shots.blocked.extend([step as i64, 2, if step.is_multiple_of(3) { 1 } else { -1 }]);
    shots.menu.extend([2, 0, 2]);
    shots.menu_lengths.push(3);
    shots.more.extend([step, 1]);
    shots.chosen.push((step % 3) as i32);
}
