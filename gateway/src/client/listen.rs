//! `scangate client listen`: fetches a merchant's events as they are told and posts each to a program on the developer's
//! machine, in the form and with the kind of signature that a registered endpoint gets. The gateway's feed goes on where it
//! was left, so a broken connection, a receiver that restarts and, with `--state`, a restart of this command lose nothing.

mod feed;
mod kept;
mod receiver;

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, ValueEnum};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use url::Url;

use self::feed::{Event, Feed, Page};
use self::kept::Kept;
use self::receiver::{Answer, Receiver, Secret};
use super::Usage;
use super::report::printable;
use super::rest::{RestArgs, Trouble};
use crate::clock::Clock;
use crate::lifecycle;

/// The gateway is asked again after 1, 2, 4, … seconds, but never later than after this many.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// A receiver is waited for at its user's elbow.
const RECEIVERS_LONGEST_PAUSE: Duration = Duration::from_secs(4);
/// Between two questions of which the first was answered at once, and with nothing.
const SHORTEST_ROUND: Duration = Duration::from_secs(1);

#[derive(Debug, Args)]
pub struct ListenArgs {
    #[command(flatten)]
    rest: RestArgs,
    /// Where each event is posted to, such as `http://127.0.0.1:3000/webhooks`
    #[arg(long, value_name = "URL", value_parser = receiver::url)]
    forward_to: Url,
    /// A type of event, such as `order.paid`; given several times, any of them. All of them unless given
    #[arg(long = "type", value_name = "T")]
    kinds: Vec<String>,
    /// Where to begin: with the next event there will be, or with the oldest there is
    #[arg(long, value_enum, default_value_t = Start::Now)]
    from: Start,
    /// A file that keeps how far it got, so that the next run goes on there
    #[arg(long, value_name = "FILE")]
    state: Option<PathBuf>,
    /// A file with the secret (`whsec_…`) that events are signed with, or the environment variable
    /// `SCANGATE_CLIENT_WEBHOOK_SECRET`. Without either, one is made and shown
    #[arg(long, value_name = "FILE")]
    secret_file: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Start {
    Now,
    Oldest,
}

/// What is listened to, and who is told.
pub(super) struct Listening {
    feed: Feed,
    receiver: Receiver,
    kept: Kept,
    start: Start,
}

impl ListenArgs {
    pub(super) fn prepare(self, clock: Clock) -> Result<Listening, Usage> {
        let feed = Feed::new(self.rest.resolve()?, self.kinds);
        let given = Secret::given(self.secret_file.as_deref())?;
        let mut kept = match self.state {
            None => Kept::nowhere(feed.source()),
            Some(file) => Kept::open(file, feed.source())?,
        };
        let secret = match given.or_else(|| kept.secret()) {
            Some(secret) => secret,
            None => kept.keep_secret(Secret::made()),
        };
        let receiver = Receiver { url: self.forward_to, secret, clock };
        Ok(Listening { feed, receiver, kept, start: self.from })
    }
}

/// Events that came while nobody listened.
struct Missed {
    count: u64,
    unacknowledged: u64,
}

impl Missed {
    const NONE: Self = Self { count: 0, unacknowledged: 0 };

    fn told(&self) -> String {
        let failed = match self.unacknowledged {
            0 => String::new(),
            some => format!(", of which {some} not acknowledged"),
        };
        match self.count {
            0 => "nothing was told meanwhile".to_owned(),
            1 => format!("up to date: 1 event was told meanwhile{failed}"),
            count => format!("up to date: {count} events were told meanwhile{failed}"),
        }
    }
}

/// What was forwarded since the start.
#[derive(Default)]
struct Total {
    forwarded: u64,
    unacknowledged: u64,
}

/// Listen until a signal. Exit code 0 then, 1 where the gateway refuses, or is not there at the beginning.
pub(super) async fn run(listening: Listening, out: &mut impl Write) -> anyhow::Result<ExitCode> {
    let stop = CancellationToken::new();
    lifecycle::signals(stop.clone())?;
    let mut session = Session { listening, total: Total::default(), missed: None, lost_at: None, stop };
    let ended = session.run(out).await;
    let Total { forwarded, unacknowledged } = session.total;
    eprintln!("{forwarded} forwarded, {unacknowledged} not acknowledged");
    Ok(match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    })
}

struct Session {
    listening: Listening,
    total: Total,
    /// While it catches up.
    missed: Option<Missed>,
    /// When the gateway was found gone.
    lost_at: Option<Instant>,
    stop: CancellationToken,
}

