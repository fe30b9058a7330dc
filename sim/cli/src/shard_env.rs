//! `--shard env`: the shard of this task, from the variables of the engine that started it.
//!
//! Kubernetes, GitLab and Buildkite give an index and a total. Slurm gives the number of the task and the bounds of its
//! array, and HyperQueue the number alone. A task of these two may be submitted again by itself, and nothing then says
//! from which number its array was counted. So the shard follows from the number and the total alone: it is the number
//! modulo the total, where 0 stands for the last shard. Arrays from 0 and arrays from 1 both deal every shard once, and
//! a task that runs again has the shard that it had.
//!
//! Whatever does not add up is refused with the values that were read, because a wrong shard would test seeds twice and
//! others never. `wavetank merge` names what is missing all the same.

use crate::shard::{MAX_SHARDS, Shard};
use std::fmt::Write;

/// The value of `--shard`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ChosenShard {
    pub(crate) shard: Shard,
    /// What it was read from, for people; `None` if the user wrote the shard.
    pub(crate) read: Option<String>,
}

/// Parses the value of `--shard`: I/N, `env`, or env/N.
///
/// # Errors
/// A message for the user that names the variables that were read, with their values.
pub(crate) fn chosen(text: &str) -> Result<ChosenShard, String> {
    #[expect(clippy::disallowed_methods, reason = "read outside of all worlds, and documented")]
    let variable = |name: &str| std::env::var_os(name).map(|value| value.to_string_lossy().into_owned());
    chosen_in(text, &variable)
}

/// Gives the value of a variable, if it is set.
type Environment<'a> = dyn Fn(&str) -> Option<String> + 'a;

fn chosen_in(text: &str, environment: &Environment<'_>) -> Result<ChosenShard, String> {
    let total = match text.strip_prefix("env") {
        None => return Ok(ChosenShard { shard: text.parse()?, read: None }),
        Some("") => None,
        Some(rest) => {
            let total = rest.strip_prefix('/').and_then(number).filter(|total| *total > 0);
            let wrong = || format!("not a shard: {text:?} (write I/N as 2/3, env, or env/N as env/3)");
            Some(total.ok_or_else(wrong)?)
        }
    };
    let mut found: Vec<(&Engine, Variables)> = Vec::new();
    for engine in &ENGINES {
        let variables = Variables::read(engine, environment);
        if variables.text(engine.task).is_some() {
            found.push((engine, variables));
        }
    }
    let [(engine, variables)] = &found[..] else { return Err(not_one(&found, environment)) };
    let says = |reason: String| format!("{} says {variables}: {reason}", engine.name);
    let shard = engine.shard(variables, total).map_err(says)?;
    if shard.of > MAX_SHARDS {
        return Err(says(format!("{} shards are too many: there can be {MAX_SHARDS}", shard.of)));
    }
    Ok(ChosenShard { shard, read: Some(format!("{}: {variables}", engine.name)) })
}

/// The message if no engine, or more than one, says which task this is.
fn not_one(found: &[(&Engine, Variables)], environment: &Environment<'_>) -> String {
    if found.is_empty() {
        let mut message = String::from("no engine says which task this is: none of ");
        let named: Vec<String> =
            ENGINES.iter().map(|engine| format!("{} ({})", engine.task, engine.name)).collect();
        message += &named.join(", ");
        message += " is set";
        for engine in &ENGINES {
            let variables = Variables::read(engine, environment);
            if !variables.0.is_empty() {
                let _ = write!(message, "; {} says {variables} only", engine.name);
            }
        }
        return message + ": start it as a task of one of them, or write the shard as I/N";
    }
    let says: Vec<String> =
        found.iter().map(|(engine, variables)| format!("{} says {variables}", engine.name)).collect();
    format!("more than one engine says which task this is: {}: write the shard as I/N", says.join("; "))
}

/// An engine that starts the tasks of a sweep.
struct Engine {
    name: &'static str,
    /// The variable with the number of the task.
    task: &'static str,
    kind: Kind,
}

/// How an engine tells the total.
enum Kind {
    /// A variable holds it, and tasks are counted from `first`.
    Counted {
        total: &'static str,
        first: u64,
        /// What gives the variable its value.
        by: &'static str,
    },
    /// The bounds of the array tell it.
    SlurmArray,
    /// The user states it.
    Stated,
}

