//! H13: tasks that wait for a connection, which breaks.

use super::{Echo, echo, linked};
use crate::bugs::Way::{self, Buggy};
use crate::bugs::{steps, task};
use capnp_rpc::new_client;
use futures::channel::oneshot;
use std::collections::{BTreeMap, HashMap};
use std::hash::{BuildHasher, DefaultHasher, Hasher};
use std::sync::atomic::{AtomicU64, Ordering};
use wavetank::schema::peer_capnp::executor;
use wavetank_sim::world::World;

const WAITERS: u32 = 8;

type Waiter = oneshot::Sender<()>;

/// The connection wakes its waiters in the order of a hash map, and each makes a new call. Mended: in the order of
/// their numbers.
pub(in crate::bugs) fn hashed_waiters(world: &mut World, way: Way) {
    let served: executor::Client = new_client(Echo);
    let (peer, caller) = linked::<executor::Client>(world, served.client);
    let mut waiting = Vec::new();
    for number in 0..WAITERS {
        let (wake, woken) = oneshot::channel();
        waiting.push((number, wake));
        let peer = peer.clone();
        world.task_of(caller, &format!("waiter {number}"), async move {
            let _ = woken.await;
            echo(&peer, &format!("here is {number}")).await.expect("an answer");
        });
    }
    let waiters: Box<dyn Iterator<Item = Waiter>> = match way {
        Buggy => Box::new(waiting.into_iter().collect::<HashMap<_, _, Keyed>>().into_values()),
        Way::Mended => Box::new(waiting.into_iter().collect::<BTreeMap<_, _>>().into_values()),
    };
    task(world, "connection", async move {
        steps(3).await;
        for waiter in waiters {
            let _ = waiter.send(());
        }
    });
}

/// Hash keys that do not come from std, so that the seed does not set them: a counter of the process, so each run has
/// other keys.
struct Keyed(u64);

impl Default for Keyed {
    fn default() -> Self {
        static MADE: AtomicU64 = AtomicU64::new(0);
        Keyed(MADE.fetch_add(1, Ordering::Relaxed))
    }
}

impl BuildHasher for Keyed {
    type Hasher = DefaultHasher;

    fn build_hasher(&self) -> DefaultHasher {
        let mut hasher = DefaultHasher::new();
        hasher.write_u64(self.0);
        hasher
    }
}
