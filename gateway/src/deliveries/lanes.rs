//! One small lane for each endpoint that has something due or under way: what goes to it now, how fast, and whether it
//! is left alone for a while. Deliveries themselves stay in the store. What may go out at one time is shared between
//! owners, merchants and platforms: they take turns, and nobody may have more under way than there are places left.
//! So whoever comes finds a place, however much somebody else has due, and however slowly it is taken.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::breaker;
use crate::config;

mod heard;
mod lane;
mod place;
#[cfg(test)]
mod tests;

pub use heard::{Said, Standing};
use lane::{Lane, Turn};
pub(super) use lane::{Now, Terms};
pub(super) use place::Place;
use place::Stage;

#[derive(Debug, Default)]
struct Owner {
    /// Of all its endpoints, under way or promised.
    places: usize,
    /// Its endpoints that have something due now, in turn.
    ready: VecDeque<String>,
    is_in_rotation: bool,
}

#[derive(Debug)]
pub(super) struct Lanes {
    settings: breaker::Settings,
    most: usize,
    taken: usize,
    by_endpoint: HashMap<String, Lane>,
    owners: HashMap<String, Owner>,
    /// Owners with something due now, in turn.
    rotation: VecDeque<String>,
    timers: BTreeSet<(i64, String)>,
}

/// Lanes, and the lock on them: held for moments, and never across anything that waits.
#[derive(Debug, Clone)]
pub(super) struct Shared(Arc<Mutex<Lanes>>);

impl Shared {
    pub fn new(config: &config::Deliveries) -> Self {
        let settings = breaker::Settings {
            failures: config.breaker_failures,
            pause: config.breaker_pause,
            longest_pause: config.breaker_longest_pause,
        };
        Self::with(settings, config.max_in_flight)
    }

    fn with(settings: breaker::Settings, most: usize) -> Self {
        Self(Arc::new(Mutex::new(Lanes {
            settings,
            most,
            taken: 0,
            by_endpoint: HashMap::new(),
            owners: HashMap::new(),
            rotation: VecDeque::new(),
            timers: BTreeSet::new(),
        })))
    }

    pub fn lock(&self) -> MutexGuard<'_, Lanes> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A place for a promise that is about to be written, if it can go out as soon as that is done.
    pub fn promise(&self, endpoint_id: &str, owner_id: &str, terms: Terms, now: Now) -> Option<Place> {
        let mut lanes = self.lock();
        if !lanes.may_promise(endpoint_id, owner_id, terms, now) {
            return None;
        }
        lanes.enter(endpoint_id, owner_id, terms, now);
        Some(self.place(endpoint_id, terms))
    }

    /// Who may be sent how much now, a place for each, at most `most` of them.
    pub fn plan(
        &self,
        now: Now,
        most: usize,
        terms_of: impl Fn(&str) -> Terms,
    ) -> HashMap<String, Vec<Place>> {
        let mut lanes = self.lock();
        lanes.ring(now);
        let mut planned: HashMap<String, Vec<Place>> = HashMap::new();
        for _ in 0..most {
            let Some((endpoint_id, terms)) = lanes.next(now, &terms_of) else { break };
            let place = self.place(&endpoint_id, terms);
            planned.entry(endpoint_id).or_default().push(place);
        }
        planned
    }

    fn place(&self, endpoint_id: &str, terms: Terms) -> Place {
        Place {
            lanes: self.clone(),
            endpoint_id: endpoint_id.to_owned(),
            rate: terms.rate,
            stage: Stage::Promised,
        }
    }
}

impl Lanes {
    /// Something is, or may be, due to the endpoint at `at`.
    pub fn due(&mut self, endpoint_id: &str, owner_id: &str, at: i64, now: i64) {
        let lane = self.lane(endpoint_id, owner_id);
        lane.is_told = true;
        lane.has_later |= at > now;
        match lane.turn {
            Turn::Ready | Turn::Full => {}
            Turn::At(before) if before <= at => {}
            Turn::Idle | Turn::At(_) if at <= now => self.make_ready(endpoint_id),
            Turn::Idle | Turn::At(_) => self.set_timer(endpoint_id, at),
        }
    }

