//! The state: what is known, what is shown, what is being typed. No I/O.

mod dialog;
mod list;
mod live;
mod tab;

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use shared::ops::{
    Change, Delivery, Endpoint, EntryBytes, FactInFull, Health, Matter, Me, Merchant, Moment, Operator,
    OrderRow, Overview, Platform, Replay, TimelineEntry,
};
use ulid::Ulid;

pub use self::dialog::{Dialog, KeyForm, LoginForm, Message, MoneyForm};
pub use self::list::{List, Listed, MAX_LIVE_ROWS, MAX_ROWS, Row};
pub use self::live::{Held, Stream, StreamState};
pub use self::tab::Tab;
use crate::event::{Loaded, Opened, Whole};
use crate::filters::Narrowed;
use crate::raw;
use crate::tables::{self, Look, Sort, Table};
use crate::text::Zone;
use crate::theme::{Colours, Meaning};

/// Steps back that are remembered.
const MAX_HISTORY: usize = 50;

/// Columns of a screen on which all of an order's have room.
const WIDE_FROM: u16 = 180;

/// How a row that is open is shown.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum View {
    #[default]
    Told,
    /// The gateway's JSON, indented.
    Pretty,
    /// As it came.
    Exact,
    /// Where the payer pays, as a QR code.
    Code,
    /// What came with the chosen entry of an order's timeline, indented.
    Entry,
    /// The same as it came.
    EntryExact,
}

impl View {
    pub fn is_entry(self) -> bool {
        matches!(self, Self::Entry | Self::EntryExact)
    }
}

/// Where one was, to go back there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    pub tab: Tab,
    pub open: Option<String>,
}

/// How far a filter that few rows pass was looked for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Looking {
    /// Pages beyond the first.
    pub pages: u32,
    pub is_stopped: bool,
}

pub struct App {
    /// The server as its operator named it.
    pub server: String,
    pub colours: Colours,
    pub read_only: bool,
    pub size: (u16, u16),
    /// Milliseconds since 1970, by the last tick.
    pub now_ms: i64,
    pub zone: Zone,
    /// The one that is changed to.
    pub other_zone: Zone,
    /// Absent: the login form is shown.
    pub me: Option<Me>,
    pub paths: BTreeSet<String>,
    pub expires_at: i64,
    pub can_renew: bool,
    pub is_renewing: bool,
    pub login: LoginForm,
    pub tab: Tab,
    pub overview: Option<Box<Overview>>,
    /// Over a day instead of an hour.
    pub is_day: bool,
    pub orders: List<OrderRow>,
    pub sort: Sort,
    /// Whether as many columns as there is room for are not what is wanted.
    pub changes_columns: bool,
    /// The selection stays with the newest.
    pub follows: bool,
    pub deliveries: List<Delivery>,
    /// Deliveries to be replayed together.
    pub marked: BTreeSet<String>,
    pub endpoints: List<Endpoint>,
    pub replays: List<Replay>,
    pub attention: List<Matter>,
    pub merchants: List<Merchant>,
    pub platforms: List<Platform>,
    pub operators: List<Operator>,
    pub audit: List<Change>,
    pub health: Option<Box<Health>>,
    /// What the lists are narrowed to.
    pub narrowed: Narrowed,
    /// What they were narrowed to before, the latest first.
    pub kept_filters: BTreeMap<String, Vec<String>>,
    /// Whether one row is shown instead of its list, and its id.
    pub open: Option<String>,
    pub view: View,
    pub scroll: u16,
    pub history: Vec<Place>,
    /// Of the matter that is open, once it was read.
    pub fact: Option<Box<FactInFull>>,
    /// The row that is open, once it was read whole.
    pub opened: Option<Opened>,
    /// The chosen entry of the open order's timeline, by its id.
    pub chosen: Option<String>,
    /// Its bytes, once they were read.
    pub bytes: Option<EntryBytes>,
    pub dialog: Option<Dialog>,
    pub message: Option<Message>,
    /// When the gateway last answered for the screen that is shown.
    pub heard_at: Option<i64>,
    /// When it was last read, which is less often where the stream feeds it.
    pub read_at: Option<i64>,
    /// Why it does not answer.
    pub lost: Option<String>,
    /// When something was last asked for; absent: nothing is on its way.
    pub asked_at: Option<i64>,
    pub looking: Looking,
    pub stream: Stream,
    pub is_paused: bool,
    /// What came while the view was held still.
    pub held: Held,
}

