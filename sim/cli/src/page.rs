//! `wavetank report`: a page about one run, and the same for other viewers.

use crate::Catalogue;
use crate::args::Report;
use crate::exit_code::DIVERGED;
use crate::files::{Target, refuse_same};
use crate::job::Job;
use crate::replay::{given, job};
use crate::saved_failures::{is_file, job_of, read};
use crate::terminal::{self, Stop};
use std::process::ExitCode;
use wavetank_choice::token::Recipe;
use wavetank_page::{html, mermaid, perfetto};
use wavetank_sim::Run;
use wavetank_sim::explain::EXPLAIN_RUNS;
use wavetank_sim::worker::report::headline;
use wavetank_sim::worker::subject::Subject;

pub(crate) fn report(args: &Report, catalogue: &Catalogue) -> Result<ExitCode, Stop> {
    let named = [
        ("--output", args.output.as_deref()),
        ("--mermaid", args.mermaid.as_deref()),
        ("--perfetto", args.perfetto.as_deref()),
    ];
    refuse_same(&named)?;
    let [output, mermaid_file, perfetto_file] =
        named.map(|(flag, path)| path.map(|path| Target::create(flag, path)).transpose());
    let (output, mermaid_file, perfetto_file) = (output?, mermaid_file?, perfetto_file?);
    let Shown { job, run, left_track } = shown(args, catalogue)?;
    // A run that is another than the token's is shown all the same, but not searched for a change that mends it.
    let page = job.page(&run, if left_track.is_none() { EXPLAIN_RUNS } else { 0 });
    let deciding = page.deciding.as_ref().map(|deciding| deciding.steps.as_slice()).unwrap_or_default();
    if let Some(file) = output {
        file.write(|file| file.write_all(html(&page).as_bytes()))?;
    }
    if let Some(file) = mermaid_file {
        file.write(|file| file.write_all(mermaid(&page.runs[0], deciding).as_bytes()))?;
    }
    if let Some(file) = perfetto_file {
        file.write(|file| file.write_all(&perfetto(&page.runs[0])))?;
    }
    terminal::note(format_args!("{}\n", headline(&job, &run)));
    for (flag, path) in named {
        if let Some(path) = path {
            terminal::note(format_args!("  {}: {}\n", flag.trim_start_matches('-'), path.display()));
        }
    }
    match left_track {
        Some(why) => {
            terminal::warn(format_args!("diverged: {why}"));
            Ok(ExitCode::from(DIVERGED))
        }
        None => Ok(ExitCode::SUCCESS),
    }
}

/// The run that a page is about.
struct Shown {
    job: Job,
    run: Run,
    /// Why it is another run than the one that was named.
    left_track: Option<String>,
}

fn shown(args: &Report, catalogue: &Catalogue) -> Result<Shown, String> {
    if is_file(&args.token) {
        let kept = read(&args.token)?;
        let (job, _) = job_of(&args.token, &kept, &args.own, catalogue)?;
        job.refuse_driven("report")?;
        let again = job.retry(&kept).map_err(|e| format!("{}: {e}", args.token))?;
        return Ok(Shown { job, run: again.run, left_track: again.left_track });
    }
    let token = given(&args.token)?;
    let job = job(&args.own, &token, catalogue)?;
    job.refuse_driven("report")?;
    let run = job.run(token.seed);
    let is_same = match &token.recipe {
        Recipe::Given { digest, .. } => run.transcript.digest().starts_with(digest),
        Recipe::Drawn { .. } => true,
    };
    let why = || run.left_track.clone().unwrap_or_else(|| "the transcript is another".into());
    let left_track = (!is_same).then(why);
    Ok(Shown { job, run, left_track })
}
