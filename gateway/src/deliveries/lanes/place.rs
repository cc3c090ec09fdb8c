//! A place among the attempts that are made at one time.

use super::{Shared, Terms};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    Promised,
    UnderWay,
    /// Its attempt was answered, and what came of it is being written.
    Answered,
}

/// One of the places for attempts at one time; free again when it is dropped.
#[derive(Debug)]
pub(in crate::deliveries) struct Place {
    pub(super) lanes: Shared,
    pub(super) endpoint_id: String,
    pub(super) rate: u32,
    pub(super) stage: Stage,
}

impl Place {
    /// The attempt begins, unless as many are under way as the endpoint allows.
    pub fn begin(&mut self, terms: Terms) -> bool {
        let mut lanes = self.lanes.lock();
        let Some(lane) = lanes.by_endpoint.get_mut(&self.endpoint_id) else { return false };
        if lane.under_way >= terms.concurrency {
            return false;
        }
        lane.promised = lane.promised.saturating_sub(1);
        lane.under_way += 1;
        self.stage = Stage::UnderWay;
        true
    }

    /// The attempt is over: the endpoint may be sent the next one. The place is taken until what came of it is written.
    pub fn answered(&mut self) {
        if self.stage == Stage::UnderWay {
            self.lanes.lock().answered(&self.endpoint_id);
            self.stage = Stage::Answered;
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.lanes.lock().leave(&self.endpoint_id, self.stage, self.rate);
    }
}
