//! What a check keeps for itself: the statement's lines, what was found in both books, and the differences. It lies in a
//! private file that goes when the check ends, so that memory stays small however long the statement is.

use std::collections::BTreeSet;
use std::io::Read;

use rusqlite::{Connection, params};

use super::columns::Columns;
use super::read::{self, Line, Status};
use super::{Difference, Found, Summary};

/// Pages of the file held in memory, in KiB.
const CACHE_KIB: i64 = 8 * 1024;

const SCHEMA: &str = "
    CREATE TABLE lines (line INTEGER PRIMARY KEY, is_refund INTEGER NOT NULL, number TEXT, order_no TEXT,
        refund_no TEXT, amount TEXT NOT NULL, currency TEXT, status INTEGER NOT NULL);
    CREATE TABLE matched (key TEXT NOT NULL PRIMARY KEY) WITHOUT ROWID;
    CREATE TABLE differences (id INTEGER PRIMARY KEY, kind TEXT NOT NULL, order_id TEXT, found TEXT NOT NULL);
    CREATE INDEX differences_order ON differences (order_id) WHERE order_id IS NOT NULL;";

pub struct Scratch {
    file: Connection,
    pub summary: Summary,
    /// Whether the statement tells of refunds at all.
    pub has_refunds: bool,
}

impl Scratch {
    pub fn new() -> anyhow::Result<Self> {
        // A name that is empty is a private file that vanishes with the connection.
        let file = Connection::open("")?;
        file.execute_batch(&format!(
            "PRAGMA temp_store = FILE; PRAGMA cache_size = -{CACHE_KIB}; PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; {SCHEMA}"
        ))?;
        Ok(Self { file, summary: Summary::default(), has_refunds: false })
    }

    /// Take in a statement; several are one.
    pub fn load(&mut self, statement: impl Read, columns: &Columns) -> anyhow::Result<()> {
        let before = i64::try_from(self.summary.lines)?;
        let (mut payments, mut refunds) = (0, 0);
        let transaction = self.file.transaction()?;
        let mut insert = transaction.prepare("INSERT INTO lines VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)")?;
        self.has_refunds |= read::lines(statement, columns, |line| {
            let Line { line, is_refund, number, order_no, refund_no, amount, currency, status } = line;
            *(if is_refund { &mut refunds } else { &mut payments }) += 1;
            let status = status as i64;
            let line = before + line;
            insert
                .execute(params![line, is_refund, number, order_no, refund_no, amount, currency, status])?;
            Ok(())
        })?;
        drop(insert);
        transaction.commit()?;
        self.summary.payments += payments;
        self.summary.refunds += refunds;
        self.summary.lines += payments + refunds;
        self.has_refunds |= refunds > 0;
        Ok(())
    }

    /// Payments that are listed once more than once: every line behind the first one.
    pub fn find_duplicates(&mut self) -> anyhow::Result<()> {
        self.file.execute_batch(
            "CREATE INDEX lines_number ON lines (number, line) WHERE is_refund = 0 AND status = 0",
        )?;
        let mut after = 0;
        loop {
            let found = self.duplicates_after(after)?;
            let Some((last, ..)) = found.last() else { return Ok(()) };
            after = *last;
            for (line, first, number) in found {
                let mut found = Found::new(
                    Difference::Duplicate,
                    "one payment",
                    format!("line {first} lists the same payment"),
                );
                (found.line, found.sent_number) = (Some(line), Some(number));
                self.differ(&found)?;
            }
        }
    }

