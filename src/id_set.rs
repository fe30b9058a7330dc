//! Sets of ids that remember what came and went.

use roaring::RoaringBitmap;

/// The most changes that a set remembers. A driver that takes them after each move never comes near.
const MAX_CHANGES: usize = 4096;

/// A set of ids that remembers which ids came or went since somebody last asked. So a driver that keeps its own view of
/// the set need not compare the whole of it.
#[derive(Clone, Debug, Default)]
pub struct IdSet {
    ids: RoaringBitmap,
    changes: Vec<u32>,
    /// Whether there were more changes than it remembers.
    has_forgotten: bool,
}

impl IdSet {
    /// Adds an id. Returns whether it was not there.
    pub fn insert(&mut self, id: u32) -> bool {
        let is_new = self.ids.insert(id);
        if is_new {
            self.note(id);
        }
        is_new
    }

    /// Removes an id. Returns whether it was there.
    pub fn remove(&mut self, id: u32) -> bool {
        let was_there = self.ids.remove(id);
        if was_there {
            self.note(id);
        }
        was_there
    }

    /// Adds an id or removes it.
    pub fn set(&mut self, id: u32, is_member: bool) {
        if is_member {
            self.insert(id);
        } else {
            self.remove(id);
        }
    }

    fn note(&mut self, id: u32) {
        if self.changes.len() < MAX_CHANGES {
            self.changes.push(id);
        } else {
            self.has_forgotten = true;
        }
    }

    /// The ids.
    pub fn ids(&self) -> &RoaringBitmap {
        &self.ids
    }

    /// Whether an id is in it.
    pub fn contains(&self, id: u32) -> bool {
        self.ids.contains(id)
    }

    /// Whether there is no id in it.
    pub fn is_empty(&self) -> bool {
        self.ids.is_empty()
    }

    /// Removes all ids.
    pub fn clear(&mut self) {
        self.ids.clear();
        self.changes.clear();
        self.has_forgotten = true;
    }

    /// Tells `each` the ids that came or went since the last call, in that order. An id may come several times, and may be
    /// back where it was. Returns whether these are all changes; if not, only a look at the whole set helps.
    pub fn take_changes(&mut self, mut each: impl FnMut(u32)) -> bool {
        self.changes.drain(..).for_each(&mut each);
        !std::mem::take(&mut self.has_forgotten)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(set: &mut IdSet) -> (Vec<u32>, bool) {
        let mut changes = Vec::new();
        let is_all = set.take_changes(|id| changes.push(id));
        (changes, is_all)
    }

    #[test]
    fn what_came_and_went_is_told_once() {
        let mut set = IdSet::default();
        assert!(set.insert(3) && !set.insert(3) && set.insert(5) && set.remove(3) && !set.remove(3));
        set.set(5, true);
        assert_eq!(taken(&mut set), (vec![3, 5, 3], true));
        assert_eq!(taken(&mut set), (vec![], true));
        assert_eq!(set.ids().iter().collect::<Vec<_>>(), [5]);
    }

    #[test]
    fn a_set_that_nobody_asks_forgets_and_says_so() {
        let mut set = IdSet::default();
        for id in 0..=MAX_CHANGES as u32 {
            set.insert(id);
        }
        let (changes, is_all) = taken(&mut set);
        assert_eq!((changes.len(), is_all), (MAX_CHANGES, false));
        set.clear();
        assert_eq!(taken(&mut set), (vec![], false));
        assert_eq!(taken(&mut set), (vec![], true));
    }
}
