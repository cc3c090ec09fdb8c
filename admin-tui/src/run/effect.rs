//! Effects, done. Each answers with an event.

use std::io::Write;
use std::path::PathBuf;
use std::sync::Arc;

use crossterm::clipboard::CopyToClipboard;
use crossterm::execute;
use shared::ops::{Login, Me};
use tokio::sync::mpsc::Sender;
use zeroize::Zeroize;

use crate::app::Tab;
use crate::client::{Client, Failure};
use crate::effects::{Act, Effect};
use crate::environment;
use crate::event::{Answer, Event, Loaded, LoggedIn};
use crate::session::{self, Kept, Target};

/// Rows of a page.
const PAGE: &str = "limit=100";

/// Who calls: kept in memory, to log in again before the token ends.
struct Known(Login);

impl Drop for Known {
    fn drop(&mut self) {
        self.0.password.zeroize();
    }
}

pub struct World {
    client: Arc<Client>,
    target: Arc<Target>,
    known: Option<Arc<Known>>,
    events: Sender<Event>,
}

impl World {
    pub fn new(client: Client, mut target: Target, events: Sender<Event>) -> Self {
        let known = target.login.take().map(|login| Arc::new(Known(login)));
        Self { client: Arc::new(client), target: Arc::new(target), known, events }
    }

    /// Come in without the form, with what was given or with the token of an earlier run. False: the form is needed.
    pub fn begin(&mut self) -> bool {
        let kept = self.target.kept(environment::now_ms());
        match (&self.known, kept) {
            (Some(_), _) => self.act(Effect::Renew),
            (None, Some(kept)) => {
                let client = Arc::clone(&self.client);
                self.spawn(async move { Answer::LoggedIn(come_back(&client, kept).await) });
            }
            (None, None) => return false,
        }
        true
    }

    fn spawn(&self, answer: impl Future<Output = Answer> + Send + 'static) {
        let events = self.events.clone();
        tokio::spawn(async move {
            let answer = answer.await;
            // The console may have ended meanwhile.
            let _ = events.send(Event::Answer(answer)).await;
        });
    }

    pub fn act(&mut self, effect: Effect) {
        let (client, target) = (Arc::clone(&self.client), Arc::clone(&self.target));
        match effect {
            Effect::LogIn { name, mut password } => {
                let known = Arc::new(Known(Login { name, password: std::mem::take(&mut *password) }));
                self.known = Some(Arc::clone(&known));
                self.spawn(async move { Answer::LoggedIn(log_in(&client, &target, &known.0).await) });
            }
            Effect::Renew => {
                let Some(known) = self.known.clone() else { return };
                self.spawn(async move { Answer::LoggedIn(log_in(&client, &target, &known.0).await) });
            }
            Effect::LogOut => {
                self.known = None;
                self.spawn(async move {
                    // Whether or not the gateway hears of it, this console knows the token no more.
                    let _ = client.post("/ops/v1/logout", None::<&()>).await;
                    client.set_token(None);
                    target.kept_at.iter().for_each(|path| session::forget(path));
                    Answer::LoggedOut
                });
            }
            Effect::Load { tab, next } => self.spawn(async move {
                let is_more = next.is_some();
                let path = next.unwrap_or_else(|| format!("{}?{PAGE}", tab.path()));
                Answer::Loaded { tab, is_more, result: load(&client, tab, &path).await }
            }),
            Effect::LoadFact(id) => self.spawn(async move {
                Answer::Fact(client.get(&format!("/ops/v1/quarantine/{}", segment(&id))).await.map(Box::new))
            }),
            Effect::Do { act, reason } => self.spawn(async move {
                let result = perform(&client, &act, &reason).await;
                Answer::Done(act, result)
            }),
            Effect::Copy(text) => {
                let copied = execute!(std::io::stdout(), CopyToClipboard::to_clipboard_from(text));
                self.spawn(async move { Answer::Copied(copied.map_err(|error| error.to_string())) });
            }
            Effect::Export { name, csv } => self.spawn(async move { Answer::Exported(export(name, &csv)) }),
            Effect::Suspend | Effect::Quit => {} // the terminal's own
        }
    }
}

