//! All that a test of a guest or a server usually needs: `use wavetank_sim::prelude::*`.
//!
//! ```
//! use wavetank_sim::prelude::*;
//!
//! fn work(world: &mut World) {
//!     let (clock, dice) = (world.clock(), world.dice());
//!     world.task("work", async move {
//!         if dice.chance("the cache is cold", 1, 4).await {
//!             clock.sleep(Duration::from_millis(200)).await;
//!         }
//!     });
//! }
//!
//! check("work", work).seeds(0..20).profile(Profile::harsh()).run();
//! ```

pub use crate::assert_transcript;
pub use crate::check::check;
pub use crate::oracle::Oracle;
pub use crate::outcome::Outcome;
pub use crate::run::Run;
pub use crate::snapshot::View;
pub use crate::world::{CellHandle, Dice, Script, Tasks, World, peer, yield_now};
pub use std::time::Duration;
pub use wavetank::cell::{Limits, Transport};
pub use wavetank::{ActorId, Clock, Elapsed, Io, IoError};
pub use wavetank_choice::{Profile, Seed, StrategyName};
pub use wavetank_trace::Schema;