const ENGINES: [Engine; 5] = [
    Engine {
        name: "Kubernetes",
        task: "JOB_COMPLETION_INDEX",
        kind: Kind::Counted {
            total: "JOB_COMPLETIONS",
            first: 0,
            by: "let the manifest of the job set it, as deploy/kubernetes does",
        },
    },
    Engine { name: "Slurm", task: SLURM_TASK, kind: Kind::SlurmArray },
    Engine {
        name: "GitLab",
        task: "CI_NODE_INDEX",
        kind: Kind::Counted { total: "CI_NODE_TOTAL", first: 1, by: "`parallel` in the job sets it" },
    },
    Engine {
        name: "Buildkite",
        task: "BUILDKITE_PARALLEL_JOB",
        kind: Kind::Counted {
            total: "BUILDKITE_PARALLEL_JOB_COUNT",
            first: 0,
            by: "`parallelism` in the step sets it",
        },
    },
    Engine { name: "HyperQueue", task: "HQ_TASK_ID", kind: Kind::Stated },
];

const SLURM_TASK: &str = "SLURM_ARRAY_TASK_ID";
const SLURM_MIN: &str = "SLURM_ARRAY_TASK_MIN";
const SLURM_MAX: &str = "SLURM_ARRAY_TASK_MAX";
const SLURM_STEP: &str = "SLURM_ARRAY_TASK_STEP";
const SLURM_COUNT: &str = "SLURM_ARRAY_TASK_COUNT";

impl Engine {
    /// The variables that are read.
    fn variables(&self) -> Vec<&'static str> {
        match self.kind {
            Kind::Counted { total, .. } => vec![self.task, total],
            Kind::SlurmArray => vec![SLURM_TASK, SLURM_MIN, SLURM_MAX, SLURM_STEP, SLURM_COUNT],
            Kind::Stated => vec![self.task],
        }
    }

    /// The shard, if the user stated `total` or nothing.
    ///
    /// # Errors
    /// The reason why the values do not add up.
    fn shard(&self, variables: &Variables, total: Option<u64>) -> Result<Shard, String> {
        let task = variables.number(self.task)?;
        match self.kind {
            Kind::Counted { total: name, first, by } => {
                let said = variables.optional(name)?;
                let of = match (said, total) {
                    (Some(said), Some(total)) if said != total => {
                        return Err(format!("{name} is not the {total} of env/{total}"));
                    }
                    (Some(of), _) | (None, Some(of)) => of,
                    (None, None) => {
                        return Err(format!("{name} is not set: {by}, or state the total as env/N"));
                    }
                };
                if of == 0 || task < first || task - first >= of {
                    let last = (of + first).checked_sub(1).filter(|_| of > 0);
                    let range = last.map_or("there is none".into(), |last| format!("{first} to {last}"));
                    return Err(format!("{task} is none of its {of} tasks, which are counted {range}"));
                }
                Ok(Shard { index: task - first + 1, of })
            }
            Kind::SlurmArray => slurm(variables, task, total),
            Kind::Stated => {
                let of = total.ok_or("it does not say how many there are: state it as env/N")?;
                by_number(task, of)
            }
        }
    }
}

