//! What the stream of changes tells.

use serde::{Deserialize, Serialize};

use super::{Delivery, Matter, OrderRow, Replay};

/// One change; its place in the stream is the event's `id`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", content = "row", rename_all = "snake_case")]
pub enum Live {
    Order(OrderRow),
    Delivery(Delivery),
    Replay(Replay),
    Matter(Matter),
    /// Changes were missed: whoever listens reads its lists anew.
    Gap,
}
