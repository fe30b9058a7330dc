//! Every schedule within a bound, one after the other.
//!
//! Not here: weather. Worlds are still, pipes are free and pieces are whole. Only the order of moves is varied, and the
//! numbers that a scenario draws for itself.

use super::{Request, Strategy};
use crate::choice::Meaning;
use crate::menu::{Item, Menu};
use crate::moves::Lane;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// How far schedules may deviate from the plainest one. `None` means without a bound.
///
/// A *preemption* takes the turn from a lane that could go on (context bounding: Musuvathi, Qadeer, PLDI 2007). A
/// *delay* passes over the move whose turn it is: item k costs k (Emmi, Qadeer, Rakamarić, POPL 2011). The calm policy
/// decides whose turn it is. If preemptions are bounded too, the lane that moved last comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bound {
    /// The most preemptions in one schedule.
    pub preemptions: Option<u32>,
    /// The most delays in one schedule.
    pub delays: Option<u32>,
}

impl Default for Bound {
    /// Two preemptions, because most bugs that were found by counting preemptions needed no more (ibid.).
    fn default() -> Self {
        Bound { preemptions: Some(2), delays: None }
    }
}

impl fmt::Display for Bound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let many = |count: u32, what: &str| format!("{count} {what}{}", if count == 1 { "" } else { "s" });
        let preemptions = self.preemptions.map(|count| many(count, "preemption"));
        let delays = self.delays.map(|count| many(count, "delay"));
        match (preemptions, delays) {
            (Some(one), Some(other)) => write!(f, "with at most {one} and {other}"),
            (Some(one), None) | (None, Some(one)) => write!(f, "with at most {one}"),
            (None, None) => f.write_str("without a bound"),
        }
    }
}

/// The result of a search.
#[derive(Clone, Copy, Debug)]
pub struct Explored {
    /// The bound of the search.
    pub bound: Bound,
    /// Schedules that were run. No two were the same.
    pub schedules: u64,
    /// Whether these are all schedules within the bound.
    pub complete: bool,
}

impl Explored {
    /// Describes the result, for example as "all 1,284 schedules of `x` with at most 2 preemptions".
    pub fn says(&self, scenario: &str) -> String {
        let (all, not_all) = if self.complete { ("all ", "") } else { ("", ", not all") };
        let plural = if self.schedules == 1 { "" } else { "s" };
        let many = thousands(self.schedules);
        format!("{all}{many} schedule{plural} of `{scenario}` {}{not_all}", self.bound)
    }
}

fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A depth-first search through the schedules of a scenario.
///
/// Each run follows the path of the last one up to the deepest point at which an option is untried, and takes the next
/// option there. Then it goes on in the cheapest way: with the lane that moved last if preemptions are bounded, and
/// with item 0 otherwise.
pub struct Frontier {
    search: Arc<Mutex<Search>>,
}

struct Search {
    bound: Bound,
    /// The points of the path, each with its options.
    way: Vec<Point>,
    /// How many points of the path the current run has reached.
    reached: usize,
    schedules: u64,
    over: bool,
    /// Whether some run was too long to be searched to its end.
    cut: bool,
    /// Whether some run left the path of the run before it.
    strayed: bool,
}

/// One choice of a schedule.
struct Point {
    /// The bound of the choice.
    bound: u32,
    options: Options,
    /// The index of the option that is being tried.
    at: u32,
}

enum Options {
    /// Items of a menu, each with its cost, the cheapest first.
    Items(Vec<(u32, Cost)>),
    /// All numbers below the bound.
    Numbers,
}

#[derive(Clone, Copy, Default)]
struct Cost {
    preemptions: u32,
    delays: u32,
}

/// The most points of one schedule. After them the run is calm.
const MAX_POINTS: usize = 100_000;

/// How many times in a row a lane may be chosen while others could go. Then it must let one of them go. Only fair
/// schedules count, because a lane that waits for another in a loop would go for ever (Musuvathi, Qadeer, "Fair
/// Stateless Model Checking", PLDI 2008).
const MAX_STREAK: u32 = 1_000;

impl Frontier {
    /// Starts a search that has seen nothing yet.
    pub fn new(bound: Bound) -> Self {
        let search = Search {
            bound,
            way: Vec::new(),
            reached: 0,
            schedules: 0,
            over: false,
            cut: false,
            strayed: false,
        };
        Frontier { search: Arc::new(Mutex::new(search)) }
    }

    /// Makes the run of the next schedule; `None` if all have been run. `run` gets a strategy that it asks for every
    /// choice of one run.
    pub fn run<R>(&mut self, run: impl FnOnce(Walk) -> R) -> Option<R> {
        if self.search().over {
            return None;
        }
        let result = run(self.strategy());
        self.turn();
        Some(result)
    }

    /// The bound of the search.
    pub fn bound(&self) -> Bound {
        self.search().bound
    }

    /// Schedules that were run.
    pub fn schedules(&self) -> u64 {
        self.search().schedules
    }

    /// The result so far.
    pub fn explored(&self) -> Explored {
        let search = self.search();
        let complete = search.over && !search.cut && !search.strayed;
        Explored { bound: search.bound, schedules: search.schedules, complete }
    }

