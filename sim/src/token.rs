//! Tokens: a run as one printable word that replays it.
//!
//! `wt1.SCENARIO.SEED.PAYLOAD`, where the payload is base64 of the choices, each with a fingerprint of what it
//! meant, the start of the transcript's digest, and a checksum of everything before.

use crate::choice::Choice;
use crate::seed::Seed;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use sha2::{Digest, Sha256};
use std::fmt;
use std::str::FromStr;

/// Choices, each with the fingerprint of what it meant.
type Marked = Vec<(u32, u8)>;

const PREFIX: &str = "wt1";

/// More choices than any run has: a bound for readers of hostile tokens.
const MAX_CHOICES: usize = 1_000_000;

const CHECKSUM_BYTES: usize = 4;

/// What replays a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token {
    /// The scenario's name.
    pub scenario: String,
    /// The seed: hash keys and guests' random bytes follow it.
    pub seed: Seed,
    /// The choices, each with the fingerprint of what it meant.
    pub choices: Vec<(u32, u8)>,
    /// The first bytes of the transcript's digest.
    pub digest: [u8; 8],
}

/// Why a text is no token.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TokenError {
    /// It does not look like one.
    #[error("not a token: a token begins with {PREFIX}. and is printed after `replay:`")]
    NotAToken,
    /// It was made by another version.
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
    pub fn new(scenario: &str, seed: Seed, choices: &[Choice], digest: &[u8; 32]) -> Self {
        let choices = choices.iter().map(|choice| (choice.value, choice.of.check())).collect();
        let digest = digest[..8].try_into().expect("a digest has 32 bytes");
        Token { scenario: scenario.into(), seed, choices, digest }
    }

    fn payload(&self) -> Vec<u8> {
        let mut bytes = self.digest.to_vec();
        push_number(&mut bytes, self.choices.len() as u32);
        // Most choices are 0: runs of them, then the one that ends the run.
        let mut zeros = 0;
        for &(value, _) in &self.choices {
            if value == 0 {
                zeros += 1;
                continue;
            }
            push_number(&mut bytes, zeros);
            push_number(&mut bytes, value);
            zeros = 0;
        }
        bytes.extend(self.choices.iter().map(|(_, check)| check));
        bytes
    }

    /// The digest and the choices.
    fn from_payload(bytes: &[u8]) -> Option<([u8; 8], Marked)> {
        let (digest, mut rest) = bytes.split_first_chunk::<8>()?;
        let len = take_number(&mut rest)? as usize;
        if len > MAX_CHOICES || len > rest.len() {
            return None;
        }
        let (mut packed, checks) = rest.split_at(rest.len() - len);
        let mut values = Vec::with_capacity(len);
        while !packed.is_empty() {
            let zeros = take_number(&mut packed)? as usize;
            let value = take_number(&mut packed)?;
            if value == 0 || values.len() + zeros >= len {
                return None;
            }
            values.resize(values.len() + zeros, 0);
            values.push(value);
        }
        values.resize(len, 0);
        Some((*digest, values.into_iter().zip(checks.iter().copied()).collect()))
    }
}

fn checksum(head: &str, payload: &[u8]) -> [u8; CHECKSUM_BYTES] {
    let sum = Sha256::new().chain_update(head).chain_update(payload).finalize();
    sum[..CHECKSUM_BYTES].try_into().expect("a digest has 32 bytes")
}

/// LEB128: seven bits a byte, the lowest first.
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
        let mut payload = self.payload();
        payload.extend(checksum(&head, &payload));
        write!(f, "{head}.{}", BASE64.encode(payload))
    }
}

impl FromStr for Token {
    type Err = TokenError;

    fn from_str(text: &str) -> Result<Self, TokenError> {
        let version = text.split('.').next().unwrap_or_default();
        if version != PREFIX {
            let number =
                version.strip_prefix("wt").filter(|n| !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit()));
            return Err(number.map_or(TokenError::NotAToken, |_| TokenError::Version(version.into())));
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
        let (digest, choices) = Token::from_payload(payload).ok_or(TokenError::Damaged)?;
        Ok(Token { scenario: scenario.into(), seed, choices, digest })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand_chacha::rand_core::Rng;

    fn token(values: &[u32]) -> Token {
        let choices = values.iter().map(|&value| (value, value as u8)).collect();
        Token { scenario: "pid0".into(), seed: Seed(7), choices, digest: [3; 8] }
    }

    #[test]
    fn what_is_printed_reads_back() {
        for values in [&[][..], &[0, 0, 5], &[1], &[u32::MAX, 0, 0, 127, 128, 0, 9]] {
            let token = token(values);
            assert_eq!(token.to_string().parse(), Ok(token));
        }
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
        for _ in 0..10_000 {
            let mut bytes = vec![0; rng.next_u32() as usize % 40];
            rng.fill_bytes(&mut bytes);
            let _ = Token::from_payload(&bytes);
            let sum = checksum("wt1.x.1", &bytes);
            bytes.extend(sum);
            let _ = format!("wt1.x.1.{}", BASE64.encode(&bytes)).parse::<Token>();
        }
    }
}