impl App {
    pub fn new(server: String, colours: Colours, read_only: bool, size: (u16, u16), now_ms: i64) -> Self {
        Self {
            server,
            colours,
            read_only,
            size,
            now_ms,
            zone: Zone::default(),
            other_zone: Zone::STORES,
            me: None,
            paths: BTreeSet::new(),
            expires_at: 0,
            can_renew: false,
            is_renewing: false,
            login: LoginForm::default(),
            tab: Tab::Attention,
            overview: None,
            is_day: false,
            orders: List::default(),
            sort: Sort::default(),
            changes_columns: false,
            follows: false,
            deliveries: List::default(),
            marked: BTreeSet::new(),
            endpoints: List::default(),
            replays: List::default(),
            attention: List::default(),
            merchants: List::default(),
            platforms: List::default(),
            operators: List::default(),
            audit: List::default(),
            health: None,
            narrowed: Narrowed::default(),
            kept_filters: BTreeMap::new(),
            open: None,
            view: View::default(),
            scroll: 0,
            history: Vec::new(),
            looking: Looking::default(),
            fact: None,
            opened: None,
            chosen: None,
            bytes: None,
            dialog: None,
            message: None,
            heard_at: None,
            read_at: None,
            lost: None,
            asked_at: None,
            stream: Stream::default(),
            is_paused: false,
            held: Held::default(),
        }
    }

    /// The screens that this server can feed and this operator may see.
    pub fn tabs(&self) -> Vec<Tab> {
        let Some(me) = &self.me else { return Vec::new() };
        // Health is beside the contract, on every operators' listener.
        let has = |tab: &Tab| *tab == Tab::Health || self.has(tab.path());
        Tab::ALL.into_iter().filter(|tab| me.role >= tab.least() && has(tab)).collect()
    }

    /// Whether the server has this path, with its parameters in braces.
    pub fn has(&self, path: &str) -> bool {
        self.paths.contains(path)
    }

    /// Whether orders have all their columns: where there is room for them, unless `c` says otherwise.
    pub fn is_wide(&self) -> bool {
        (self.size.0 >= WIDE_FROM) != self.changes_columns
    }

    pub fn look(&self) -> Look {
        Look { now_ms: self.now_ms, zone: self.zone }
    }

    /// All rows of the screen.
    pub fn table(&self) -> Table {
        self.table_of(0..self.row_count())
    }

    /// Some of them: what is not drawn costs nothing. A screen without a list is told whole.
    pub fn table_of(&self, rows: Range<usize>) -> Table {
        let look = self.look();
        match self.tab {
            Tab::Overview => Table::default(),
            Tab::Orders => tables::orders(&self.orders.rows[rows], self.is_wide(), look),
            Tab::Deliveries => tables::deliveries(&self.deliveries.rows[rows], &self.marked, look),
            Tab::Endpoints => tables::endpoints(&self.endpoints.rows[rows], look),
            Tab::Replays => tables::replays(&self.replays.rows[rows], look),
            Tab::Attention => tables::attention(&self.attention.rows[rows], look),
            Tab::Merchants => tables::merchants(&self.merchants.rows[rows], look),
            Tab::Platforms => tables::platforms(&self.platforms.rows[rows], look),
            Tab::Operators => tables::operators(&self.operators.rows[rows], look),
            Tab::Audit => tables::audit(&self.audit.rows[rows], look),
            Tab::Health => {
                self.health.as_ref().map_or_else(Table::default, |health| tables::health(health, look))
            }
        }
    }

    /// The rows of the screen that is shown, if it has any to choose from.
    pub fn list(&self) -> Option<&dyn Listed> {
        Some(match self.tab {
            Tab::Overview | Tab::Health => return None,
            Tab::Orders => &self.orders,
            Tab::Deliveries => &self.deliveries,
            Tab::Endpoints => &self.endpoints,
            Tab::Replays => &self.replays,
            Tab::Attention => &self.attention,
            Tab::Merchants => &self.merchants,
            Tab::Platforms => &self.platforms,
            Tab::Operators => &self.operators,
            Tab::Audit => &self.audit,
        })
    }

    pub fn select(&mut self, row: usize) {
        let list: &mut dyn Listed = match self.tab {
            Tab::Overview | Tab::Health => return,
            Tab::Orders => &mut self.orders,
            Tab::Deliveries => &mut self.deliveries,
            Tab::Endpoints => &mut self.endpoints,
            Tab::Replays => &mut self.replays,
            Tab::Attention => &mut self.attention,
            Tab::Merchants => &mut self.merchants,
            Tab::Platforms => &mut self.platforms,
            Tab::Operators => &mut self.operators,
            Tab::Audit => &mut self.audit,
        };
        list.select(row);
    }

    pub fn selected(&self) -> usize {
        self.list().map_or(0, Listed::selected)
    }

    pub fn row_count(&self) -> usize {
        self.list().map_or(0, Listed::count)
    }

    /// Whether the list is being looked for further back.
    pub fn is_looking(&self) -> bool {
        let Looking { pages, is_stopped } = self.looking;
        pages > 0 && !is_stopped && !self.is_open() && self.asked_at.is_some() && self.next().is_some()
    }

    /// How far back the list goes by now, where it goes on: an id tells its time.
    pub fn looked_back_to(&self) -> Option<Moment> {
        let (_, query) = self.next()?.split_once('?')?;
        let (_, cursor) = url::form_urlencoded::parse(query.as_bytes()).find(|(name, _)| name == "cursor")?;
        let ms = Ulid::from_string(&cursor).ok()?.timestamp_ms();
        Moment::of_ms(ms.try_into().ok()?)
    }

