//! Taking due deliveries from the store under a lease, with what their events tell.

use std::collections::HashMap;

use tokio::time::Instant;

use super::Leased;
use crate::app::App;
use crate::deliveries::due;
use crate::deliveries::form::Original;
use crate::deliveries::lanes::{Now, Place, Spent};
use crate::ledger::{Claim, Claimed, Lane, LedgerError};

/// As many of each endpoint's as there are places planned for it. Endpoints that had less are done with for now.
pub(super) async fn take(
    app: &App,
    mut planned: HashMap<String, Vec<Place>>,
    now: Now,
) -> Result<Vec<Leased>, LedgerError> {
    let share =
        |(id, places): (&String, &Vec<Place>)| (id.clone(), u32::try_from(places.len()).unwrap_or(u32::MAX));
    let claim = Claim {
        lease: app.deliveries.node().to_owned(),
        now: now.ms,
        lease_ms: app.deliveries.lease_ms(),
        shares: planned.iter().map(share).collect(),
    };
    let room = app.ledger.room_when_free(Lane::Attempts, app.deliveries.node()).await?;
    let since = Instant::now();
    let claimed = room.claim(claim).await?;
    let mut leased = Vec::with_capacity(claimed.len());
    for Claimed { delivery, event } in claimed {
        // More than was asked for is never given.
        let Some(place) = planned.get_mut(&delivery.endpoint_id).and_then(Vec::pop) else { continue };
        let original = event.map_or_else(
            || Original { at: delivery.created_at, content: String::new() },
            |event| Original { at: event.created_at, content: event.content.clone() },
        );
        leased.push(Leased { delivery, original, since, place });
    }
    for (endpoint_id, left) in planned {
        if !left.is_empty() {
            drop(left);
            spent(app, &endpoint_id).await;
        }
    }
    Ok(leased)
}

/// Nothing more was due to the endpoint.
async fn spent(app: &App, endpoint_id: &str) {
    let spent = app.deliveries.lanes.lock().spent(endpoint_id);
    if let Spent::AskForNext { owner_id } = spent {
        match due::next_of(&app.store.read, endpoint_id).await {
            Ok(Some(at)) => {
                let now = app.clock.now_ms();
                app.deliveries.lanes.lock().due(endpoint_id, &owner_id, at, now);
            }
            Ok(None) => {}
            // The next look finds it.
            Err(error) => tracing::warn!(%error, "what is due next could not be looked for"),
        }
    }
}
