//! A way to PostgreSQL that can be cut at a chosen point: in front of a statement, in front of a COMMIT, or
//! between a COMMIT and its answer.

use std::collections::VecDeque;
use std::io;
use std::str::FromStr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use gateway::ledger::{Connector, Settings};
use sqlx::postgres::PgConnectOptions;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::kit::{Rig, Running};

/// What becomes of a COMMIT.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    Passes,
    /// It never reaches the server: not committed.
    Lost,
    /// The server answers, and the answer never arrives: committed.
    AnswerLost,
    /// The server's answer arrives only once it is let go.
    AnswerHeld,
}

pub struct Proxy {
    port: u16,
    shared: Arc<Shared>,
    accepting: JoinHandle<()>,
}

struct Shared {
    server: String,
    plan: Mutex<Plan>,
    commits: watch::Sender<usize>,
    reachable: watch::Sender<bool>,
    held: watch::Sender<bool>,
    /// Connections there are.
    sessions: watch::Sender<usize>,
    /// Connections that were asked for and not given.
    turned_away: watch::Sender<usize>,
}

#[derive(Default)]
struct Plan {
    /// Of the coming COMMITs; those after them pass. The second: nobody gets through afterwards.
    fates: VecDeque<(Fate, bool)>,
    cut_before: Option<&'static str>,
}

impl Proxy {
    /// To the server of this URL.
    pub async fn to(url: &str) -> Self {
        let url = url::Url::parse(url).expect("a URL");
        let server = format!("{}:{}", url.host_str().expect("a host"), url.port().expect("a port"));
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let shared = Arc::new(Shared {
            server,
            plan: Mutex::default(),
            commits: watch::Sender::new(0),
            reachable: watch::Sender::new(true),
            held: watch::Sender::new(false),
            sessions: watch::Sender::new(0),
            turned_away: watch::Sender::new(0),
        });
        let accepting = tokio::spawn(accept(listener, shared.clone()));
        Self { port, shared, accepting }
    }

    pub fn next_commit(&self, fate: Fate) {
        self.shared.plan().fates.push_back((fate, false));
    }

    /// …after which nobody gets through until `open`.
    pub fn last_commit(&self, fate: Fate) {
        self.shared.plan().fates.push_back((fate, true));
    }

    /// Cut the connection in front of the next statement that has `text` in it, once, and let nobody through
    /// until `open`.
    pub fn shut_before(&self, text: &'static str) {
        self.shared.plan().cut_before = Some(text);
    }

    /// Cut what there is and let nobody through.
    pub async fn shut(&self) {
        self.shared.reachable.send_replace(false);
        self.shared
            .sessions
            .subscribe()
            .wait_for(|sessions| *sessions == 0)
            .await
            .expect("the proxy is there");
    }

    /// Wait until somebody was turned away.
    pub async fn turned_somebody_away(&self) {
        self.shared.turned_away.subscribe().wait_for(|times| *times > 0).await.expect("the proxy is there");
    }

    pub fn open(&self) {
        self.shared.reachable.send_replace(true);
    }

    pub async fn is_shut(&self) {
        self.shared.reachable.subscribe().wait_for(|reachable| !reachable).await.expect("the proxy is there");
    }

    /// How many COMMITs were sent, whatever became of them.
    pub fn commits(&self) -> usize {
        *self.shared.commits.borrow()
    }

    /// Wait until the answer to a COMMIT is here and held.
    pub async fn holds_an_answer(&self) {
        self.shared.held.subscribe().wait_for(|held| *held).await.expect("the proxy is there");
    }

