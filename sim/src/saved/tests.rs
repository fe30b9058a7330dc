use super::*;
use crate::check;
use crate::signature::shrink_run;
use crate::world::World;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::Rng;
use wavetank::cell::Transport;
use wavetank_choice::seed::{Purpose, below};

fn stream(seed: u64) -> ChaCha8Rng {
    Seed(seed).stream(Purpose::Choices)
}

/// Letters that have a meaning in TOML, and some that need care.
const LETTERS: [char; 14] =
    ['a', 'Z', '0', '"', '\'', '\\', '\n', '\r', '\t', '\u{7f}', '\u{85}', '#', '→', '\u{1f30a}'];

fn word(rng: &mut ChaCha8Rng) -> String {
    (0..below(rng, 12)).map(|_| LETTERS[below(rng, LETTERS.len() as u32) as usize]).collect()
}

fn words(rng: &mut ChaCha8Rng) -> Vec<String> {
    (0..below(rng, 4)).map(|_| word(rng)).collect()
}

fn digest(rng: &mut ChaCha8Rng) -> String {
    hex(&(0..16).map(|_| rng.next_u32() as u8).collect::<Vec<_>>())
}

fn file(rng: &mut ChaCha8Rng) -> InputFile {
    InputFile { path: word(rng), digest: digest(rng) }
}

fn arbitrary(rng: &mut ChaCha8Rng) -> SavedFailure {
    let seed = Seed(rng.next_u64() >> below(rng, 64));
    let marked = (0..below(rng, 30)).map(|_| (rng.next_u32() >> below(rng, 32), rng.next_u32() as u8));
    let recipe = Recipe::Given { choices: marked.collect(), digest: [7; 8] };
    let is_drawn = below(rng, 2) == 0;
    let shrunk = (below(rng, 2) == 0).then(|| Shrunk {
        choices: (0..below(rng, 5))
            .map(|_| SavedChoice { value: rng.next_u32(), check: rng.next_u32() as u8, says: word(rng) })
            .collect(),
        transcript: digest(rng),
        runs: below(rng, 500) as usize,
    });
    let source = match below(rng, 3) {
        0 => Source::BuiltIn,
        1 => Source::Check,
        _ => Source::Component {
            path: word(rng),
            inputs: ComponentInputs {
                args: words(rng),
                env: words(rng).into_iter().map(|name| (name, word(rng))).collect(),
                stdin: (below(rng, 2) == 0).then(|| file(rng)),
                transport: [None, Some(Transport::Stdio), Some(Transport::Connection)]
                    [below(rng, 3) as usize],
                serves: [Served::Host, Served::Executor, Served::None][below(rng, 3) as usize],
                expects_rpc: below(rng, 2) == 0,
                expects_exit: (below(rng, 2) == 0).then(|| below(rng, 256) as i32),
                may_close_early: below(rng, 2) == 0,
            },
        },
    };
    SavedFailure {
        setting: Setting {
            scenario: "some-scenario".into(),
            source,
            strategy: is_drawn.then_some(StrategyName::Pct(Some(3))),
            profile: is_drawn.then(|| word(rng)),
            canary: below(rng, 2) == 0,
            engine: word(rng),
            config: word(rng),
            schemas: words(rng),
            replaced: words(rng).into_iter().map(|name| ReplacedGuest { name, file: file(rng) }).collect(),
        },
        seed,
        drawn_by: word(rng),
        outcome: word(rng),
        detail: words(rng),
        failure: word(rng),
        guests: words(rng).into_iter().map(|name| (name, digest(rng))).collect(),
        shrunk,
        original: Original {
            choices: below(rng, 3_000) as usize,
            transcript: digest(rng),
            token: Token { scenario: "some-scenario".into(), seed, recipe },
        },
    }
}

#[test]
fn whatever_is_written_reads_back() {
    let mut rng = stream(1);
    for _ in 0..2_000 {
        let kept = arbitrary(&mut rng);
        let text = kept.to_string();
        assert_eq!(text.parse(), Ok(kept), "{text}");
    }
}

