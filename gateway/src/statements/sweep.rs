//! Reconciliation by asking: each order of a period is asked about, within what the account's budget leaves for that.
//! What is learned has passed the gate by the time that it is told.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail};
use sea_orm::DatabaseConnection;

use super::compare::{of_order, written};
use super::ours::{Books, Ours};
use super::{Difference, Period, Scratch};
use crate::app::{App, Opened};
use crate::clock::Clock;
use crate::config::{Config, StoreUrl};
use crate::control::{self, Command, Outcome};
use crate::entity::account;
use crate::ledger::Writers;
use crate::orders::asking::{self, Said, Word};

/// Orders asked about with one command, side by side; its answer is due within a minute.
pub const TOGETHER: usize = 4;
/// Between two looks at a budget that is used up, at least.
const PAUSE: Duration = Duration::from_millis(100);

/// Who asks: the gateway that serves the store, or this process.
pub enum Asker {
    Gateway(PathBuf),
    /// With its writers where nobody else ends them.
    Own(Arc<App>, Option<Writers>),
}

impl Asker {
    pub async fn open(config: Config) -> anyhow::Result<Self> {
        if let StoreUrl::Sqlite(store) = &config.store.url
            && control::is_served(store).await?
        {
            return Ok(Self::Gateway(store.clone()));
        }
        let Opened { app, worker, writers } = App::open(config, Clock::system(), Vec::new()).await?;
        drop(worker);
        Ok(Self::Own(app, Some(writers)))
    }

    async fn ask(&self, orders: Vec<String>) -> anyhow::Result<Vec<Said>> {
        match self {
            Self::Own(app, _) => ask_all(app, orders).await,
            Self::Gateway(store) => match control::ask(store, &Command::Ask { orders }).await? {
                Outcome::Asked(said) => Ok(said),
                _ => bail!("the running gateway gave an answer of another version"),
            },
        }
    }

    /// About these orders, each until it was asked about.
    pub async fn ask_patiently(&self, orders: Vec<String>) -> anyhow::Result<Vec<Said>> {
        let (mut left, mut all) = (orders, Vec::new());
        while !left.is_empty() {
            let mut wait = None;
            let mut again = Vec::new();
            for said in self.ask(left).await? {
                if let Word::Over(ms) = said.said {
                    wait = wait.max(Some(Duration::from_millis(ms)));
                    again.push(said.order_id);
                } else {
                    all.push(said);
                }
            }
            left = again;
            if let Some(wait) = wait {
                tokio::time::sleep(wait.max(PAUSE)).await;
            }
        }
        Ok(all)
    }

    /// Write out what was begun.
    pub async fn close(self) {
        if let Self::Own(app, Some(writers)) = self {
            app.tasks.close();
            app.tasks.wait().await;
            drop(app.store.read.close_by_ref().await);
            drop(app);
            writers.finish().await;
        }
    }
}

/// Ask about these orders side by side.
pub async fn ask_all(app: &Arc<App>, orders: Vec<String>) -> anyhow::Result<Vec<Said>> {
    let questions = orders.iter().take(TOGETHER).map(|order_id| asking::ask(app, order_id));
    futures_util::future::join_all(questions).await.into_iter().collect()
}

/// Ask about every order of the period: what was paid, and what is not known to have ended well.
pub async fn sweep(
    read: &DatabaseConnection,
    account: account::Model,
    period: &Period,
    asker: &Asker,
    scratch: &mut Scratch,
) -> anyhow::Result<()> {
    let books = Books::of(read, account).await?;
    let mut after: Option<String> = None;
    loop {
        let (ours, next) = books.payments(period, after.as_deref()).await?;
        // With a question about the order its other calls are asked about, too.
        let ours: Vec<Ours> = ours.into_iter().map(|(ours, _)| ours).filter(Ours::is_counted).collect();
        scratch.summary.ours += ours.len() as u64;
        compare(&ours, asker, scratch).await?;
        match next {
            Some(next) => after = Some(next),
            None => break,
        }
    }
    after = None;
    loop {
        let (ours, next) = books.open_orders(period, after.as_deref()).await?;
        scratch.summary.ours += ours.len() as u64;
        compare(&ours, asker, scratch).await?;
        match next {
            Some(next) => after = Some(next),
            None => return Ok(()),
        }
    }
}

async fn compare(ours: &[Ours], asker: &Asker, scratch: &mut Scratch) -> anyhow::Result<()> {
    for some in ours.chunks(TOGETHER) {
        let ids = some.iter().map(|ours| ours.order.id.clone()).collect();
        for said in asker.ask_patiently(ids).await? {
            let ours = some.iter().find(|ours| ours.order.id == said.order_id);
            let ours = ours.context("an answer about an order that nobody asked about")?;
            scratch.summary.lines += 1;
            take(ours, &said, scratch)?;
        }
    }
    Ok(())
}

fn take(ours: &Ours, said: &Said, scratch: &mut Scratch) -> anyhow::Result<()> {
    let is_paid = ours.order.status().has_money();
    let here = format!("{}, {}", written(ours.submission.amount, &ours.submission.currency), said.before);
    let claim = match &said.said {
        Word::Nothing | Word::Over(_) => {
            scratch.summary.unanswered += 1;
            return Ok(());
        }
        Word::Held => {
            let found =
                of_order(ours, Difference::Amount, &here, "something else; it is among the held facts");
            return scratch.differ(&found);
        }
        Word::Claim(claim) => claim.as_deref().unwrap_or("nothing that is known"),
    };
    if is_paid && claim == "missing" {
        return scratch.differ(&of_order(ours, Difference::MissingThere, &here, "no such order"));
    }
    if said.before != said.after {
        let mut found = of_order(ours, Difference::Status, &here, claim);
        found.next = format!("settled by the answer: the order is {} now", said.after);
        return scratch.differ(&found);
    }
    if is_paid && !matches!(claim, "paid" | "refunded") {
        return scratch.differ(&of_order(ours, Difference::Status, &here, claim));
    }
    // Given back whole there, and not here.
    if claim == "refunded" && said.after != "refunded" {
        return scratch.differ(&of_order(ours, Difference::Refund, &here, claim));
    }
    Ok(())
}
