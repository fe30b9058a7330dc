//! The known faults of libraries still show.

use wavetank_choice::token::{Recipe, Token};
use wavetank_lab::scenario;
use wavetank_sim::{Choices, Setup, known, run};
use wavetank_tests::engine;

#[test]
fn each_token_shows_its_fault() {
    // Collects all tokens that are out of date, so that the table can be updated in one go.
    let mut stale = Vec::new();
    for known in known::all() {
        let token: Token = known.token.parse().expect("a token");
        let Recipe::Given { choices, .. } = &token.recipe else { panic!("{} holds choices", known.id) };
        let scenario = scenario::find(&token.scenario).expect("a scenario");
        // A scenario written for one fault shows it without any choice.
        assert!(scenario.name.starts_with("vats") || choices.is_empty(), "{}", known.id);
        assert!(!scenario.clean);
        let choices = Choices::try_from(token.recipe).unwrap();
        let shown = run(scenario.build, &Setup { choices, ..Setup::new(engine(), token.seed) });
        assert_eq!(shown.outcome.known(), Some(known), "{}", shown.outcome);
        // The transcript must match too, or a replay would report that it diverged.
        let token = shown.token(scenario.name).to_string();
        if token != known.token {
            stale.push(format!("{} {} {token}", known.id, known.token));
        }
    }
    assert!(stale.is_empty(), "these tokens are out of date:\n{}", stale.join("\n"));
}
