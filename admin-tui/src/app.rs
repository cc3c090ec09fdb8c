//! The state: what is known, what is shown, what is being typed. No I/O.

use std::collections::BTreeSet;

use shared::ops::{Change, FactInFull, Health, Matter, Me, Operator, Platform, Role};
use zeroize::Zeroizing;

use crate::client::Page;
use crate::effects::Act;
use crate::event::Loaded;
use crate::tables::{self, Table};
use crate::theme::{Colours, Meaning};

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Tab {
    Attention,
    Platforms,
    Operators,
    Audit,
    Health,
}

impl Tab {
    pub const ALL: [Self; 5] = [Self::Attention, Self::Platforms, Self::Operators, Self::Audit, Self::Health];

    pub fn title(self) -> &'static str {
        match self {
            Self::Attention => "Attention",
            Self::Platforms => "Platforms",
            Self::Operators => "Operators",
            Self::Audit => "Audit",
            Self::Health => "Health",
        }
    }

    /// What feeds it.
    pub fn path(self) -> &'static str {
        match self {
            Self::Attention => "/ops/v1/attention",
            Self::Platforms => "/ops/v1/platforms",
            Self::Operators => "/ops/v1/operators",
            Self::Audit => "/ops/v1/audit",
            Self::Health => "/health",
        }
    }

    /// Who may see it.
    fn least(self) -> Role {
        match self {
            Self::Attention | Self::Platforms | Self::Health => Role::Viewer,
            Self::Operators | Self::Audit => Role::Admin,
        }
    }
}

/// Rows that were read, and the one that commands are about.
#[derive(Debug)]
pub struct List<T> {
    pub rows: Vec<T>,
    pub next: Option<String>,
    pub selected: usize,
    /// Whether older pages were read: then the list is not read anew by itself.
    pub has_older: bool,
}

impl<T> Default for List<T> {
    fn default() -> Self {
        Self { rows: Vec::new(), next: None, selected: 0, has_older: false }
    }
}

impl<T> List<T> {
    /// The newest of the list; the selection stays with its row.
    pub fn replace(&mut self, page: Page<T>, id: impl Fn(&T) -> &str) {
        let selected = self.rows.get(self.selected).map(|row| id(row).to_owned());
        let found = selected.and_then(|selected| page.rows.iter().position(|row| id(row) == selected));
        self.selected = found.unwrap_or(self.selected).min(page.rows.len().saturating_sub(1));
        (self.rows, self.next, self.has_older) = (page.rows, page.next, false);
    }

    pub fn extend(&mut self, page: Page<T>) {
        self.rows.extend(page.rows);
        (self.next, self.has_older) = (page.next, true);
    }
}

/// What is laid over the screen.
pub enum Dialog {
    Help {
        scroll: u16,
    },
    Palette {
        typed: String,
    },
    /// A change waits for a reason, or only for a yes.
    Confirm {
        act: Act,
        reason: String,
    },
}

/// The form at the beginning.
#[derive(Default)]
pub struct LoginForm {
    pub name: String,
    pub password: Zeroizing<String>,
    pub is_at_password: bool,
    pub is_waiting: bool,
}

pub struct Message {
    pub text: String,
    pub meaning: Meaning,
}

pub struct App {
    /// The server as its operator named it.
    pub server: String,
    pub colours: Colours,
    pub read_only: bool,
    pub size: (u16, u16),
    /// Milliseconds since 1970, by the last tick.
    pub now_ms: i64,
    /// Absent: the login form is shown.
    pub me: Option<Me>,
    pub paths: BTreeSet<String>,
    pub expires_at: i64,
    pub can_renew: bool,
    pub is_renewing: bool,
    pub login: LoginForm,
    pub tab: Tab,
    pub attention: List<Matter>,
    pub platforms: List<Platform>,
    pub operators: List<Operator>,
    pub audit: List<Change>,
    pub health: Option<Box<Health>>,
    /// Whether the selected row is shown instead of its list.
    pub is_open: bool,
    pub scroll: u16,
    /// Of the matter that is open, once it was read.
    pub fact: Option<Box<FactInFull>>,
    pub dialog: Option<Dialog>,
    pub message: Option<Message>,
    /// When the gateway last answered for the screen that is shown.
    pub heard_at: Option<i64>,
    /// Since when it does not answer.
    pub lost: Option<String>,
    /// When something was last asked for; absent: nothing is on its way.
    pub asked_at: Option<i64>,
    pub is_paused: bool,
    /// What came while the view was held still.
    pub held: Option<Loaded>,
}

impl App {
    pub fn new(server: String, colours: Colours, read_only: bool, size: (u16, u16), now_ms: i64) -> Self {
        Self {
            server,
            colours,
            read_only,
            size,
            now_ms,
            me: None,
            paths: BTreeSet::new(),
            expires_at: 0,
            can_renew: false,
            is_renewing: false,
            login: LoginForm::default(),
            tab: Tab::Attention,
            attention: List::default(),
            platforms: List::default(),
            operators: List::default(),
            audit: List::default(),
            health: None,
            is_open: false,
            scroll: 0,
            fact: None,
            dialog: None,
            message: None,
            heard_at: None,
            lost: None,
            asked_at: None,
            is_paused: false,
            held: None,
        }
    }

