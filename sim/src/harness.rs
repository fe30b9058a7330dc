//! A harness: a scenario under one setup, to be run under any seed and any choices.
//!
//! Checks, sweeps, fuzzing and the bug benchmark all run worlds through a harness. It surveys the scenario once, if a
//! strategy needs that, and compares runs if it is asked to. Not here: which seeds to run, and the report.

use crate::canary::run_compared;
use crate::explain::{Explanation, explain, explain_beside};
use crate::explore::run_next;
use crate::oracle::{Blame, Finding, Oracle};
use crate::outcome::Outcome;
use crate::page::{Subject, page};
use crate::panics::{Caught, catch};
use crate::run::{Choices, Run, Setup, run, run_under, survey};
use crate::signature::{ShrunkRun, shrink_run};
use crate::world::World;
use std::sync::{Arc, OnceLock};
use wavetank::Engine;
use wavetank_choice::Seed;
use wavetank_choice::strategy::{Frontier, Strategy, Survey};
use wavetank_page::model::Page;

/// The user's assertions about every run that finished.
struct EachRun {
    /// The name of the check.
    name: String,
    look: Box<dyn Fn(&Run) + Sync>,
}

/// A scenario under one setup. The setup's seed is replaced for each run.
pub struct Harness<F> {
    scenario: F,
    base: Setup,
    is_comparing: bool,
    each: Option<EachRun>,
    /// Made for the first run that needs it.
    survey: OnceLock<Arc<Survey>>,
}

impl<F: Fn(&mut World) + Sync> Harness<F> {
    /// A harness that runs a scenario under this setup.
    ///
    /// ```
    /// use wavetank_sim::check::engine;
    /// use wavetank_sim::harness::Harness;
    /// use wavetank_sim::{Seed, Setup, guests, peer};
    ///
    /// let harness = Harness::new(
    ///     |world| {
    ///         world.cell("pid0", guests::PID0).serve(peer::host(world)).spawn().expect_exit(0);
    ///     },
    ///     Setup::new(engine(), Seed(0)),
    /// );
    /// assert!((0..5).all(|seed| harness.run(Seed(seed)).outcome.is_finished()));
    /// ```
    pub fn new(scenario: F, base: Setup) -> Self {
        Harness { scenario, base, is_comparing: false, each: None, survey: OnceLock::new() }
    }

    /// The same harness, which repeats each run and compares the two if `is_comparing`:
    /// [`canary`](crate::canary). Replays are not compared.
    #[must_use]
    pub fn comparing(self, is_comparing: bool) -> Self {
        Harness { is_comparing, ..self }
    }

    /// The same harness, which looks at every run that finished. If an assertion fails there, the run is violated. `name`
    /// is the name of the check in reports.
    #[must_use]
    pub fn each(self, name: &str, look: impl Fn(&Run) + Sync + 'static) -> Self {
        Harness { each: Some(EachRun { name: name.into(), look: Box::new(look) }), ..self }
    }

    /// The same harness over another form of the same scenario.
    #[must_use]
    pub fn map<G>(self, scenario: impl FnOnce(F) -> G) -> Harness<G> {
        let Harness { scenario: body, base, is_comparing, each, survey } = self;
        Harness { scenario: scenario(body), base, is_comparing, each, survey }
    }

    /// The same harness on another engine.
    #[must_use]
    pub fn on(self, engine: Arc<Engine>) -> Self {
        Harness { base: Setup { engine, ..self.base }, ..self }
    }

    /// The setup of all runs, to be changed before the first.
    pub fn base_mut(&mut self) -> &mut Setup {
        &mut self.base
    }

    /// The engine.
    pub fn engine(&self) -> &Arc<Engine> {
        &self.base.engine
    }

    /// The source of the choices of [`run`](Self::run).
    pub fn choices(&self) -> &Choices {
        &self.base.choices
    }

    /// Whether runs are repeated and compared.
    pub fn is_comparing(&self) -> bool {
        self.is_comparing
    }

    /// The setup of a run under this seed.
    pub fn setup(&self, seed: Seed) -> Setup {
        Setup { seed, ..self.base.clone() }
    }

    /// Runs the scenario under a seed.
    pub fn run(&self, seed: Seed) -> Run {
        self.run_with(seed, self.base.choices.clone(), self.is_comparing)
    }

