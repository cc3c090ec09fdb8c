//! Events in the order in which they were written, for those who fetch them: page by page, and never one before a
//! place that was read. Written is committed: an event of a transaction that takes longer than a later one has the lower
//! number, so on PostgreSQL nothing is read of a transaction while an earlier one may still be under way.

use data_encoding::BASE64URL_NOPAD;
use sea_orm::sea_query::{Expr, ExprTrait};
use sea_orm::{
    ColumnTrait, Condition, DatabaseConnection, DbBackend, DbErr, QueryFilter, QueryOrder, QuerySelect,
    Select,
};

use super::list::SCANNED;
use crate::directory::access::is_id;
use crate::entity::event;

const CURSOR_VERSION: &str = "f1";
/// Read at a time.
const CHUNK: u64 = 500;
/// The number of the earliest transaction that may be under way.
const EARLIEST_OPEN: &str =
    "pg_snapshot_xmin(pg_current_snapshot())::text::bigint + COALESCE((SELECT base FROM event_numbers), 0)";

/// Behind which event to go on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    position: i64,
    id: String,
}

impl Place {
    /// Before the first.
    pub fn start() -> Self {
        Self { position: -1, id: String::new() }
    }

    fn of(row: &event::Model) -> Self {
        Self { position: row.position, id: row.id.clone() }
    }

    pub fn text(&self) -> String {
        BASE64URL_NOPAD.encode(format!("{CURSOR_VERSION}.{}.{}", self.position, self.id).as_bytes())
    }

    pub fn parse(text: &str) -> Option<Self> {
        let text = String::from_utf8(BASE64URL_NOPAD.decode(text.as_bytes()).ok()?).ok()?;
        let (position, id) = text.strip_prefix(CURSOR_VERSION)?.strip_prefix('.')?.split_once('.')?;
        let position = position.parse().ok()?;
        (id.is_empty() || is_id(id)).then(|| Self { position, id: id.to_owned() })
    }

    /// Whether the event that it is behind is there, among `list`. A store that was restored may have lost it, and gives its number
    /// to another: nobody could say what comes after it.
    pub async fn stands(
        &self,
        read: &DatabaseConnection,
        list: Select<event::Entity>,
    ) -> Result<bool, DbErr> {
        if *self == Self::start() {
            return Ok(true);
        }
        let there = list
            .filter(event::Column::Id.eq(self.id.as_str()))
            .filter(event::Column::Position.eq(self.position));
        Ok(there.one(read).await?.is_some())
    }

    fn beyond(&self) -> Condition {
        use event::Column::{Id, Position};
        let same = Condition::all().add(Position.eq(self.position)).add(Id.gt(self.id.as_str()));
        // The first says to an index where to begin.
        Condition::all()
            .add(Position.gte(self.position))
            .add(Condition::any().add(Position.gt(self.position)).add(same))
    }
}

/// Some of a feed.
#[derive(Debug)]
pub struct Part {
    pub rows: Vec<event::Model>,
    /// Where to go on.
    pub next: Place,
    /// Whether there was more to look at.
    pub is_more: bool,
}

/// Which of a list's events are wanted.
pub trait Sieve: Sync {
    fn lets_through(&self, row: &event::Model) -> impl Future<Output = Result<bool, DbErr>> + Send;
}

/// Up to `limit` of `list` behind `after` that `sieve` lets through, oldest first. Looks at so many rows at most.
pub async fn read(
    read: &DatabaseConnection,
    list: &Select<event::Entity>,
    after: Place,
    limit: usize,
    sieve: &impl Sieve,
) -> Result<Part, DbErr> {
    let mut part = Part { rows: Vec::new(), next: after, is_more: true };
    let mut looked_at = 0;
    while looked_at < SCANNED {
        let chunk = settled(read, list.clone())
            .filter(part.next.beyond())
            .order_by_asc(event::Column::Position)
            .order_by_asc(event::Column::Id)
            .limit(CHUNK)
            .all(read)
            .await?;
        let is_last = (chunk.len() as u64) < CHUNK;
        looked_at += chunk.len() as u64;
        for row in chunk {
            if part.rows.len() == limit {
                return Ok(part);
            }
            let is_wanted = sieve.lets_through(&row).await?;
            part.next = Place::of(&row);
            if is_wanted {
                part.rows.push(row);
            }
        }
        if is_last {
            part.is_more = false;
            break;
        }
    }
    Ok(part)
}

/// Behind the last one of `list`.
pub async fn end(read: &DatabaseConnection, list: Select<event::Entity>) -> Result<Place, DbErr> {
    let last = settled(read, list)
        .order_by_desc(event::Column::Position)
        .order_by_desc(event::Column::Id)
        .one(read)
        .await?;
    Ok(last.as_ref().map_or_else(Place::start, Place::of))
}

fn settled(read: &DatabaseConnection, list: Select<event::Entity>) -> Select<event::Entity> {
    if read.get_database_backend() == DbBackend::Postgres {
        list.filter(Expr::col(event::Column::Position).lt(Expr::cust(EARLIEST_OPEN)))
    } else {
        list
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_read_as_it_was_given_and_no_other() {
        let place = Place { position: 81_234, id: "01KXVZ5B0000000000000000AB".into() };
        for place in [place, Place::start()] {
            assert_eq!(Place::parse(&place.text()), Some(place));
        }
        let encoded = |text: &str| BASE64URL_NOPAD.encode(text.as_bytes());
        for wrong in
            ["", "x", &encoded("f1.x."), &encoded("f1.1.' OR 1=1"), &encoded("1.01KXVZ5B0000000000000000AB")]
        {
            assert_eq!(Place::parse(wrong), None, "{wrong}");
        }
    }
}