/// The shard of a task of an array of Slurm. The array may have a step, and gaps: their shards are left to other jobs.
fn slurm(variables: &Variables, task: u64, total: Option<u64>) -> Result<Shard, String> {
    let bounds = [SLURM_MIN, SLURM_MAX, SLURM_STEP, SLURM_COUNT].map(|name| variables.optional(name));
    let [min, max, step, count] = bounds;
    let (min, max, step, count) = (min?, max?, step?, count?);
    let step = match step {
        Some(0) => return Err("a step of 0 leads nowhere".into()),
        step => step.unwrap_or(1),
    };
    let (Some(min), Some(max), Some(count)) = (min, max, count) else {
        let missing = [(SLURM_MIN, min), (SLURM_MAX, max), (SLURM_COUNT, count)];
        let missing = missing.iter().find(|(_, value)| value.is_none()).map_or(SLURM_MIN, |(name, _)| name);
        let of = total.ok_or_else(|| format!("{missing} is not set: state the total as env/N"))?;
        return by_number(task / step, of);
    };
    if min > max || !(min..=max).contains(&task) {
        return Err(format!("task {task} is not within {min} to {max}"));
    }
    if !(task - min).is_multiple_of(step) || !(max - min).is_multiple_of(step) {
        return Err(format!("steps of {step} from {min} do not meet both {task} and {max}"));
    }
    let places = (max - min) / step + 1;
    if count == 0 || count > places || (count == 1) != (places == 1) {
        return Err(format!("{count} tasks do not fit {min} to {max} in steps of {step}"));
    }
    match total {
        Some(of) if places == of => Ok(modulo(task / step, of)),
        Some(of) if places > of => {
            Err(format!("{min} to {max} are {places} tasks, more than the {of} of env/{of}"))
        }
        Some(of) => by_number(task / step, of),
        // A task that is submitted again by itself would take itself for the whole sweep.
        None if count == 1 => Err(
            "one task alone may be of a larger array: state the total as env/N, which is env/1 if it is not"
                .into(),
        ),
        None => Ok(modulo(task / step, places)),
    }
}

/// The shard of a task of which only the number is known.
fn by_number(task: u64, of: u64) -> Result<Shard, String> {
    if task > of {
        return Err(format!(
            "number {task} is above the {of} of env/{of}: if its array had a step, submit it with the same, as --array=8-8:2; otherwise write the shard as I/N"
        ));
    }
    Ok(modulo(task, of))
}

/// The shard of a number: the number modulo the total, where 0 stands for the last shard.
fn modulo(task: u64, of: u64) -> Shard {
    let index = task % of;
    Shard { index: if index == 0 { of } else { index }, of }
}

/// A number without sign or space.
fn number(text: &str) -> Option<u64> {
    if text.bytes().all(|byte| byte.is_ascii_digit()) { text.parse().ok() } else { None }
}

/// The variables of one engine that are set, in the order of its table.
struct Variables(Vec<(&'static str, String)>);

impl Variables {
    /// Reads the variables of an engine. An empty one counts as not set, because some CI systems make those.
    fn read(engine: &Engine, environment: &Environment<'_>) -> Self {
        let set = |name| environment(name).filter(|value| !value.is_empty()).map(|value| (name, value));
        Variables(engine.variables().into_iter().filter_map(set).collect())
    }

    fn text(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(set, _)| *set == name).map(|(_, value)| value.as_str())
    }

    fn optional(&self, name: &str) -> Result<Option<u64>, String> {
        let parse = |text: &str| number(text).ok_or_else(|| format!("{name} is not a number from 0 on"));
        self.text(name).map(parse).transpose()
    }

    fn number(&self, name: &str) -> Result<u64, String> {
        self.optional(name)?.ok_or_else(|| format!("{name} is not set"))
    }
}

impl std::fmt::Display for Variables {
    /// As `NAME=7, OTHER="what is no number"`.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (at, (name, value)) in self.0.iter().enumerate() {
            let comma = if at > 0 { ", " } else { "" };
            match number(value) {
                Some(value) => write!(f, "{comma}{name}={value}")?,
                None => {
                    let start: String = value.chars().take(SHOWN_LETTERS).collect();
                    write!(f, "{comma}{name}={start:?}")?;
                }
            }
        }
        Ok(())
    }
}