    /// Runs the scenario once under a seed with other choices.
    pub fn replay(&self, seed: Seed, choices: Choices) -> Run {
        self.run_with(seed, choices, false)
    }

    /// Runs the scenario under a seed with other choices, and repeats and compares the run if `compares`.
    pub fn run_with(&self, seed: Seed, choices: Choices, compares: bool) -> Run {
        let setup = Setup { choices, ..self.setup(seed) };
        let survey = setup.choices.needs_survey(seed).then(|| self.surveyed(&setup));
        let setup = Setup { survey: survey.or(setup.survey.clone()), ..setup };
        let run = if compares { run_compared(&self.scenario, &setup) } else { run(&self.scenario, &setup) };
        self.looked_at(run)
    }

    /// The run after the user's assertions.
    fn looked_at(&self, mut run: Run) -> Run {
        let each = self.each.as_ref().filter(|_| !run.facts.without.contains_key(&Oracle::Each));
        if let (Some(EachRun { name, look }), true) = (each, run.outcome.is_finished())
            && let Err(Caught { message: what, at, .. }) = catch(|| look(&run))
        {
            run.outcome = Outcome::Violated(Finding {
                oracle: Oracle::Each,
                who: name.clone(),
                blame: Blame::Scenario("what it asserts of each run does not hold".into()),
                what,
                detail: vec![format!("at {at}")],
            });
        }
        run
    }

    fn surveyed(&self, setup: &Setup) -> Arc<Survey> {
        self.survey.get_or_init(|| Arc::new(survey(&self.scenario, setup))).clone()
    }

    /// Runs the scenario under a seed until a step, to look at its world there.
    pub fn run_until(&self, seed: Seed, step: u64) -> Run {
        run(&self.scenario, &Setup { until: Some(step), ..self.setup(seed) })
    }

    /// Runs the next schedule of an exhaustive search; `None` if all have been run.
    pub fn run_next(&self, frontier: &mut Frontier, seed: Seed) -> Option<Run> {
        run_next(frontier, &self.scenario, &self.setup(seed)).map(|run| self.looked_at(run))
    }

    /// Runs the scenario under a seed and a strategy of the caller's own.
    pub fn run_under(&self, seed: Seed, strategy: &(dyn Fn() -> Box<dyn Strategy> + Sync)) -> Run {
        self.looked_at(run_under(&self.scenario, &self.setup(seed), "explained", strategy))
    }

    /// Explains a failure, with at most `budget_runs` runs.
    pub fn explain(&self, run: &Run, budget_runs: usize) -> Explanation {
        explain(run, budget_runs, &|strategy| self.run_under(run.seed, strategy))
    }

    /// The same, and the run with the deciding change, which passes.
    pub fn explain_beside(&self, run: &Run, budget_runs: usize) -> (Explanation, Option<Run>) {
        explain_beside(run, budget_runs, &|strategy| self.run_under(run.seed, strategy))
    }

    /// Repeats a run by its own choices and films it: [`Run::film`].
    pub fn filmed(&self, run: &Run) -> Run {
        let given = run.choices.iter().map(|choice| (choice.value, Some(choice.of.check())));
        let setup = Setup { choices: Choices::Given(given.collect()), films: true, ..self.setup(run.seed) };
        self.looked_at(crate::run::run(&self.scenario, &setup))
    }

    /// The data of a page about a run, with the run beside it that passes. Finds that with at most `budget_runs` runs,
    /// and repeats both to film them.
    pub fn page(&self, run: &Run, title: &str, replay: Option<String>, budget_runs: usize) -> Page {
        let (explanation, passing) = self.explain_beside(run, budget_runs);
        let filmed = |run: &Run| {
            let again = self.filmed(run);
            let is_same = again.transcript.digest() == run.transcript.digest();
            if is_same { Run { film: again.film, ..run.clone() } } else { run.clone() }
        };
        let passing = passing.as_ref().map(filmed);
        let (run, passing) = (&filmed(run), passing.as_ref());
        page(&Subject { title, run, explanation: &explanation, passing, replay })
    }

    /// Makes a failing run smaller, with at most `budget_runs` runs; `None` if its choices do not make it fail again.
    pub fn shrink(&self, run: &Run, budget_runs: usize) -> Option<ShrunkRun> {
        shrink_run(run, budget_runs, |choices| self.replay(run.seed, choices))
    }
}