    /// Where the list that is shown goes on.
    pub fn next(&self) -> Option<&String> {
        self.list().and_then(Listed::next)
    }

    pub fn has_older(&self) -> bool {
        self.list().is_some_and(Listed::has_older)
    }

    pub fn is_open(&self) -> bool {
        self.open.is_some()
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

    pub fn endpoint(&self) -> Option<&Endpoint> {
        self.endpoints.rows.get(self.endpoints.selected).filter(|_| self.tab == Tab::Endpoints)
    }

    pub fn replay(&self) -> Option<&Replay> {
        self.replays.rows.get(self.replays.selected).filter(|_| self.tab == Tab::Replays)
    }

    /// The merchant that is open, or the selected one.
    pub fn merchant(&self) -> Option<&Merchant> {
        if self.tab != Tab::Merchants {
            return None;
        }
        match (&self.open, self.opened.as_ref().map(|opened| &opened.whole)) {
            (Some(_), Some(Whole::Merchant(whole))) => Some(&whole.merchant),
            (Some(_), _) => None,
            (None, _) => self.merchants.rows.get(self.merchants.selected),
        }
    }

    /// The order that is open, or the selected one.
    pub fn order(&self) -> Option<&OrderRow> {
        if self.tab != Tab::Orders {
            return None;
        }
        match (&self.open, self.opened.as_ref().map(|opened| &opened.whole)) {
            (Some(_), Some(Whole::Order(whole))) => Some(&whole.order),
            (Some(_), _) => None,
            (None, _) => self.orders.rows.get(self.orders.selected),
        }
    }

    /// The chosen entry of the order that is open.
    pub fn entry(&self) -> Option<&TimelineEntry> {
        let Whole::Order(whole) = &self.opened.as_ref()?.whole else { return None };
        let chosen = self.chosen.as_ref()?;
        whole.timeline.iter().find(|entry| entry.id.as_ref() == Some(chosen))
    }

    /// What came with it, or without bytes what is noted of it: as it is shown.
    pub fn entry_text(&self) -> Option<String> {
        let entry = self.entry().filter(|_| self.view.is_entry())?;
        match &self.bytes {
            Some(bytes) if self.view == View::EntryExact => Some(bytes.text.clone()),
            Some(bytes) => Some(raw::pretty(&bytes.text).join("\n")),
            None if entry.has_bytes => None,
            None => entry.detail.as_ref().map(|note| raw::pretty(&note.to_string()).join("\n")),
        }
    }

    /// The selected row's id; of what is open, its.
    pub fn current_id(&self) -> Option<String> {
        self.open.clone().or_else(|| self.list()?.selected_id().map(str::to_owned))
    }

    /// What the selected row is known by: a number where it has one.
    pub fn known_by(&self) -> Option<String> {
        match self.tab {
            Tab::Attention => self
                .matter()
                .map(|matter| matter.subject.number.clone().unwrap_or_else(|| matter.subject.id.clone())),
            Tab::Orders => self.order().map(|order| order.number.clone()),
            Tab::Merchants => self.merchant().map(|merchant| merchant.partner_no.clone()),
            _ => self.current_id(),
        }
    }

    /// Rows that came or went while the view was held still.
    pub fn held_count(&self) -> usize {
        let changed = match &self.held.page {
            None => 0,
            Some(Loaded::Overview(overview)) => usize::from(self.overview.as_ref() != Some(overview)),
            Some(Loaded::Orders(page)) => differing(&self.orders.rows, &page.rows),
            Some(Loaded::Deliveries(page)) => differing(&self.deliveries.rows, &page.rows),
            Some(Loaded::Endpoints(page)) => differing(&self.endpoints.rows, &page.rows),
            Some(Loaded::Replays(page)) => differing(&self.replays.rows, &page.rows),
            Some(Loaded::Attention(page)) => differing(&self.attention.rows, &page.rows),
            Some(Loaded::Merchants(page)) => differing(&self.merchants.rows, &page.rows),
            Some(Loaded::Platforms(page)) => differing(&self.platforms.rows, &page.rows),
            Some(Loaded::Operators(page)) => differing(&self.operators.rows, &page.rows),
            Some(Loaded::Audit(page)) => differing(&self.audit.rows, &page.rows),
            Some(Loaded::Health(health)) => usize::from(self.health.as_ref() != Some(health)),
        };
        let opened = self.held.opened.is_some() && self.held.opened != self.opened;
        changed + self.held.changes.len() + usize::from(opened)
    }

    /// Remember this place, to come back to it.
    pub fn leave_a_mark(&mut self) {
        if self.history.len() == MAX_HISTORY {
            self.history.remove(0);
        }
        self.history.push(Place { tab: self.tab, open: self.open.clone() });
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