    /// A claim of what is due to it has found less than it could have.
    pub fn spent(&mut self, endpoint_id: &str) -> Spent {
        match self.by_endpoint.get_mut(endpoint_id) {
            // Somebody has spoken meanwhile: the claim may have been too early.
            Some(lane) if lane.is_told => Spent::AskAgain,
            Some(lane) if lane.has_later => {
                lane.has_later = false;
                let owner_id = lane.owner_id.clone();
                self.set_idle(endpoint_id);
                Spent::AskForNext { owner_id }
            }
            _ => {
                self.set_idle(endpoint_id);
                Spent::Nothing
            }
        }
    }

    /// When a lane is to be looked at next, of all of them: Unix milliseconds.
    pub fn next_turn(&self) -> Option<i64> {
        self.timers.first().map(|(at, _)| *at)
    }

    /// Forget those of which nothing is to be remembered.
    pub fn tidy(&mut self, passed: Duration) {
        self.by_endpoint.retain(|_, lane| {
            lane.under_way + lane.ending + lane.promised > 0
                || lane.turn != Turn::Idle
                || !lane.breaker.is_untouched()
                || !lane.pace.is_full(passed)
        });
        self.owners.retain(|_, owner| owner.places > 0 || owner.is_in_rotation);
    }

    /// Something fresh may go at once unless what is due to the same endpoint would be passed by it.
    fn may_promise(&self, endpoint_id: &str, owner_id: &str, terms: Terms, now: Now) -> bool {
        let is_left_alone = terms.quiet_until.is_some_and(|until| until > now.ms);
        if !terms.is_open || is_left_alone || !self.has_place_for(owner_id) {
            return false;
        }
        let Some(lane) = self.by_endpoint.get(endpoint_id) else { return true };
        let is_backlogged = match lane.turn {
            Turn::Ready | Turn::Full => true,
            Turn::At(at) => at <= now.ms,
            Turn::Idle => false,
        };
        !is_backlogged
            && lane.promised < terms.concurrency
            && lane.leaves_some_of(self.left_of(owner_id))
            && lane.breaker.state(now.passed) == breaker::State::Closed
            && lane.pace.has(terms.rate, now.passed) > 0
    }

    /// Nobody has more under way than there are places left.
    fn has_place_for(&self, owner_id: &str) -> bool {
        self.left_of(owner_id) > 0
    }

    /// What is left of all places beyond those that the owner has.
    fn left_of(&self, owner_id: &str) -> usize {
        let has = self.owners.get(owner_id).map_or(0, |owner| owner.places);
        self.most.saturating_sub(self.taken).saturating_sub(has)
    }

    /// Those whose time has come.
    fn ring(&mut self, now: Now) {
        while let Some((at, _)) = self.timers.first()
            && *at <= now.ms
        {
            let (_, endpoint_id) = self.timers.pop_first().expect("it was there");
            if let Some(lane) = self.by_endpoint.get_mut(&endpoint_id) {
                lane.turn = Turn::Idle;
                self.make_ready(&endpoint_id);
            }
        }
    }

    /// The next endpoint in turn that can be sent something, which then has one place more.
    fn next(&mut self, now: Now, terms_of: &impl Fn(&str) -> Terms) -> Option<(String, Terms)> {
        let mut passed_over = 0;
        while passed_over < self.rotation.len() {
            let owner_id = self.rotation.pop_front()?;
            if !self.has_place_for(&owner_id) {
                self.rotation.push_back(owner_id);
                passed_over += 1;
                continue;
            }
            let found = self.next_of(&owner_id, now, terms_of);
            if let Some(owner) = self.owners.get_mut(&owner_id) {
                owner.is_in_rotation = !owner.ready.is_empty();
                if owner.is_in_rotation {
                    self.rotation.push_back(owner_id);
                }
            }
            if found.is_some() {
                return found;
            }
        }
        None
    }

    /// The same of one owner's. Those that cannot be sent anything leave its queue.
    fn next_of(
        &mut self,
        owner_id: &str,
        now: Now,
        terms_of: &impl Fn(&str) -> Terms,
    ) -> Option<(String, Terms)> {
        let left = self.left_of(owner_id);
        while let Some(endpoint_id) = self.owners.get_mut(owner_id)?.ready.pop_front() {
            let Some(lane) = self.by_endpoint.get_mut(&endpoint_id) else { continue };
            lane.is_queued = false;
            if lane.turn != Turn::Ready {
                continue;
            }
            let terms = terms_of(&endpoint_id);
            lane.follow(terms);
            lane.turn = match lane.turn_now(terms, now) {
                Turn::Ready if !lane.leaves_some_of(left) => Turn::Full,
                turn => turn,
            };
            match lane.turn {
                Turn::Ready => {
                    lane.is_told = false;
                    self.enter(&endpoint_id, owner_id, terms, now);
                    self.queue(&endpoint_id);
                    return Some((endpoint_id, terms));
                }
                Turn::At(at) => drop(self.timers.insert((at, endpoint_id))),
                Turn::Idle | Turn::Full => {}
            }
        }
        None
    }

