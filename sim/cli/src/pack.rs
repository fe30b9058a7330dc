//! `wavetank pack FILE`, and `wavetank replay` of such a pack: a saved failure with the guests, schemas and report that
//! belong to it. `pack_file` has the format.

use crate::args::{Pack as PackArgs, Replay};
use crate::component::{ComponentArgs, Inputs, hex};
use crate::files::Target;
use crate::guest_files::GuestArgs;
use crate::job::Job;
use crate::pack_file::{ENDING, Manifest, Pack, PackedGuest};
use crate::replay::replay_job;
use crate::saved_failures;
use crate::subject::Own;
use crate::terminal::{self, Stop, Text};
use crate::{Catalogue, engine};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use wavetank::escape_control;
use wavetank_choice::profile::Profile;
use wavetank_choice::token::Recipe;
use wavetank_sim::explain::EXPLAIN_RUNS;
use wavetank_sim::saved::{ABORTED, RetryVerdict, SavedFailure, Source};
use wavetank_sim::worker::protocol::Replayable;
use wavetank_sim::worker::replaced::base_name;
use wavetank_sim::worker::report as failure_report;
use wavetank_sim::worker::subject::Subject;
use wavetank_sim::worker::words::counted;
use wavetank_sim::{Choices, Run};

const FAILURE: &str = "failure.toml";

/// The report for people, as text. A page of it would be one more file, added where this one is.
const REPORT: &str = "report.txt";

const SCHEMAS: &str = "schemas/";

/// What a component of the user's own reads as its stdin.
const STDIN: &str = "stdin";

/// Makes a pack.
pub(crate) fn pack(args: &PackArgs, catalogue: &Catalogue) -> Result<ExitCode, Stop> {
    let file = &args.file;
    if crate::pack_file::is_pack(Path::new(file)) {
        return Err(format!("{file}: it is a pack already: copy it").into());
    }
    let kept = saved_failures::read(file)?;
    let (mut job, own) = saved_failures::job_of(file, &kept, &args.own, catalogue)?;
    job.refuse_driven("pack")?;
    if let (Some(path), Source::Component { .. }) = (&own.wasm, &kept.setting.source) {
        // The file may have another name by now, and a cell is called as its component was.
        let stdin = own.settings.component.load()?.stdin().map(Vec::from);
        job = of_component(&kept, crate::files::component(path)?, stdin)
            .and_then(|job| job.with_settings(&own.settings)?.with_guests(&own.guests, catalogue))
            .map_err(|reason| format!("{}: {reason}", path.display()))?;
        job = if kept.setting.canary { job.with_canary() } else { job };
    }
    let packed = packed(&kept, &job, &own).map_err(|reason| format!("{file}: {reason}"))?;
    let bytes = packed.to_bytes().map_err(|reason| format!("{file}: {reason}"))?;
    let to = match &args.out {
        Some(out) => out.clone(),
        None => {
            let stem = Path::new(file).file_stem().unwrap_or_default();
            PathBuf::from(format!("{}{ENDING}", stem.to_string_lossy()))
        }
    };
    let length = bytes.len();
    Target::create("--out", &to)?.write(|out| out.write_all(&bytes))?;
    let guests = counted(packed.below("guests/").count() as u64, "guest");
    terminal::print(format_args!(
        "packed: {}, {length} bytes, {guests}: `wavetank replay` takes it\n",
        to.display()
    ))?;
    Ok(ExitCode::SUCCESS)
}

/// The pack of a saved failure.
fn packed(kept: &SavedFailure, job: &Job, own: &Own) -> Result<Pack, String> {
    refuse_profile(kept)?;
    let mut pack = Pack::new(Manifest {
        wavetank: env!("CARGO_PKG_VERSION").into(),
        engine: kept.setting.engine.clone(),
        scenario: kept.setting.scenario.clone(),
        seed: kept.seed.to_string(),
        outcome: kept.outcome.clone(),
        ..Manifest::default()
    });
    pack.add(FAILURE.into(), kept.to_string().into_bytes());
    let report = if kept.failure == ABORTED {
        // To run it would end this process too.
        about(kept)
    } else {
        ran(&mut pack, kept, job)?
    };
    // The page of the report is added here, once there is one.
    pack.add(REPORT.into(), report.into_bytes());
    if let Source::Component { .. } = &kept.setting.source {
        let path = own.wasm.as_ref().expect("a component has a file");
        let wasm = crate::files::component(path)?;
        if job.name != kept.setting.scenario {
            return Err(format!("{}: another component than the one that failed: {RESTORE}", path.display()));
        }
        pack.manifest.component = Some(pack.add_guest(&wasm));
        if let Some(stdin) = own.settings.component.load()?.stdin() {
            pack.add(STDIN.into(), stdin.to_vec());
        }
    }
    for (at, request) in own.settings.schema.requests()?.into_iter().enumerate() {
        pack.add(format!("{SCHEMAS}{}.cgr", at + 1), request);
    }
    Ok(pack)
}