async fn come_back(client: &Client, kept: Kept) -> Result<LoggedIn, Failure> {
    client.set_token(Some(kept.token));
    let me: Me = client.get("/ops/v1/me").await?;
    Ok(LoggedIn { me, paths: client.paths().await?, expires_at: kept.expires_at, can_renew: false })
}

async fn log_in(client: &Client, target: &Target, login: &Login) -> Result<LoggedIn, Failure> {
    let (me, expires_at) = enter(client, target, login).await?;
    Ok(LoggedIn { me, paths: client.paths().await?, expires_at, can_renew: true })
}

/// Log in, and keep the token. Gives who has come in, and until when.
pub async fn enter(client: &Client, target: &Target, login: &Login) -> Result<(Me, i64), Failure> {
    let session = client.log_in(login).await?;
    let lasts_ms = i64::try_from(session.expires_in).unwrap_or_default() * 1000;
    let expires_at = environment::now_ms() + lasts_ms;
    client.set_token(Some(session.token.clone()));
    if let Some(path) = &target.kept_at {
        let kept = Kept { url: target.url.as_str().to_owned(), token: session.token, expires_at };
        // Without it the next run asks for the password again, which is no reason to stop this one.
        let _ = session::keep(path, &kept);
    }
    Ok((session.operator, expires_at))
}

/// Read a page of a screen.
pub async fn load(client: &Client, tab: Tab, path: &str) -> Result<Loaded, Failure> {
    Ok(match tab {
        Tab::Attention => Loaded::Attention(client.page(path).await?),
        Tab::Platforms => Loaded::Platforms(client.page(path).await?),
        Tab::Operators => Loaded::Operators(client.page(path).await?),
        Tab::Audit => Loaded::Audit(client.page(path).await?),
        Tab::Health => Loaded::Health(client.get(Tab::Health.path()).await?),
    })
}

/// Do it at the gateway.
pub async fn perform(client: &Client, act: &Act, reason: &str) -> Result<(), Failure> {
    use shared::ops::{Decision, MatterToEnd, RefundApproval, RefundReason, RefundResolution};
    let reason = reason.to_owned();
    match act {
        Act::EndMatter { id } => {
            client
                .post(&format!("/ops/v1/attention/{}/end", segment(id)), Some(&MatterToEnd { reason }))
                .await
        }
        Act::ReleaseFact { id } => {
            client
                .post(&format!("/ops/v1/quarantine/{}/release", segment(id)), Some(&Decision { reason }))
                .await
        }
        Act::RejectFact { id } => {
            client
                .post(&format!("/ops/v1/quarantine/{}/reject", segment(id)), Some(&Decision { reason }))
                .await
        }
        Act::ApproveRefund { id } => {
            let word = RefundApproval::default();
            client.post(&format!("/ops/v1/refunds/{}/approve", segment(id)), Some(&word)).await
        }
        Act::DeclineRefund { id } => {
            client
                .post(&format!("/ops/v1/refunds/{}/decline", segment(id)), Some(&RefundReason { reason }))
                .await
        }
        Act::ResolveRefund { id, outcome } => {
            let said = RefundResolution { outcome: *outcome, reason };
            client.post(&format!("/ops/v1/refunds/{}/resolve", segment(id)), Some(&said)).await
        }
        Act::SetOperator { name, is_enabled } => {
            let how = if *is_enabled { "enable" } else { "disable" };
            client.post(&format!("/ops/v1/operators/{}/{how}", segment(name)), None::<&()>).await
        }
    }
}

/// As one segment of a path, whatever is in it.
pub fn segment(text: &str) -> String {
    url::form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>().replace('+', "%20")
}

/// A new file in this folder; nothing that is there is written over.
fn export(name: &str, csv: &str) -> Result<String, String> {
    let path = PathBuf::from(format!("{}-{}.csv", name.to_lowercase(), environment::now_ms()));
    let mut options = std::fs::OpenOptions::new();
    let written =
        options.write(true).create_new(true).open(&path).and_then(|mut file| file.write_all(csv.as_bytes()));
    written.map(|()| path.display().to_string()).map_err(|error| format!("Not written: {error}"))
}