    fn enter(&mut self, endpoint_id: &str, owner_id: &str, terms: Terms, now: Now) {
        self.taken += 1;
        let lane = self.lane(endpoint_id, owner_id);
        lane.follow(terms);
        lane.promised += 1;
        lane.pace.take(terms.rate, now.passed);
        let owner_id = lane.owner_id.clone();
        self.owners.entry(owner_id).or_default().places += 1;
    }

    fn leave(&mut self, endpoint_id: &str, stage: Stage, rate: u32) {
        self.taken = self.taken.saturating_sub(1);
        let Some(lane) = self.by_endpoint.get_mut(endpoint_id) else { return };
        if let Some(owner) = self.owners.get_mut(&lane.owner_id) {
            owner.places = owner.places.saturating_sub(1);
        }
        match stage {
            Stage::Promised => {
                lane.promised = lane.promised.saturating_sub(1);
                lane.pace.give_back(rate);
            }
            Stage::UnderWay => lane.under_way = lane.under_way.saturating_sub(1),
            Stage::Answered => {
                lane.ending = lane.ending.saturating_sub(1);
                return; // its endpoint has had room since it answered
            }
        }
        self.ready_if_full(endpoint_id);
    }

    fn answered(&mut self, endpoint_id: &str) {
        if let Some(lane) = self.by_endpoint.get_mut(endpoint_id) {
            lane.under_way = lane.under_way.saturating_sub(1);
            lane.ending += 1;
            self.ready_if_full(endpoint_id);
        }
    }

    fn ready_if_full(&mut self, endpoint_id: &str) {
        if self.by_endpoint.get(endpoint_id).is_some_and(|lane| lane.turn == Turn::Full) {
            self.make_ready(endpoint_id);
        }
    }

    fn lane(&mut self, endpoint_id: &str, owner_id: &str) -> &mut Lane {
        self.by_endpoint
            .entry(endpoint_id.to_owned())
            .or_insert_with(|| Lane { owner_id: owner_id.to_owned(), ..Lane::default() })
    }

    fn make_ready(&mut self, endpoint_id: &str) {
        self.set_idle(endpoint_id);
        let Some(lane) = self.by_endpoint.get_mut(endpoint_id) else { return };
        lane.turn = Turn::Ready;
        self.queue(endpoint_id);
    }

    /// At the end of its owner's queue, unless it is in it already; and the owner at the end of the owners'.
    fn queue(&mut self, endpoint_id: &str) {
        let Some(lane) = self.by_endpoint.get_mut(endpoint_id) else { return };
        let owner = self.owners.entry(lane.owner_id.clone()).or_default();
        if !std::mem::replace(&mut lane.is_queued, true) {
            owner.ready.push_back(endpoint_id.to_owned());
        }
        if !std::mem::replace(&mut owner.is_in_rotation, true) {
            self.rotation.push_back(lane.owner_id.clone());
        }
    }

    fn set_timer(&mut self, endpoint_id: &str, at: i64) {
        self.set_idle(endpoint_id);
        if let Some(lane) = self.by_endpoint.get_mut(endpoint_id) {
            lane.turn = Turn::At(at);
            self.timers.insert((at, endpoint_id.to_owned()));
        }
    }

    fn set_idle(&mut self, endpoint_id: &str) {
        let Some(lane) = self.by_endpoint.get_mut(endpoint_id) else { return };
        if let Turn::At(at) = std::mem::take(&mut lane.turn) {
            self.timers.remove(&(at, endpoint_id.to_owned()));
        }
    }
}

/// What follows when nothing more is due to an endpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Spent {
    Nothing,
    /// Something may be due after all.
    AskAgain,
    /// Something may be due later: the store knows when.
    AskForNext {
        owner_id: String,
    },
}