#[test]
fn a_file_with_any_byte_changed_or_lost_is_told() {
    let mut rng = stream(2);
    let mut texts = 0;
    for _ in 0..200 {
        let whole = arbitrary(&mut rng).to_string().into_bytes();
        for _ in 0..50 {
            let mut bytes = whole.clone();
            let at = below(&mut rng, bytes.len() as u32) as usize;
            match below(&mut rng, 4) {
                0 => bytes[at] ^= 1 << below(&mut rng, 8),
                1 => bytes.truncate(at),
                2 => bytes.insert(at, rng.next_u32() as u8),
                _ => drop(bytes.remove(at)),
            }
            let Ok(text) = String::from_utf8(bytes) else { continue };
            assert!(text.parse::<SavedFailure>().is_err(), "{text}");
            texts += 1;
        }
    }
    assert!(texts > 5_000, "{texts} of 10,000 are texts");
}

#[test]
fn arbitrary_bytes_never_panic() {
    let mut rng = stream(3);
    let mut seen = 0;
    for round in 0..20_000 {
        let mut bytes = vec![0; below(&mut rng, 200) as usize];
        rng.fill_bytes(&mut bytes);
        let text = String::from_utf8_lossy(&bytes);
        assert!(text.parse::<SavedFailure>().is_err());
        assert!(text.parse::<Token>().is_err());
        // A valid heading and checksum, so that the text itself is parsed.
        let lines: String = text.chars().filter(|_| round % 2 == 0).collect();
        let sealed = text::sealed(&format!("scenario = \"x\"\n{lines}\n"));
        assert!(matches!(sealed.parse::<SavedFailure>(), Err(SavedFailureError::Wrong(_))));
        seen += lines.len();
    }
    assert!(seen > 0);
}

#[test]
fn a_token_with_any_byte_changed_or_lost_is_told() {
    let mut rng = stream(4);
    for _ in 0..500 {
        let token = arbitrary(&mut rng).original.token.to_string().into_bytes();
        for _ in 0..20 {
            let mut bytes = token.clone();
            let at = below(&mut rng, bytes.len() as u32) as usize;
            match below(&mut rng, 3) {
                0 => bytes[at] ^= 1 << below(&mut rng, 7),
                1 => bytes.truncate(at),
                _ => bytes.insert(at, rng.next_u32() as u8 & 0x7f),
            }
            let text = String::from_utf8(bytes).expect("letters of seven bits");
            assert!(text.parse::<Token>().is_err(), "{text}");
        }
    }
}

#[test]
fn what_is_wrong_is_told_apart() {
    let whole = arbitrary(&mut stream(5)).to_string();
    let told = |text: &str| text.parse::<SavedFailure>().expect_err("it is wrong");
    assert_eq!(told(""), SavedFailureError::Foreign);
    assert_eq!(told("version = 1\nlevel = 'damage'\n"), SavedFailureError::Foreign);
    assert_eq!(
        told(&whole.replace("version = 1\n", "version = 2\n")),
        SavedFailureError::Version("2".into())
    );
    assert_eq!(told(&whole.replace("some-scenario", "another")), SavedFailureError::Edited);
    assert_eq!(told(&format!("{whole}\n")), SavedFailureError::Edited);
    assert_eq!(told(&whole[..whole.len() - 1]), SavedFailureError::Cut);
    let half: String = whole.chars().take(whole.chars().count() / 2).collect();
    assert_eq!(told(&half), SavedFailureError::Cut);
    assert_eq!(told(&whole[..whole.len() - 9]), SavedFailureError::Cut);
    assert!(matches!(told(&text::sealed("")), SavedFailureError::Wrong(_)));
}

fn drawn(world: &mut World) {
    let drawn: Vec<u32> = (0..20).map(|_| world.draw(100)).collect();
    assert!(drawn.iter().filter(|&&value| value >= 40).count() < 3, "too many are above 39");
}