    /// The strategy for the next run.
    pub(super) fn strategy(&self) -> Walk {
        self.search().reached = 0;
        Walk { search: self.search.clone(), spent: Cost::default(), last: None, streak: 0 }
    }

    /// Advances to the next schedule: takes the next option at the deepest point that has an untried one.
    pub(super) fn turn(&mut self) {
        let mut search = self.search();
        search.schedules += 1;
        let reached = search.reached;
        if reached < search.way.len() {
            search.strayed = true;
            search.way.truncate(reached);
        }
        while let Some(point) = search.way.last_mut() {
            point.at += 1;
            if point.at < point.len() {
                return;
            }
            search.way.pop();
        }
        search.over = true;
    }

    fn search(&self) -> MutexGuard<'_, Search> {
        self.search.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Point {
    fn len(&self) -> u32 {
        match &self.options {
            Options::Items(items) => items.len() as u32,
            Options::Numbers => self.bound,
        }
    }

    fn value(&self) -> (u32, Cost) {
        match &self.options {
            Options::Items(items) => items[self.at as usize],
            Options::Numbers => (self.at, Cost::default()),
        }
    }
}

impl Search {
    /// The choice at the next point, which is added if the path ends here.
    fn next(&mut self, bound: u32, options: impl FnOnce() -> Options) -> (u32, Cost) {
        if self.reached == self.way.len() {
            if self.reached == MAX_POINTS {
                self.cut = true;
                return (0, Cost::default());
            }
            self.way.push(Point { bound, options: options(), at: 0 });
        }
        let point = &self.way[self.reached];
        let (value, cost) = point.value();
        self.strayed |= point.bound != bound;
        self.reached += 1;
        (value.min(bound - 1), cost)
    }
}

/// Follows the path of a search, and makes it longer.
#[derive(Clone)]
pub struct Walk {
    search: Arc<Mutex<Search>>,
    spent: Cost,
    last: Option<Lane>,
    /// How many times in a row the last lane was chosen while others could go.
    streak: u32,
}

impl Walk {
    /// The items of a menu that the bound still allows, the cheapest first. The first one costs nothing.
    fn options(&self, menu: &Menu<'_>, bound: Bound) -> Options {
        let mut items: Vec<(u32, Lane)> =
            menu.items().enumerate().map(|(place, item)| (place as u32, item.lane())).collect();
        let last = self.last.filter(|last| items.iter().any(|(_, lane)| lane == last));
        let tired = self.streak >= MAX_STREAK && items.iter().any(|(_, lane)| Some(*lane) != last);
        if tired {
            items.retain(|(_, lane)| Some(*lane) != last);
        } else if bound.preemptions.is_some() {
            items.sort_by_key(|(_, lane)| Some(*lane) != last);
        }
        let within = |cost: u32, bound: Option<u32>| bound.is_none_or(|bound| cost <= bound);
        let cost = |rank: usize, lane: Lane| Cost {
            preemptions: u32::from(!tired && last.is_some_and(|last| last != lane)),
            delays: rank as u32,
        };
        let costed = items.iter().enumerate().map(|(rank, &(place, lane))| (place, cost(rank, lane)));
        let affordable = costed.filter(|(_, cost)| {
            within(self.spent.preemptions + cost.preemptions, bound.preemptions)
                && within(self.spent.delays.saturating_add(cost.delays), bound.delays)
        });
        Options::Items(affordable.collect())
    }
}

impl Strategy for Walk {
    fn pick(&mut self, menu: &Menu<'_>) -> usize {
        let search = self.search.clone();
        let mut search = search.lock().unwrap_or_else(PoisonError::into_inner);
        let bound = search.bound;
        let (item, cost) = search.next(menu.len() as u32, || self.options(menu, bound));
        self.spent.preemptions += cost.preemptions;
        self.spent.delays = self.spent.delays.saturating_add(cost.delays);
        self.streak += 1;
        item as usize
    }

    fn draw(&mut self, ask: &Request<'_>) -> u32 {
        match ask {
            Request::Number {
                of: Meaning::Value | Meaning::Act(_) | Meaning::Draw(_) | Meaning::Failure(_),
                ..
            }
            | Request::Chance { .. } => {
                let mut search = self.search.lock().unwrap_or_else(PoisonError::into_inner);
                search.next(ask.bound(), || Options::Numbers).0
            }
            _ => 0,
        }
    }

    fn went(&mut self, item: Item) {
        let lane = item.lane();
        if self.last != Some(lane) {
            self.streak = 0;
        }
        self.last = Some(lane);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_seen_is_said_in_words() {
        let says = |schedules, complete, preemptions, delays| {
            let bound = Bound { preemptions, delays };
            Explored { bound, schedules, complete }.says("x")
        };
        assert_eq!(says(1_284, true, Some(2), None), "all 1,284 schedules of `x` with at most 2 preemptions");
        assert_eq!(
            says(1_000_000, false, Some(1), Some(1)),
            "1,000,000 schedules of `x` with at most 1 preemption and 1 delay, not all"
        );
        assert_eq!(says(1, true, None, None), "all 1 schedule of `x` without a bound");
    }
}
