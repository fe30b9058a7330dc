//! Tokens: one printable word that replays a run.
//!
//! The format is `wt1.SCENARIO.SEED.PAYLOAD`. The payload is base64 of a [`Recipe`] and of a checksum of everything
//! before it.

use crate::choice::Choice;
use crate::seed::Seed;
use crate::strategy::StrategyName;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use miniz_oxide::deflate::compress_to_vec;
use miniz_oxide::inflate::decompress_to_vec_with_limit;
use sha2::{Digest, Sha256};
use std::fmt;
use std::str::FromStr;

/// The version of this format and of the meaning of choices.
const PREFIX: &str = "wt1";

/// More bytes than the unpacked choices of any run take: a bound against hostile tokens.
const MAX_PLAIN_BYTES: usize = 4_000_000;

/// The highest level of deflate, because people paste tokens by hand.
const COMPRESSION: u8 = 10;

const CHECKSUM_BYTES: usize = 4;

/// The data that replays a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token {
    /// The scenario's name.
    pub scenario: String,
    /// The seed: hash keys and guests' random bytes follow it.
    pub seed: Seed,
    /// The source of the choices.
    pub recipe: Recipe,
}

/// The source of the choices of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Recipe {
    /// Given choices, with the transcript that they made.
    Given {
        /// The choices, each with the fingerprint of its meaning.
        choices: CheckedChoices,
        /// The first bytes of the transcript's digest.
        digest: [u8; 8],
    },
    /// Choices that must be drawn again. Only this is known of a run whose process died.
    Drawn {
        /// The strategy.
        strategy: StrategyName,
        /// The profile: its name, or the path of its file.
        profile: String,
    },
}

/// Choices, each with the fingerprint of its meaning.
pub type CheckedChoices = Vec<(u32, u8)>;

/// Why a text is not a token.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TokenError {
    /// It does not look like a token.
    #[error("not a token: a token begins with {PREFIX}. and is printed after `replay:`")]
    NotAToken,
    /// Another version made it.
    #[error(
        "this token is of version {0}; this wavetank reads {PREFIX}: replay it with the wavetank that printed it"
    )]
    Version(String),
    /// A part of it was lost or changed.
    #[error("this token is damaged: copy it whole, from {PREFIX} to its end")]
    Damaged,
}

impl Token {
    /// The token of a run.
    pub fn of_run(scenario: &str, seed: Seed, choices: &[Choice], digest: [u8; 16]) -> Self {
        let choices = choices.iter().map(|choice| (choice.value, choice.of.check())).collect();
        let digest = *digest.first_chunk().expect("16 bytes begin with 8");
        Token { scenario: scenario.into(), seed, recipe: Recipe::Given { choices, digest } }
    }
}

const GIVEN: u8 = 0;
const DRAWN: u8 = 1;

impl Recipe {
    fn to_bytes(&self) -> Vec<u8> {
        match self {
            Recipe::Given { choices, digest } => {
                let mut plain = Vec::new();
                push_number(&mut plain, choices.len() as u32);
                for &(value, _) in choices {
                    push_number(&mut plain, value);
                }
                plain.extend(choices.iter().map(|(_, check)| check));
                let mut bytes = vec![GIVEN];
                bytes.extend(digest);
                bytes.extend(compress_to_vec(&plain, COMPRESSION));
                bytes
            }
            Recipe::Drawn { strategy, profile } => {
                let mut bytes = vec![DRAWN];
                bytes.extend(format!("{strategy} {profile}").bytes());
                bytes
            }
        }
    }

    fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (&kind, rest) = bytes.split_first()?;
        match kind {
            GIVEN => {
                let (&digest, rest) = rest.split_first_chunk::<8>()?;
                Some(Recipe::Given { choices: marked(rest)?, digest })
            }
            DRAWN => {
                let (strategy, profile) = std::str::from_utf8(rest).ok()?.split_once(' ')?;
                Some(Recipe::Drawn { strategy: strategy.parse().ok()?, profile: profile.into() })
            }
            _ => None,
        }
    }
}

fn marked(packed: &[u8]) -> Option<CheckedChoices> {
    let plain = decompress_to_vec_with_limit(packed, MAX_PLAIN_BYTES).ok()?;
    let mut rest = &plain[..];
    let len = take_number(&mut rest)? as usize;
    // Each choice takes at least two bytes, so this bounds the memory to allocate.
    if len > rest.len() / 2 {
        return None;
    }
    let values: Option<Vec<u32>> = (0..len).map(|_| take_number(&mut rest)).collect();
    if rest.len() != len {
        return None;
    }
    Some(values?.into_iter().zip(rest.iter().copied()).collect())
}

fn checksum(head: &str, payload: &[u8]) -> [u8; CHECKSUM_BYTES] {
    let sum = Sha256::new().chain_update(head).chain_update(payload).finalize();
    sum[..CHECKSUM_BYTES].try_into().expect("a digest has 32 bytes")
}