    pub fn let_the_answer_go(&self) {
        self.shared.held.send_replace(false);
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

impl Shared {
    fn plan(&self) -> MutexGuard<'_, Plan> {
        self.plan.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn shut_if(&self, then_shut: bool) {
        if then_shut {
            self.reachable.send_replace(false);
        }
    }
}

/// A ledger whose way to the rig's PostgreSQL leads through a proxy.
pub async fn behind_proxy(rig: &Rig, patience: Duration) -> (Running, Proxy) {
    let proxy = Proxy::to(&rig.url).await;
    let options = PgConnectOptions::from_str(&rig.url).expect("PostgreSQL's URL").port(proxy.port);
    let settings = Settings { patience, ..Rig::settings() };
    (Running::start(Connector::Postgres(Box::new(options)), settings).await, proxy)
}

async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    while let Ok((client, _)) = listener.accept().await {
        if *shared.reachable.borrow() {
            let shared = shared.clone();
            shared.sessions.send_modify(|sessions| *sessions += 1);
            tokio::spawn(async move {
                // However it ends, both sides have lost their connection.
                let _ = session(client, &shared).await;
                shared.sessions.send_modify(|sessions| *sessions -= 1);
            });
        } else {
            shared.turned_away.send_modify(|times| *times += 1);
        }
    }
}

async fn session(client: TcpStream, shared: &Shared) -> io::Result<()> {
    let server = TcpStream::connect(&shared.server).await?;
    client.set_nodelay(true)?;
    server.set_nodelay(true)?;
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_server, mut to_server) = server.into_split();
    start_up(&mut from_client, &mut to_client, &mut from_server, &mut to_server).await?;
    let (fate, of_answer) = watch::channel((Fate::Passes, false));
    let mut reachable = shared.reachable.subscribe();
    tokio::select! {
        ended = questions(from_client, to_server, shared, fate) => ended,
        ended = answers(from_server, to_client, shared, of_answer) => ended,
        _ = reachable.wait_for(|reachable| !reachable) => Ok(()),
    }
}

/// The first packets have no type; a request for encryption is answered by one byte.
async fn start_up(
    from_client: &mut OwnedReadHalf,
    to_client: &mut OwnedWriteHalf,
    from_server: &mut OwnedReadHalf,
    to_server: &mut OwnedWriteHalf,
) -> io::Result<()> {
    const SSL_REQUEST: [u8; 4] = 80_877_103_u32.to_be_bytes();
    loop {
        let packet = with_length(from_client, Vec::new()).await?;
        to_server.write_all(&packet).await?;
        if packet[4..8] != SSL_REQUEST {
            return Ok(());
        }
        to_client.write_u8(from_server.read_u8().await?).await?;
    }
}

async fn questions(
    mut client: OwnedReadHalf,
    mut server: OwnedWriteHalf,
    shared: &Shared,
    fate_of_answer: watch::Sender<(Fate, bool)>,
) -> io::Result<()> {
    loop {
        let message = message(&mut client).await?;
        if is_cut_before(&message, shared) {
            shared.shut_if(true);
            return Ok(());
        }
        if is_commit(&message) {
            let (fate, then_shut) = shared.plan().fates.pop_front().unwrap_or((Fate::Passes, false));
            shared.commits.send_modify(|commits| *commits += 1);
            if fate == Fate::Lost {
                shared.shut_if(then_shut);
                return Ok(());
            }
            fate_of_answer.send_replace((fate, then_shut));
        }
        server.write_all(&message).await?;
    }
}

async fn answers(
    mut server: OwnedReadHalf,
    mut client: OwnedWriteHalf,
    shared: &Shared,
    fate: watch::Receiver<(Fate, bool)>,
) -> io::Result<()> {
    loop {
        let message = message(&mut server).await?;
        let ends_transaction =
            message[0] == b'E' || (message[0] == b'C' && message[5..].starts_with(b"COMMIT"));
        let (fate, then_shut) = *fate.borrow();
        match fate {
            Fate::AnswerLost if ends_transaction => {
                shared.shut_if(then_shut);
                return Ok(());
            }
            Fate::AnswerHeld if ends_transaction => {
                shared.held.send_replace(true);
                shared.held.subscribe().wait_for(|held| !held).await.map_err(io::Error::other)?;
            }
            _ => {}
        }
        client.write_all(&message).await?;
    }
}

fn is_commit(message: &[u8]) -> bool {
    message[0] == b'Q' && &message[5..] == b"COMMIT\0"
}

/// A statement is sent as text by Query or Parse.
fn is_cut_before(message: &[u8], shared: &Shared) -> bool {
    let mut plan = shared.plan();
    let hit = matches!(message[0], b'Q' | b'P')
        && plan
            .cut_before
            .is_some_and(|text| message.windows(text.len()).any(|part| part == text.as_bytes()));
    if hit {
        plan.cut_before = None;
    }
    hit
}

/// A type, a length, and what belongs to it.
async fn message(from: &mut OwnedReadHalf) -> io::Result<Vec<u8>> {
    let kind = from.read_u8().await?;
    with_length(from, vec![kind]).await
}

async fn with_length(from: &mut OwnedReadHalf, mut packet: Vec<u8>) -> io::Result<Vec<u8>> {
    let length = from.read_u32().await?;
    packet.extend(length.to_be_bytes());
    let start = packet.len();
    packet.resize(start + length as usize - 4, 0);
    from.read_exact(&mut packet[start..]).await?;
    Ok(packet)
}