/// A failure of `drawn`, shrunk.
fn a_failure() -> SavedFailure {
    let check = check("drawn", drawn);
    let run = check.run_seed(2);
    let setup = Setup { seed: Seed(2), ..Setup::new(check::engine(), Seed(2)) };
    let replay = |choices| crate::run(drawn, &Setup { choices, ..setup.clone() });
    let smaller = shrink_run(&run, 500, replay).expect("it fails again");
    let setting = Setting::of("drawn", Source::Check, &setup, false);
    SavedFailure::new(setting, &run).expect("it fails").with_shrunk(&smaller)
}

#[test]
fn a_failure_is_tried_on_its_shrunk_choices_then_on_its_own_then_on_its_seed() {
    let kept = a_failure();
    let shrunk = kept.shrunk.as_ref().expect("it was shrunk");
    let values: Vec<u32> = shrunk.choices.iter().map(|choice| choice.value).collect();
    assert_eq!(values, [40, 40, 40]);
    assert_eq!(shrunk.choices[0].says, "what the scenario draws");
    let tries = |scenario: fn(&mut World)| {
        let count = std::cell::Cell::new(0);
        let replay = |choices| {
            count.set(count.get() + 1);
            crate::run(scenario, &Setup { choices, ..Setup::new(check::engine(), kept.seed) })
        };
        let again = retry(&kept, &kept.setting, replay).expect("no profile of a file");
        (again.verdict, count.get(), again.to_string())
    };
    let outcome = "panicked: too many are above 39".to_string();
    assert_eq!(tries(drawn), (RetryVerdict::StillFails, 1, format!("still fails: {outcome}")));
    // Three draws of 40 now pass, but the draws of the seed do not.
    let half_mended = |world: &mut World| {
        let drawn: Vec<u32> = (0..20).map(|_| world.draw(100)).collect();
        assert!(drawn.iter().filter(|&&value| value >= 41).count() < 3, "too many are above 39");
    };
    assert_eq!(tries(half_mended), (RetryVerdict::StillFails, 2, format!("still fails: {outcome}")));
    let mended = |world: &mut World| drop((0..20).map(|_| world.draw(100)).collect::<Vec<_>>());
    let (verdict, count, says) = tries(mended);
    assert_eq!((verdict, count, &*says), (RetryVerdict::Fixed, 3, "mended"));
    let otherwise = |_: &mut World| panic!("something else");
    let says = "fails in another way now: panicked: something else".to_string();
    assert_eq!(tries(otherwise), (RetryVerdict::FailsOtherwise, 3, says));
}

#[test]
fn what_changed_since_is_told() {
    let kept = a_failure();
    let now = Setting { engine: "wasmtime 1, pulley, pooling".into(), ..kept.setting.clone() };
    let replay = |choices| crate::run(drawn, &Setup { choices, ..Setup::new(check::engine(), kept.seed) });
    let again = retry(&kept, &now, replay).expect("no profile of a file");
    assert_eq!(again.verdict, RetryVerdict::StillFails);
    let [changed] = &again.changed[..] else { panic!("one thing changed: {:?}", again.changed) };
    assert!(changed.ends_with("is wasmtime 1, pulley, pooling now: tried all the same"), "{changed}");
}

#[test]
fn the_name_of_a_file_follows_the_failure_and_says_its_scenario() {
    let name =
        |scenario: &str, seed, failure: &str| file_name(scenario, &Source::BuiltIn, Seed(seed), failure);
    let of = |name: &str| scenario_of(std::path::Path::new(name)).map(String::from);
    assert_eq!(name("echo", 0x9f3a, "stalled: a"), name("echo", 0x9f3a, "stalled: a"));
    assert_ne!(name("echo", 7, "stalled: a"), name("echo", 7, "stalled: b"));
    assert!(name("echo", 0x9f3a, "stalled: a").starts_with("echo-9f3a-"));
    assert_eq!(of(&name("pid0-streams", 7, "stalled: a")).as_deref(), Some("pid0-streams"));
    let odd = name("../etc/pass\nwd", 7, "x");
    assert!(odd.starts_with("___etc_pass_wd-7-"), "{odd}");
    assert_ne!(odd, name("../etc/pass_wd", 7, "x"));
    assert_eq!(of("Cargo.toml"), None);
}