/// How much of a value that is no number is shown.
const SHOWN_LETTERS: usize = 40;

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    /// Reads a shard where these variables are set, as `A=1 B=2`.
    fn read(text: &str, set: &str) -> Result<String, String> {
        let set: Vec<(&str, &str)> = set.split(' ').filter_map(|pair| pair.split_once('=')).collect();
        let environment = |name: &str| {
            let found = set.iter().find(|(is, _)| *is == name);
            found.map(|(_, value)| value.replace('_', " "))
        };
        chosen_in(text, &environment).map(|chosen| chosen.shard.to_string())
    }

    fn slurm_set(id: u64, [min, max, step, count]: [u64; 4]) -> String {
        format!(
            "{SLURM_TASK}={id} {SLURM_MIN}={min} {SLURM_MAX}={max} {SLURM_STEP}={step} {SLURM_COUNT}={count}"
        )
    }

    #[test]
    fn each_engine_says_its_shard() {
        for (text, set, shard) in [
            ("2/3", "CI_NODE_INDEX=1 CI_NODE_TOTAL=4", "2/3"),
            ("env", "JOB_COMPLETION_INDEX=0 JOB_COMPLETIONS=4", "1/4"),
            ("env", "JOB_COMPLETION_INDEX=3 JOB_COMPLETIONS=4", "4/4"),
            ("env/4", "JOB_COMPLETION_INDEX=3 JOB_COMPLETIONS=4", "4/4"),
            ("env/4", "JOB_COMPLETION_INDEX=3", "4/4"),
            ("env", "CI_NODE_INDEX=1 CI_NODE_TOTAL=4", "1/4"),
            ("env", "CI_NODE_INDEX=4 CI_NODE_TOTAL=4", "4/4"),
            ("env", "BUILDKITE_PARALLEL_JOB=0 BUILDKITE_PARALLEL_JOB_COUNT=2", "1/2"),
            ("env", "BUILDKITE_PARALLEL_JOB=1 BUILDKITE_PARALLEL_JOB_COUNT=2", "2/2"),
            ("env/64", "HQ_TASK_ID=0", "64/64"),
            ("env/64", "HQ_TASK_ID=64", "64/64"),
            ("env/64", "HQ_TASK_ID=7", "7/64"),
            // GitLab sets the total in jobs that are not parallel too.
            ("env", "CI_NODE_TOTAL=1 JOB_COMPLETION_INDEX=1 JOB_COMPLETIONS=2", "2/2"),
            // Empty ones count as not set.
            ("env", "HQ_TASK_ID= CI_NODE_INDEX=1 CI_NODE_TOTAL=4", "1/4"),
            ("env/6", "SLURM_ARRAY_TASK_ID=3", "3/6"),
        ] {
            assert_eq!(read(text, set).as_deref(), Ok(shard), "{text} {set}");
        }
    }

    /// Bounds as Slurm 22.05 sets them for `--array`.
    #[test]
    fn arrays_of_slurm_deal_every_shard_once_and_a_task_keeps_its_own() {
        for (array, ids, bounds, of) in [
            ("0-5", &[0, 1, 2, 3, 4, 5][..], [0, 5, 1, 6], 6),
            ("1-4", &[1, 2, 3, 4], [1, 4, 1, 4], 4),
            ("0-10:2", &[0, 2, 4, 6, 8, 10], [0, 10, 2, 6], 6),
            ("1-7:3", &[1, 4, 7], [1, 7, 3, 3], 3),
            ("10-15", &[10, 11, 12, 13, 14, 15], [10, 15, 1, 6], 6),
        ] {
            let shard = |id: u64| read("env", &slurm_set(id, bounds)).expect("it adds up");
            let dealt: BTreeSet<String> = ids.iter().map(|id| shard(*id)).collect();
            assert_eq!(dealt, (1..=of).map(|index| format!("{index}/{of}")).collect(), "{array}");
            for &id in ids {
                assert_eq!(read(&format!("env/{of}"), &slurm_set(id, bounds)), Ok(shard(id)), "{array}");
                // Submitted again by itself, with the step of its array.
                let alone = read(&format!("env/{of}"), &slurm_set(id, [id, id, bounds[2], 1]));
                let is_counted_from_elsewhere = id / bounds[2] > of;
                assert_eq!(
                    alone.ok(),
                    (!is_counted_from_elsewhere).then(|| shard(id)),
                    "{array}, {id} alone"
                );
            }
        }
    }

    #[test]
    fn a_gap_leaves_its_shard_to_another_job() {
        let bounds = [0, 5, 1, 5];
        let dealt: Vec<_> = [0, 1, 2, 4, 5].map(|id| read("env", &slurm_set(id, bounds)).ok()).into();
        let wanted = ["6/6", "1/6", "2/6", "4/6", "5/6"].map(|shard| Some(shard.to_string()));
        assert_eq!(dealt, wanted);
        assert_eq!(read("env/6", &slurm_set(3, [3, 3, 1, 1])).as_deref(), Ok("3/6"));
        // Two tasks again, of which one closes the gap.
        assert_eq!(read("env/6", &slurm_set(5, [3, 5, 1, 2])).as_deref(), Ok("5/6"));
    }

    #[test]
    fn what_does_not_add_up_is_refused_with_what_was_read() {
        let slurm = |id, bounds| slurm_set(id, bounds);
        for (text, set, told) in [
            ("env", String::new(), "JOB_COMPLETION_INDEX (Kubernetes), SLURM_ARRAY_TASK_ID (Slurm)"),
            ("env", "CI_NODE_TOTAL=1".into(), "GitLab says CI_NODE_TOTAL=1 only"),
            ("env", "JOB_COMPLETION_INDEX=4 JOB_COMPLETIONS=4".into(), "counted 0 to 3"),
            ("env", "JOB_COMPLETION_INDEX=0 JOB_COMPLETIONS=0".into(), "none of its 0 tasks"),
            ("env", "JOB_COMPLETION_INDEX=1".into(), "JOB_COMPLETIONS is not set"),
            ("env/5", "JOB_COMPLETION_INDEX=1 JOB_COMPLETIONS=4".into(), "not the 5 of env/5"),
            ("env", "CI_NODE_INDEX=0 CI_NODE_TOTAL=4".into(), "counted 1 to 4"),
            ("env", "CI_NODE_INDEX=5 CI_NODE_TOTAL=4".into(), "CI_NODE_INDEX=5, CI_NODE_TOTAL=4"),
            ("env", "CI_NODE_INDEX=+1 CI_NODE_TOTAL=4".into(), "CI_NODE_INDEX=\"+1\""),
            ("env", "CI_NODE_INDEX=_1 CI_NODE_TOTAL=4".into(), "not a number"),
            ("env", "CI_NODE_INDEX=99999999999999999999 CI_NODE_TOTAL=4".into(), "not a number"),
            ("env", "CI_NODE_INDEX=1\u{1b}[31m CI_NODE_TOTAL=4".into(), "\\u{1b}[31m"),
            ("env", "HQ_TASK_ID=3".into(), "state it as env/N"),
            ("env/4", "HQ_TASK_ID=5".into(), "number 5 is above the 4"),
            ("env", "CI_NODE_INDEX=1 CI_NODE_TOTAL=4 HQ_TASK_ID=3".into(), "more than one engine"),
            ("env", "CI_NODE_INDEX=1 CI_NODE_TOTAL=20000".into(), "too many"),
            ("env/20000", "HQ_TASK_ID=3".into(), "too many"),
            ("env", slurm(3, [3, 3, 1, 1]), "state the total"),
            ("env", slurm(6, [0, 5, 1, 6]), "not within 0 to 5"),
            ("env", slurm(0, [1, 5, 1, 5]), "not within 1 to 5"),
            ("env", slurm(3, [0, 10, 2, 6]), "do not meet"),
            ("env", slurm(2, [0, 5, 2, 3]), "do not meet"),
            ("env", slurm(2, [0, 5, 0, 6]), "a step of 0"),
            ("env", slurm(2, [0, 5, 1, 7]), "7 tasks do not fit"),
            ("env", slurm(2, [0, 5, 1, 0]), "0 tasks do not fit"),
            ("env", slurm(2, [5, 0, 1, 6]), "not within"),
            ("env/4", slurm(2, [0, 5, 1, 6]), "more than the 4"),
            ("env/6", slurm(8, [8, 8, 1, 1]), "number 8 is above the 6"),
            ("env", "SLURM_ARRAY_TASK_ID=3".into(), "SLURM_ARRAY_TASK_MIN is not set"),
            ("env/0", "HQ_TASK_ID=3".into(), "not a shard"),
            ("env/", "HQ_TASK_ID=3".into(), "not a shard"),
            ("envy", "HQ_TASK_ID=3".into(), "not a shard"),
            ("env/+3", "HQ_TASK_ID=3".into(), "not a shard"),
            ("env/1/3", "HQ_TASK_ID=3".into(), "not a shard"),
        ] {
            let refused = read(text, &set).expect_err(&set);
            assert!(refused.contains(told), "{text} {set}: {refused}");
        }
    }
}
