//! Effects, done. Each answers with an event.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crossterm::clipboard::CopyToClipboard;
use crossterm::execute;
use shared::ops::{Login, Me, Session};
use tokio::sync::mpsc::Sender;
use tokio::task::JoinHandle;
use zeroize::Zeroize;

use super::perform::perform;
use super::{rotate, stream};
use crate::app::Tab;
use crate::client::{Client, Failure};
use crate::effects::Effect;
use crate::environment;
use crate::event::{Answer, Event, Loaded, LoggedIn, Opened, Whole};
use crate::session::{self, Kept, Target};

const RENEW: &str = "/ops/v1/renew";

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
    /// Who hears the stream of changes.
    listening: Option<JoinHandle<()>>,
}

impl World {
    pub fn new(client: Client, mut target: Target, events: Sender<Event>) -> Self {
        let known = target.login.take().map(|login| Arc::new(Known(login)));
        Self { client: Arc::new(client), target: Arc::new(target), known, events, listening: None }
    }

    /// Come in without the form, with what was given or with the token of an earlier run. False: the form is needed.
    pub fn begin(&mut self) -> bool {
        if let Some(filters) = self.target.filters() {
            self.spawn(async move { Answer::Filters(filters) });
        }
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
                let known = self.known.clone();
                self.spawn(async move {
                    Answer::LoggedIn(match known {
                        Some(known) => log_in(&client, &target, &known.0).await,
                        None => renew(&client, &target).await,
                    })
                });
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
            Effect::Load { tab, path, is_more } => self.spawn(async move {
                let result = load(&client, tab, &path).await;
                Answer::Loaded { tab, path, is_more, result }
            }),
            Effect::LoadWhole { tab, id } => self.spawn(async move {
                let result = whole(&client, tab, &id).await;
                Answer::Opened { id, result }
            }),
            Effect::Find(number) => self.spawn(async move {
                let path = format!("/ops/v1/find?number={}", segment(&number));
                let result = client.page(&path).await.map(|page| page.rows);
                Answer::Found { number, result }
            }),
            Effect::Preview(what) => self.spawn(async move {
                Answer::Previewed(client.ask("/ops/v1/replays", Some(&what)).await.map(Box::new))
            }),
            Effect::Listen { stream, path } => {
                if let Some(before) = self.listening.take() {
                    before.abort();
                }
                let listen = |path| tokio::spawn(stream::listen(client, path, stream, self.events.clone()));
                self.listening = path.map(listen);
            }
            Effect::KeepFilters(filters) => {
                if let Some(path) = target.filters_at() {
                    // Without it the next run does not know them, which stops nobody.
                    let _ = session::keep(&path, &filters);
                }
            }
            Effect::LoadFact(id) => self.spawn(async move {
                Answer::Fact(client.get(&format!("/ops/v1/quarantine/{}", segment(&id))).await.map(Box::new))
            }),
            Effect::LoadBytes { order_id, entry_id } => self.spawn(async move {
                let path = format!("/ops/v1/orders/{}/entries/{}", segment(&order_id), segment(&entry_id));
                let result = client.get(&path).await;
                Answer::Bytes { entry_id, result }
            }),
            Effect::Do { act, reason } => self.spawn(async move {
                let result = perform(&client, &act, &reason).await;
                Answer::Done(act, result)
            }),
            Effect::Rotate { merchant_id, partner_no, asked } => self.spawn(async move {
                let folder = target.kept_at.as_deref().and_then(Path::parent);
                let rotated = match rotate::path_in(folder, &partner_no, environment::now_ms()) {
                    Ok(path) => rotate::rotate(&client, &merchant_id, &asked, &path).await,
                    Err(none) => Err(none),
                };
                Answer::Rotated(rotated)
            }),
            Effect::Copy { text, told } => {
                let copied = execute!(std::io::stdout(), CopyToClipboard::to_clipboard_from(text));
                let copied = copied.map(|()| told).map_err(|error| error.to_string());
                self.spawn(async move { Answer::Copied(copied) });
            }
            Effect::Export { name, extension, text } => {
                self.spawn(async move { Answer::Exported(export(name, extension, &text)) });
            }
            Effect::Suspend | Effect::Quit => {} // the terminal's own
        }
    }
}

