//! Deliveries made again, from a script: counted first, and started only if the count is the one that is expected.

use serde_json::Value;
use shared::ops::{Replay, ReplayState, ReplayToMake};

use super::{Ended, WATCH_EVERY, narrowed, order_id, read, write};
use crate::app::Tab;
use crate::args::{Format, ToReplay};
use crate::client::Client;
use crate::effects::{Act, ReplayMove};
use crate::environment;
use crate::run::effect::segment;
use crate::run::perform::perform;
use crate::tables::{self, Look};

pub async fn run(client: &Client, what: &ToReplay, look: Look) -> Result<(), Ended> {
    let reason = what.reason.trim().to_owned();
    let mut asked = ReplayToMake { rate: what.rate, reason, ..ReplayToMake::default() };
    if let Some(number) = &what.what.order {
        asked.order_id = Some(order_id(client, number).await?);
    } else if let Some(filter) = &what.what.filter {
        let narrowed = narrowed(Tab::Deliveries, filter)?;
        asked.filter = Some(narrowed.deliveries.to_replay(environment::now_ms()));
        asked.skip_acknowledged = true;
    } else {
        asked.delivery_ids.clone_from(&what.what.delivery);
    }
    let raw: Value = client.ask("/ops/v1/replays", Some(&asked)).await?;
    let preview: Replay = read(raw.clone())?;
    let id = preview.id.clone();
    let is_right = what.start == Some(preview.total);
    if !is_right {
        // A preview that nobody will start is not left behind.
        perform(client, &Act::MoveReplay { id: id.clone(), how: ReplayMove::Cancel }, "").await?;
        tell(&raw, what.json, look)?;
        return match what.start {
            None => Ok(()),
            Some(expected) => Err(Ended {
                code: 5,
                said: format!("not started: it is {} deliveries, not {expected}", preview.total),
            }),
        };
    }
    perform(client, &Act::StartReplay { id: id.clone(), total: preview.total }, "").await?;
    loop {
        let raw: Value = client.get(&format!("/ops/v1/replays/{}", segment(&id))).await?;
        let now: Replay = read(raw.clone())?;
        tell(&raw, what.json, Look { now_ms: environment::now_ms(), ..look })?;
        let is_over = matches!(now.state, ReplayState::Done | ReplayState::Cancelled);
        if is_over && now.failed > 0 {
            let said = format!("{} of {} were not acknowledged", now.failed, now.total);
            return Err(Ended { code: 1, said });
        }
        if is_over || !what.watch {
            return Ok(());
        }
        tokio::time::sleep(WATCH_EVERY).await;
    }
}

fn tell(raw: &Value, is_json: bool, look: Look) -> Result<(), Ended> {
    let rows: Vec<Replay> = vec![read(raw.clone())?];
    let format = if is_json { Format::Json } else { Format::Text };
    write(std::slice::from_ref(raw), &tables::replays(&rows, look), format)
}