    fn duplicates_after(&mut self, after: i64) -> anyhow::Result<Vec<(i64, i64, String)>> {
        let mut select = self.file.prepare_cached(
            "SELECT line, first, number FROM (SELECT l.line, l.number, (SELECT min(p.line) FROM lines p
                WHERE p.number = l.number AND p.is_refund = 0 AND p.status = 0) AS first
             FROM lines l WHERE l.line > ?1 AND l.number IS NOT NULL AND l.is_refund = 0 AND l.status = 0)
             WHERE first < line ORDER BY line LIMIT 500",
        )?;
        let rows = select.query_map([after], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    pub fn lines_after(&mut self, after: i64, limit: usize) -> anyhow::Result<Vec<Line>> {
        let mut select =
            self.file.prepare_cached("SELECT * FROM lines WHERE line > ?1 ORDER BY line LIMIT ?2")?;
        let rows = select.query_map(params![after, i64::try_from(limit)?], |row| {
            Ok(Line {
                line: row.get(0)?,
                is_refund: row.get(1)?,
                number: row.get(2)?,
                order_no: row.get(3)?,
                refund_no: row.get(4)?,
                amount: row.get(5)?,
                currency: row.get(6)?,
                status: match row.get::<_, i64>(7)? {
                    0 => Status::Paid,
                    1 => Status::Refunded,
                    2 => Status::Unpaid,
                    _ => Status::Other,
                },
            })
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// Remember that the statement has this one; `false`: it was known.
    pub fn matched(&mut self, key: &str) -> anyhow::Result<bool> {
        let mut insert = self.file.prepare_cached("INSERT OR IGNORE INTO matched VALUES (?1)")?;
        Ok(insert.execute([key])? == 1)
    }

    pub fn is_matched(&mut self, key: &str) -> anyhow::Result<bool> {
        Ok(self.file.prepare_cached("SELECT 1 FROM matched WHERE key = ?1")?.exists([key])?)
    }

    pub fn differ(&mut self, found: &Found) -> anyhow::Result<()> {
        self.summary.differences += 1;
        let mut insert = self
            .file
            .prepare_cached("INSERT INTO differences (kind, order_id, found) VALUES (?1, ?2, ?3)")?;
        insert.execute(params![found.kind.as_str(), found.order_id, serde_json::to_string(found)?])?;
        Ok(())
    }

    /// Differences behind the one of this id, with their own.
    pub fn differences_after(&mut self, after: i64, limit: usize) -> anyhow::Result<Vec<(i64, Found)>> {
        let mut select = self
            .file
            .prepare_cached("SELECT id, found FROM differences WHERE id > ?1 ORDER BY id LIMIT ?2")?;
        let rows = select.query_map(params![after, i64::try_from(limit)?], |row| {
            Ok((row.get::<_, i64>(0)?, row.get::<_, String>(1)?))
        })?;
        let mut found = Vec::new();
        for row in rows {
            let (id, text) = row?;
            found.push((id, serde_json::from_str(&text)?));
        }
        Ok(found)
    }

    /// What is to be done about an order's differences, once it is known better.
    pub fn say_next(&mut self, order_id: &str, next: &str) -> anyhow::Result<()> {
        let mut update = self.file.prepare_cached(
            "UPDATE differences SET found = json_set(found, '$.next', ?2) WHERE order_id = ?1
             AND kind IN ('status', 'missing_there', 'refund')",
        )?;
        update.execute([order_id, next])?;
        Ok(())
    }

    /// How many there are of each kind.
    pub fn counts(&mut self) -> anyhow::Result<Vec<(Difference, u64)>> {
        let mut count = self.file.prepare_cached("SELECT count(*) FROM differences WHERE kind = ?1")?;
        let mut counts = Vec::new();
        for kind in Difference::ALL {
            let many: i64 = count.query_one([kind.as_str()], |row| row.get(0))?;
            counts.push((kind, u64::try_from(many)?));
        }
        Ok(counts)
    }

    /// Orders whose differences ScanForPay's answer may settle, behind the order of this id.
    pub fn to_ask_about(&mut self, after: &str, limit: usize) -> anyhow::Result<BTreeSet<String>> {
        let mut select = self.file.prepare_cached(
            "SELECT DISTINCT order_id FROM differences WHERE order_id > ?1
             AND kind IN ('status', 'missing_there', 'refund') ORDER BY order_id LIMIT ?2",
        )?;
        let rows = select.query_map(params![after, i64::try_from(limit)?], |row| row.get(0))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }
}