/// Refuses a failure of which only the file of a profile gives the choices: its process died before it told them.
fn refuse_profile(kept: &SavedFailure) -> Result<(), String> {
    match &kept.original.token.recipe {
        Recipe::Drawn { profile, .. } if !is_built_in(profile) => {
            Err(format!("only the profile {profile:?} draws its choices, and a pack holds no profiles"))
        }
        _ => Ok(()),
    }
}

fn is_built_in(profile: &str) -> bool {
    Profile::ALL.iter().any(|(name, _)| *name == profile)
}

const RESTORE: &str = "build that one again, or name its file with --wasm";

/// Runs the failure again, for its guests and its report.
fn ran(pack: &mut Pack, kept: &SavedFailure, job: &Job) -> Result<String, String> {
    let again = job.retry(kept).map_err(|e| e.to_string())?;
    // The shrunk run may have fewer cells than the one that was found.
    let found = match Choices::try_from(kept.original.token.recipe.clone()) {
        Ok(choices) => job.replay(kept.seed, choices),
        Err(e) => return Err(e.to_string()),
    };
    let mut bytes: BTreeMap<String, Vec<u8>> = BTreeMap::new();
    for (_, guest) in again.run.guests.iter().chain(&found.guests) {
        bytes.entry(hex(&guest.digest())).or_insert_with(|| guest.bytes().to_vec());
    }
    for (cell, sha256) in &kept.guests {
        let Some(wasm) = bytes.get(sha256) else {
            return Err(format!(
                "its guest {cell} changed since: {RESTORE}, or pack it with the wavetank that kept it"
            ));
        };
        pack.add_guest(wasm);
        pack.manifest.guests.push(PackedGuest { cell: cell.clone(), sha256: sha256.clone() });
    }
    if again.verdict != RetryVerdict::StillFails {
        return Err(format!("it cannot be packed, since it does not fail as before here: {again}"));
    }
    Ok(report(kept, job, &again.run))
}

/// Longer than any report that people read, in bytes.
const MAX_REPORT_BYTES: usize = 4 * 1024 * 1024;

/// The account of a run, without what differs between two machines: paths, and how the command was called.
fn report(kept: &SavedFailure, job: &Job, run: &Run) -> String {
    let mut text = about(kept);
    let mut more = Text::default();
    more += "\n";
    more += &failure_report::output_of_own(job, run);
    more += &failure_report::headline(job, run);
    more += "\n";
    more += &failure_report::explained(job, run, EXPLAIN_RUNS);
    more += &failure_report::not_judged(run);
    more += &failure_report::compared(run);
    more += "\n";
    more += &failure_report::frames(run);
    text += &more.plain();
    if text.len() > MAX_REPORT_BYTES {
        let end = (0..=MAX_REPORT_BYTES).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
        text.truncate(end);
        text += "\n… cut here\n";
    }
    text
}

/// What is known without running it.
fn about(kept: &SavedFailure) -> String {
    let setting = &kept.setting;
    let mut text = Text::default();
    let of = match setting.source {
        Source::BuiltIn => "scenario",
        Source::Check => "test",
        Source::Component { .. } => "component",
    };
    let _ = writeln!(text, "{of}: {}", setting.scenario);
    let _ = writeln!(text, "seed: {}, {}", kept.seed, kept.drawn_by);
    let _ = writeln!(text, "outcome: {}", kept.outcome);
    for line in &kept.detail {
        let _ = writeln!(text, "  {line}");
    }
    let _ = writeln!(text, "failure: {}", kept.failure);
    let _ = writeln!(text, "engine: {}", setting.engine);
    let _ = writeln!(text, "config: {}", setting.config);
    let _ = writeln!(text, "wavetank: {}", env!("CARGO_PKG_VERSION"));
    let _ = writeln!(text, "replay: wavetank replay FILE{ENDING}");
    text.plain()
}

/// Replays a pack. Nothing of it is written to a disk.
pub(crate) fn replay(args: &Replay, catalogue: &Catalogue) -> Result<ExitCode, Stop> {
    let file = &args.token;
    let told = |reason: String| format!("{file}: {reason}");
    let pack = Pack::read(Path::new(file)).map_err(told)?;
    let text = pack.file(FAILURE).ok_or_else(|| told(format!("its {FAILURE} is missing: get it again")))?;
    let text = std::str::from_utf8(text).map_err(|_| told(format!("its {FAILURE} is no text")))?;
    let mut kept: SavedFailure = text.parse().map_err(|e| told(format!("its {FAILURE}: {e}")))?;
    refuse_profile(&kept).map_err(told)?;
    // A stranger's pack must not name files to be read here.
    kept.setting.profile = kept.setting.profile.filter(|profile| is_built_in(profile));
    if args.own.is_given() || args.own.settings.schema.is_given() {
        return Err(told("a pack holds its component, arguments and schemas: leave them out".into()).into());
    }
    let name = base_name(&kept.setting.scenario);
    if kept.setting.source == Source::Check && catalogue.check(name).is_none() {
        let token = &kept.original.token;
        return Err(told(format!(
            "packed by the test {name}: in its project, `cargo wavetank replay {file}` replays it if wavetank_cli::checks! lists it, or WAVETANK_TOKEN={token} cargo test {name}"
        ))
        .into());
    }
    let schemas: Vec<&[u8]> = pack.below(SCHEMAS).collect();
    let job = job(&pack, &kept, catalogue)
        .and_then(|job| job.with_requests(&schemas, &kept.setting.schemas))
        .map_err(told)?
        .with_out(&args.own.settings.without);
    let job = if kept.setting.canary { job.with_canary() } else { job };
    let job = with_guests(job, &pack, &kept).map_err(told)?;
    let of = Replayable::Packed { failure: kept.to_string(), named: file.clone() };
    let guests = GuestArgs { guests: args.guests.clone() };
    replay_job(args, job, of, &guests, catalogue)
}

