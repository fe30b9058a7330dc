//! Faults, hostile peers and measurements, for the authors of Wavetank.
//!
//! - [`scenario`]: all scenarios of this repository by name.
//! - [`bugs`]: the bug benchmark.
//! - [`vats`]: native vats that do everything lawful.
//! - [`wire`]: a hostile peer.
//! - [`targets`]: the bodies of the libFuzzer targets.
//! - [`guests`]: the built guests.

#![forbid(unsafe_code)]

pub mod bugs;
pub mod guests;
pub mod scenario;
pub mod targets;
pub mod vats;
pub mod wire;
