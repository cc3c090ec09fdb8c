//! The screens.

use shared::ops::Role;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Tab {
    Overview,
    Orders,
    Deliveries,
    Endpoints,
    Replays,
    Attention,
    Merchants,
    Platforms,
    Audit,
    Health,
    Operators,
}

impl Tab {
    pub const ALL: [Self; 11] = [
        Self::Overview,
        Self::Orders,
        Self::Deliveries,
        Self::Endpoints,
        Self::Replays,
        Self::Attention,
        Self::Merchants,
        Self::Platforms,
        Self::Audit,
        Self::Health,
        Self::Operators,
    ];

    pub fn title(self) -> &'static str {
        match self {
            Self::Overview => "Overview",
            Self::Orders => "Orders",
            Self::Deliveries => "Deliveries",
            Self::Endpoints => "Endpoints",
            Self::Replays => "Replays",
            Self::Attention => "Attention",
            Self::Merchants => "Merchants",
            Self::Platforms => "Platforms",
            Self::Audit => "Audit",
            Self::Health => "Health",
            Self::Operators => "Operators",
        }
    }

    /// What feeds it.
    pub fn path(self) -> &'static str {
        match self {
            Self::Overview => "/ops/v1/overview",
            Self::Orders => "/ops/v1/orders",
            Self::Deliveries => "/ops/v1/deliveries",
            Self::Endpoints => "/ops/v1/endpoints",
            Self::Replays => "/ops/v1/replays",
            Self::Attention => "/ops/v1/attention",
            Self::Merchants => "/ops/v1/merchants",
            Self::Platforms => "/ops/v1/platforms",
            Self::Audit => "/ops/v1/audit",
            Self::Health => "/health",
            Self::Operators => "/ops/v1/operators",
        }
    }

    /// Who may see it.
    pub fn least(self) -> Role {
        match self {
            Self::Operators | Self::Audit => Role::Admin,
            _ => Role::Viewer,
        }
    }

    /// Whether it has rows to choose from.
    pub fn is_list(self) -> bool {
        !matches!(self, Self::Overview | Self::Health)
    }

    /// Whether a row can be read whole, at its own path.
    pub fn has_wholes(self) -> bool {
        matches!(self, Self::Orders | Self::Deliveries | Self::Merchants)
    }

    /// Its part of the stream of changes.
    pub fn topic(self) -> Option<&'static str> {
        match self {
            Self::Orders => Some("orders"),
            Self::Deliveries => Some("deliveries"),
            Self::Replays => Some("replays"),
            Self::Attention => Some("matters"),
            _ => None,
        }
    }

    /// Whether `/` narrows it.
    pub fn is_filtered(self) -> bool {
        matches!(self, Self::Orders | Self::Deliveries | Self::Merchants)
    }
}