async fn come_back(client: &Client, kept: Kept) -> Result<LoggedIn, Failure> {
    client.set_token(Some(kept.token));
    let me: Me = client.get("/ops/v1/me").await?;
    let paths = client.paths().await?;
    Ok(LoggedIn { me, expires_at: kept.expires_at, can_renew: paths.contains(RENEW), paths })
}

async fn log_in(client: &Client, target: &Target, login: &Login) -> Result<LoggedIn, Failure> {
    let (me, expires_at) = enter(client, target, login).await?;
    Ok(LoggedIn { me, paths: client.paths().await?, expires_at, can_renew: true })
}

/// A new token for the one that ends soon.
async fn renew(client: &Client, target: &Target) -> Result<LoggedIn, Failure> {
    let (me, expires_at) =
        begin(client, target, client.ask(RENEW, None::<&()>).await.map_err(Failure::of_no_change)?);
    Ok(LoggedIn { me, paths: client.paths().await?, expires_at, can_renew: true })
}

/// Log in, and keep the token. Gives who has come in, and until when.
pub async fn enter(client: &Client, target: &Target, login: &Login) -> Result<(Me, i64), Failure> {
    Ok(begin(client, target, client.log_in(login).await?))
}

fn begin(client: &Client, target: &Target, session: Session) -> (Me, i64) {
    let lasts_ms = i64::try_from(session.expires_in).unwrap_or_default() * 1000;
    let expires_at = environment::now_ms() + lasts_ms;
    client.set_token(Some(session.token.clone()));
    if let Some(path) = &target.kept_at {
        let kept = Kept { url: target.url.as_str().to_owned(), token: session.token, expires_at };
        // Without it the next run asks for the password again, which is no reason to stop this one.
        let _ = session::keep(path, &kept);
    }
    (session.operator, expires_at)
}

/// Read a page of a screen.
pub async fn load(client: &Client, tab: Tab, path: &str) -> Result<Loaded, Failure> {
    Ok(match tab {
        Tab::Overview => Loaded::Overview(client.get(path).await?),
        Tab::Orders => Loaded::Orders(client.page(path).await?),
        Tab::Deliveries => Loaded::Deliveries(client.page(path).await?),
        Tab::Endpoints => Loaded::Endpoints(client.page(path).await?),
        Tab::Replays => Loaded::Replays(client.page(path).await?),
        Tab::Merchants => Loaded::Merchants(client.page(path).await?),
        Tab::Attention => Loaded::Attention(client.page(path).await?),
        Tab::Platforms => Loaded::Platforms(client.page(path).await?),
        Tab::Operators => Loaded::Operators(client.page(path).await?),
        Tab::Audit => Loaded::Audit(client.page(path).await?),
        Tab::Health => Loaded::Health(client.get(Tab::Health.path()).await?),
    })
}

/// A row with everything about it, and as the gateway wrote it.
pub async fn whole(client: &Client, tab: Tab, id: &str) -> Result<Opened, Failure> {
    let raw = client.text(&format!("{}/{}", tab.path(), segment(id))).await?;
    let unreadable = |error: serde_json::Error| Failure::Unreadable(error.to_string());
    let whole = match tab {
        Tab::Orders => Whole::Order(serde_json::from_str(&raw).map_err(unreadable)?),
        Tab::Deliveries => Whole::Delivery(serde_json::from_str(&raw).map_err(unreadable)?),
        _ => Whole::Merchant(serde_json::from_str(&raw).map_err(unreadable)?),
    };
    Ok(Opened { whole, raw })
}

/// As one segment of a path, whatever is in it.
pub fn segment(text: &str) -> String {
    url::form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>().replace('+', "%20")
}

/// A new file in this folder; nothing that is there is written over.
fn export(name: &str, extension: &str, text: &str) -> Result<String, String> {
    let path = PathBuf::from(format!("{}-{}.{extension}", name.to_lowercase(), environment::now_ms()));
    let mut options = std::fs::OpenOptions::new();
    let written =
        options.write(true).create_new(true).open(&path).and_then(|mut file| file.write_all(text.as_bytes()));
    written.map(|()| path.display().to_string()).map_err(|error| format!("Not written: {error}"))
}