    /// The screens that this server can feed and this operator may see.
    pub fn tabs(&self) -> Vec<Tab> {
        let Some(me) = &self.me else { return Vec::new() };
        // Health is beside the contract, on every operators' listener.
        let has = |tab: &Tab| *tab == Tab::Health || self.paths.contains(tab.path());
        Tab::ALL.into_iter().filter(|tab| me.role >= tab.least() && has(tab)).collect()
    }

    pub fn table(&self) -> Table {
        match self.tab {
            Tab::Attention => tables::attention(&self.attention.rows, self.now_ms),
            Tab::Platforms => tables::platforms(&self.platforms.rows),
            Tab::Operators => tables::operators(&self.operators.rows),
            Tab::Audit => tables::audit(&self.audit.rows),
            Tab::Health => self
                .health
                .as_ref()
                .map_or(Table { columns: vec!["what", "is"], rows: Vec::new() }, |health| {
                    tables::health(health, self.now_ms)
                }),
        }
    }

    pub fn selected(&self) -> usize {
        match self.tab {
            Tab::Attention => self.attention.selected,
            Tab::Platforms => self.platforms.selected,
            Tab::Operators => self.operators.selected,
            Tab::Audit => self.audit.selected,
            Tab::Health => 0,
        }
    }

    pub fn select(&mut self, row: usize) {
        let selected = match self.tab {
            Tab::Attention => &mut self.attention.selected,
            Tab::Platforms => &mut self.platforms.selected,
            Tab::Operators => &mut self.operators.selected,
            Tab::Audit => &mut self.audit.selected,
            Tab::Health => return,
        };
        *selected = row;
    }

    pub fn row_count(&self) -> usize {
        match self.tab {
            Tab::Attention => self.attention.rows.len(),
            Tab::Platforms => self.platforms.rows.len(),
            Tab::Operators => self.operators.rows.len(),
            Tab::Audit => self.audit.rows.len(),
            Tab::Health => 0,
        }
    }

    /// Where the list that is shown goes on.
    pub fn next(&self) -> Option<&String> {
        match self.tab {
            Tab::Attention => self.attention.next.as_ref(),
            Tab::Platforms => self.platforms.next.as_ref(),
            Tab::Operators => self.operators.next.as_ref(),
            Tab::Audit => self.audit.next.as_ref(),
            Tab::Health => None,
        }
    }

    pub fn has_older(&self) -> bool {
        match self.tab {
            Tab::Attention => self.attention.has_older,
            Tab::Platforms => self.platforms.has_older,
            Tab::Operators => self.operators.has_older,
            Tab::Audit => self.audit.has_older,
            Tab::Health => false,
        }
    }

    /// The selected matter, on its screen.
    pub fn matter(&self) -> Option<&Matter> {
        self.attention.rows.get(self.attention.selected).filter(|_| self.tab == Tab::Attention)
    }

    pub fn operator(&self) -> Option<&Operator> {
        self.operators.rows.get(self.operators.selected).filter(|_| self.tab == Tab::Operators)
    }

    pub fn change(&self) -> Option<&Change> {
        self.audit.rows.get(self.audit.selected).filter(|_| self.tab == Tab::Audit)
    }

    /// What the selected row is known by: an order's or refund's number where it has one.
    pub fn selected_id(&self) -> Option<String> {
        match self.tab {
            Tab::Attention => self
                .matter()
                .map(|matter| matter.subject.number.clone().unwrap_or_else(|| matter.subject.id.clone())),
            Tab::Platforms => self.platforms.rows.get(self.platforms.selected).map(|row| row.id.clone()),
            Tab::Operators => self.operator().map(|row| row.name.clone()),
            Tab::Audit => self.change().map(|row| row.id.clone()),
            Tab::Health => None,
        }
    }

    /// Rows that came or went while the view was held still.
    pub fn held_count(&self) -> usize {
        match &self.held {
            None => 0,
            Some(Loaded::Attention(page)) => differing(&self.attention.rows, &page.rows),
            Some(Loaded::Platforms(page)) => differing(&self.platforms.rows, &page.rows),
            Some(Loaded::Operators(page)) => differing(&self.operators.rows, &page.rows),
            Some(Loaded::Audit(page)) => differing(&self.audit.rows, &page.rows),
            Some(Loaded::Health(health)) => usize::from(self.health.as_ref() != Some(health)),
        }
    }

    pub fn say(&mut self, text: impl Into<String>, meaning: Meaning) {
        self.message = Some(Message { text: text.into(), meaning });
    }
}

/// Rows of either that the other does not have as they are.
fn differing<T: PartialEq>(shown: &[T], held: &[T]) -> usize {
    let new = held.iter().filter(|row| !shown.contains(row)).count();
    let gone = shown.iter().filter(|row| !held.contains(row)).count();
    new.max(gone)
}