impl Session {
    async fn run(&mut self, out: &mut impl Write) -> anyhow::Result<()> {
        if !self.begin(out).await? {
            return Ok(());
        }
        let mut failures = 0;
        while !self.stop.is_cancelled() {
            let asked_at = Instant::now();
            let (place, waits) = (self.listening.kept.cursor(), self.missed.is_none());
            let page = self.listening.feed.page(place, waits);
            let Some(page) = self.stop.run_until_cancelled(page).await else { break };
            match page {
                Ok(page) => {
                    failures = 0;
                    self.found_again();
                    let is_idle = page.is_empty() && !page.more;
                    self.take(page, out).await?;
                    if waits && is_idle {
                        self.rest_until(asked_at + SHORTEST_ROUND).await;
                    }
                }
                Err(Trouble::Away(why)) => {
                    self.lost(&why);
                    self.rest_until(Instant::now() + pause(failures, LONGEST_PAUSE)).await;
                    failures += 1;
                }
                Err(refused) => return Err(refused.into()),
            }
        }
        Ok(())
    }

    /// The first word with the gateway. False: it was stopped before that.
    async fn begin(&mut self, out: &mut impl Write) -> anyhow::Result<bool> {
        let Listening { feed, receiver, kept, start } = &mut self.listening;
        let start = kept.cursor().is_none().then_some(*start);
        let Some(place) = self.stop.run_until_cancelled(feed.begin(start)).await else { return Ok(false) };
        let place = place?;
        writeln!(out, "listening at {}, forwarding to {}", feed.base(), printable(receiver.url.as_str()))?;
        writeln!(out, "signed with {}", receiver.secret.told())?;
        if kept.cursor().is_some() {
            self.missed = Some(Missed::NONE);
            eprintln!("going on where the last run stopped");
        } else {
            kept.reached(place)?;
        }
        out.flush()?;
        Ok(true)
    }

    fn lost(&mut self, why: &anyhow::Error) {
        if self.lost_at.is_none() {
            self.lost_at = Some(Instant::now());
            eprintln!("disconnected: {why:#}; trying again until the gateway is back");
        }
        self.missed.get_or_insert(Missed::NONE);
    }

    fn found_again(&mut self) {
        if let Some(lost_at) = self.lost_at.take() {
            eprintln!("connected again after {} s, going on where it stopped", lost_at.elapsed().as_secs());
        }
    }

    /// Forward what is new on a page, and keep that it is done.
    async fn take(&mut self, page: Page, out: &mut impl Write) -> anyhow::Result<()> {
        for event in page.behind(self.listening.kept.last()) {
            let Some(answer) = self.forward(event).await else { return Ok(()) };
            writeln!(out, "{}  {answer}", event.told())?;
            out.flush()?;
            self.listening.kept.forwarded(&event.id)?;
            self.total.forwarded += 1;
            let failed = u64::from(!answer.is_acknowledgement());
            self.total.unacknowledged += failed;
            if let Some(missed) = &mut self.missed {
                missed.count += 1;
                missed.unacknowledged += failed;
            }
        }
        if !page.more
            && let Some(missed) = self.missed.take()
        {
            eprintln!("{}", missed.told());
        }
        self.listening.kept.reached(page.next)
    }

    /// What the receiver answers, once it is there. `None`: stopped before that.
    async fn forward(&self, event: &Event) -> Option<Answer> {
        let receiver = &self.listening.receiver;
        for failures in 0.. {
            match self.stop.run_until_cancelled(receiver.post(event)).await? {
                Ok(answer) => return Some(answer),
                Err(unreachable) if failures == 0 => {
                    eprintln!("{unreachable:#}\n  {} and what follows wait for it", event.name());
                }
                Err(_) => {}
            }
            self.rest_until(Instant::now() + pause(failures, RECEIVERS_LONGEST_PAUSE)).await;
        }
        None
    }

    async fn rest_until(&self, time: Instant) {
        self.stop.run_until_cancelled(tokio::time::sleep_until(time)).await;
    }
}

/// Before the next try after so many failures besides the first.
fn pause(failures: u32, longest: Duration) -> Duration {
    Duration::from_secs(1 << failures.min(10)).min(longest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_the_longest() {
        let seconds = |failures| pause(failures, LONGEST_PAUSE).as_secs();
        assert_eq!([0, 1, 2, 3, 4, 5, 6, 1_000].map(seconds), [1, 2, 4, 8, 16, 30, 30, 30]);
    }

    #[test]
    fn what_was_missed_is_counted_and_so_is_what_was_not_acknowledged() {
        let told = |count, unacknowledged| Missed { count, unacknowledged }.told();
        assert_eq!(told(0, 0), "nothing was told meanwhile");
        assert_eq!(told(1, 0), "up to date: 1 event was told meanwhile");
        assert_eq!(told(3, 2), "up to date: 3 events were told meanwhile, of which 2 not acknowledged");
    }
}