fn job(pack: &Pack, kept: &SavedFailure, catalogue: &Catalogue) -> Result<Job, String> {
    let name = &kept.setting.scenario;
    let job = if matches!(kept.setting.source, Source::Component { .. }) {
        let wasm = pack.manifest.component.as_ref().and_then(|sha256| pack.guest(sha256));
        let wasm = wasm.ok_or("its component is missing: get it again")?.to_vec();
        of_component(kept, wasm, pack.file(STDIN).map(Vec::from))?
    } else {
        Job::named(base_name(name), Choices::default(), catalogue, engine()?)?
    };
    if job.name != base_name(name) {
        return Err("its component or its stdin is another than that of the failure: get it again".into());
    }
    Ok(job.named_in_tokens(name))
}

/// The job of a failure of a component, which has the name that it had.
fn of_component(kept: &SavedFailure, wasm: Vec<u8>, stdin: Option<Vec<u8>>) -> Result<Job, String> {
    let Source::Component { path, inputs } = &kept.setting.source else {
        return Err("it is of no component".into());
    };
    if inputs.stdin.is_some() && stdin.is_none() {
        return Err("its stdin is missing: get it again".into());
    }
    let component = ComponentArgs::from(inputs);
    let mut given = inputs.clone();
    if let (Some(file), Some(stdin)) = (&mut given.stdin, &stdin) {
        file.digest = hex(&Sha256::digest(stdin));
    }
    let inputs = Inputs::saved(given, stdin);
    Job::own_of(Path::new(&*escape_control(path)), wasm, &component, inputs, Choices::default(), engine()?)
}

/// The same job with the components of the pack, if this command has others by now. A cell may first start when another
/// is replaced, hence the rounds.
fn with_guests(mut job: Job, pack: &Pack, kept: &SavedFailure) -> Result<Job, String> {
    if kept.failure == ABORTED || kept.guests.is_empty() {
        return Ok(job);
    }
    for _ in 0..kept.guests.len() {
        let choices = Choices::try_from(kept.original.token.recipe.clone()).map_err(|e| e.to_string())?;
        let run = job.replay(kept.seed, choices);
        let other = run.guests.iter().find_map(|(cell, guest)| {
            let wanted = kept.guests.get(&**cell).filter(|wanted| **wanted != hex(&guest.digest()))?;
            Some((cell, guest.bytes().to_vec(), wanted))
        });
        let Some((cell, now, wanted)) = other else { break };
        let wasm = pack.guest(wanted).ok_or_else(|| format!("its guest {cell} is missing: get it again"))?;
        terminal::note(format_args!("guest {cell}: that of the pack, since this wavetank has another\n"));
        job.replace(&now, wasm).map_err(|e| format!("its guest {cell}: {e}"))?;
    }
    Ok(job)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalogue::Binary;
    use wavetank_sim::Seed;

    /// A component with a section that says nothing: another file that does the same.
    fn rebuilt(wasm: &[u8]) -> Vec<u8> {
        [wasm, &[0, 5, 1, b'x', 1, 2, 3]].concat()
    }

    /// The pack is of a wavetank whose pid0 and child were other builds. Both take the place of those of this one.
    #[test]
    fn the_guests_of_the_pack_replace_those_of_the_command() {
        let catalogue = Catalogue::of_users(Binary { package: "", folder: "" });
        let engine = engine().expect("an engine");
        let job = Job::named("pid0", Choices::default(), &catalogue, engine).expect("a scenario");
        let mut kept = SavedFailure::aborted(job.setting(Seed(1)), Seed(1), "").expect("it was drawn");
        kept.failure = "another".into();
        let mut pack = Pack::default();
        for (cell, guest) in job.run(Seed(1)).guests {
            kept.guests.insert(cell.to_string(), pack.add_guest(&rebuilt(guest.bytes())));
        }
        assert_eq!(kept.guests.len(), 2);
        let job = with_guests(job, &pack, &kept).expect("they are there");
        let run = job.run(Seed(1));
        assert_eq!(run.guests.len(), 2);
        for (cell, guest) in run.guests {
            assert_eq!(kept.guests.get(&*cell), Some(&hex(&guest.digest())), "{cell}");
        }
        kept.guests.values_mut().for_each(|sha256| sha256.replace_range(..2, "zz"));
        assert!(with_guests(job, &pack, &kept).is_err_and(|told| told.contains("is missing: get it again")));
    }
}
