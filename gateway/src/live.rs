//! Those who wait for something to happen: woken when it is committed on this node.

use std::time::Duration;

use tokio::sync::{Semaphore, SemaphorePermit, watch};

/// Who may wait at one time. Everyone holds a connection, which are bounded too.
const WAITING: usize = 1_000;
/// Between two looks of those who wait: what another node has told, they find out by themselves.
const LOOK: Duration = Duration::from_secs(1);

pub struct Live {
    /// How often something was told; the end of it is the end of the server.
    told: watch::Sender<u64>,
    ended: watch::Sender<bool>,
    places: Semaphore,
}

/// A place among those who wait.
pub struct Waiting<'a> {
    _place: SemaphorePermit<'a>,
    told: watch::Receiver<u64>,
    ended: watch::Receiver<bool>,
}

impl Default for Live {
    fn default() -> Self {
        Self {
            told: watch::Sender::new(0),
            ended: watch::Sender::new(false),
            places: Semaphore::new(WAITING),
        }
    }
}

impl Live {
    /// An event was committed.
    pub fn told(&self) {
        self.told.send_modify(|count| *count += 1);
    }

    /// The server stops: nobody may keep it waiting.
    pub fn end(&self) {
        self.ended.send_replace(true);
    }

    /// To be taken before looking, lest something happens in between. `None`: too many wait, or the server stops.
    pub fn wait(&self) -> Option<Waiting<'_>> {
        let place = self.places.try_acquire().ok()?;
        let waiting = Waiting { _place: place, told: self.told.subscribe(), ended: self.ended.subscribe() };
        let is_over = *waiting.ended.borrow();
        (!is_over).then_some(waiting)
    }
}

impl Waiting<'_> {
    /// Until the server stops.
    pub async fn ended(&mut self) {
        let _ = self.ended.wait_for(|ended| *ended).await;
    }

    /// Until it is worth looking again, within `most`; `false`: it is not, the time is up or the server stops.
    pub async fn for_more(&mut self, most: Duration) -> bool {
        if most.is_zero() {
            return false;
        }
        tokio::select! {
            biased;
            _ = self.ended.wait_for(|ended| *ended) => false,
            told = self.told.changed() => told.is_ok(),
            () = tokio::time::sleep(most.min(LOOK)) => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    const LONG: Duration = Duration::from_secs(20);

    #[tokio::test]
    async fn what_is_told_between_taking_a_place_and_waiting_wakes() {
        let live = Live::default();
        let mut waiting = live.wait().expect("there is room");
        live.told();
        assert_eq!(waiting.for_more(LONG).now_or_never(), Some(true));
        assert_eq!(waiting.for_more(LONG).now_or_never(), None, "nothing more was told");
        assert_eq!(waiting.for_more(Duration::ZERO).now_or_never(), Some(false), "the time is up");
    }

    #[tokio::test]
    async fn a_stop_ends_the_waiting_and_lets_nobody_begin() {
        let live = Live::default();
        let mut waiting = live.wait().expect("there is room");
        live.end();
        assert_eq!(waiting.for_more(LONG).now_or_never(), Some(false));
        assert!(live.wait().is_none());
    }

    #[test]
    fn not_everybody_may_wait_at_one_time() {
        let live = Live::default();
        let places: Vec<_> = (0..WAITING).map(|_| live.wait().expect("there is room")).collect();
        assert!(live.wait().is_none());
        drop(places);
        assert!(live.wait().is_some());
    }
}