/// Appends a number in LEB128: seven bits per byte, the lowest first.
fn push_number(bytes: &mut Vec<u8>, mut number: u32) {
    while number >= 0x80 {
        bytes.push(number as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
}

fn take_number(bytes: &mut &[u8]) -> Option<u32> {
    let mut number: u32 = 0;
    for shift in (0..32).step_by(7) {
        let (&byte, rest) = bytes.split_first()?;
        *bytes = rest;
        let bits = u32::from(byte & 0x7f);
        if shift == 28 && bits > 0xf {
            return None;
        }
        number |= bits << shift;
        if byte < 0x80 {
            return Some(number);
        }
    }
    None
}

impl fmt::Display for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let head = format!("{PREFIX}.{}.{}", self.scenario, self.seed);
        let mut payload = self.recipe.to_bytes();
        payload.extend(checksum(&head, &payload));
        write!(f, "{head}.{}", BASE64.encode(payload))
    }
}

impl FromStr for Token {
    type Err = TokenError;

    fn from_str(text: &str) -> Result<Self, TokenError> {
        let version = text.split('.').next().unwrap_or_default();
        if version != PREFIX {
            let is_number = |n: &str| !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit());
            let other = version.strip_prefix("wt").is_some_and(is_number);
            return Err(if other { TokenError::Version(version.into()) } else { TokenError::NotAToken });
        }
        let (head, payload) = text.rsplit_once('.').ok_or(TokenError::Damaged)?;
        let mut parts = head.split('.').skip(1);
        let (Some(scenario), Some(seed), None) = (parts.next(), parts.next(), parts.next()) else {
            return Err(TokenError::Damaged);
        };
        let seed = seed.parse().map_err(|_| TokenError::Damaged)?;
        let bytes = BASE64.decode(payload).map_err(|_| TokenError::Damaged)?;
        let (payload, sum) = bytes.split_last_chunk::<CHECKSUM_BYTES>().ok_or(TokenError::Damaged)?;
        if *sum != checksum(head, payload) {
            return Err(TokenError::Damaged);
        }
        let recipe = Recipe::from_bytes(payload).ok_or(TokenError::Damaged)?;
        Ok(Token { scenario: scenario.into(), seed, recipe })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand_chacha::rand_core::Rng;

    fn token(values: &[u32]) -> Token {
        let choices = values.iter().map(|&value| (value, value as u8)).collect();
        let recipe = Recipe::Given { choices, digest: [3; 8] };
        Token { scenario: "pid0".into(), seed: Seed(7), recipe }
    }

    #[test]
    fn what_is_printed_reads_back() {
        for values in [&[][..], &[0, 0, 5], &[1], &[u32::MAX, 0, 0, 127, 128, 0, 9]] {
            let token = token(values);
            assert_eq!(token.to_string().parse(), Ok(token));
        }
        let recipe = Recipe::Drawn { strategy: StrategyName::RoundRobin, profile: "calm".into() };
        let drawn = Token { recipe, ..token(&[]) };
        assert_eq!(drawn.to_string().parse(), Ok(drawn));
    }

    #[test]
    fn every_changed_letter_and_every_missing_end_is_told() {
        let whole = token(&[0, 4, 0, 300]).to_string();
        for at in 0..whole.len() {
            let mut changed = whole.clone().into_bytes();
            changed[at] = if changed[at] == b'A' { b'B' } else { b'A' };
            let changed = String::from_utf8(changed).unwrap();
            assert!(changed.parse::<Token>().is_err(), "{changed}");
            assert!(whole[..at].parse::<Token>().is_err(), "{}", &whole[..at]);
        }
    }

    #[test]
    fn other_versions_and_other_texts_are_told_apart() {
        assert_eq!("wt2.pid0.7.AAAA".parse::<Token>(), Err(TokenError::Version("wt2".into())));
        assert_eq!("pid0".parse::<Token>(), Err(TokenError::NotAToken));
        assert_eq!("".parse::<Token>(), Err(TokenError::NotAToken));
        assert_eq!("wt1.pid0.7".parse::<Token>(), Err(TokenError::Damaged));
    }

    #[test]
    fn arbitrary_payloads_never_panic() {
        let mut rng = Seed(1).stream(crate::seed::Purpose::Choices);
        let mut read = [0; 2];
        for round in 0..10_000 {
            let mut noise = vec![0; rng.next_u32() as usize % 40];
            rng.fill_bytes(&mut noise);
            let mut bytes = vec![(round % 3) as u8];
            if round % 2 == 0 {
                bytes.extend(noise);
            } else {
                // Valid down to the numbers, of which a few are long.
                let mut plain = vec![noise.len() as u8 / 2];
                plain.extend(noise.iter().map(|byte| if byte % 8 == 0 { *byte } else { byte & 0x7f }));
                bytes.extend([7; 8]);
                bytes.extend(compress_to_vec(&plain, COMPRESSION));
            }
            let recipe = Recipe::from_bytes(&bytes);
            let sum = checksum("wt1.x.1", &bytes);
            bytes.extend(sum);
            let token = format!("wt1.x.1.{}", BASE64.encode(&bytes)).parse::<Token>();
            assert_eq!(token.is_ok(), recipe.is_some());
            read[usize::from(token.is_ok())] += 1;
        }
        assert!(read.iter().all(|count| *count > 100), "both kinds of payload were met: {read:?}");
    }
}
