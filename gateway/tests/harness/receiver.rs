//! A receiver of events: keeps what it is sent, echoes challenges if it shall, and answers what it is told to.

use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use poem::endpoint::make;
use poem::listener::TcpAcceptor;
use poem::{Request, Response, Server};
use serde_json::{Value, json};
use tokio::sync::Semaphore;
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// One request.
#[derive(Debug, Clone)]
pub struct Heard {
    pub path: String,
    pub headers: HeaderMap,
    pub body: Bytes,
}

impl Heard {
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().expect("a header is text"))
    }

    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).expect("JSON")
    }

    /// What an event tells of: its type and its order's number.
    pub fn told(&self) -> (String, String) {
        let event = self.json();
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        (text(&event["type"]), text(&event["order"]["number"]))
    }
}

#[derive(Debug, Clone)]
struct Manners {
    echoes: bool,
    status: u16,
    body: String,
    headers: Vec<(String, String)>,
}

pub struct Receiver {
    base: String,
    heard: Arc<Mutex<Vec<Heard>>>,
    manners: Arc<Mutex<Manners>>,
    /// Answers that may go out, and how many events have come.
    answers: Arc<Semaphore>,
    came: watch::Sender<usize>,
    serving: JoinHandle<()>,
}

impl Receiver {
    /// It echoes challenges and acknowledges everything.
    pub async fn open() -> Self {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
        let base = format!("http://{}", listener.local_addr().expect("an address"));
        listener.set_nonblocking(true).expect("it is told so");
        let heard = Arc::new(Mutex::new(Vec::new()));
        let manners = Manners { echoes: true, status: 200, body: String::new(), headers: Vec::new() };
        let manners = Arc::new(Mutex::new(manners));
        let (keeping, answering) = (Arc::clone(&heard), Arc::clone(&manners));
        let answers = Arc::new(Semaphore::new(Semaphore::MAX_PERMITS / 2));
        let came = watch::Sender::new(0);
        let (letting, coming) = (Arc::clone(&answers), came.clone());
        let app = make(move |mut request: Request| {
            let (keeping, answering) = (Arc::clone(&keeping), Arc::clone(&answering));
            let (letting, coming) = (Arc::clone(&letting), coming.clone());
            async move {
                let body = request.take_body().into_bytes().await?;
                let path = request.original_uri().path().to_owned();
                let one = Heard { path, headers: request.headers().clone(), body };
                let answer = answered(&answering.lock().expect("nobody panicked"), &one);
                let is_event = !is_challenge(&one);
                keeping.lock().expect("nobody panicked").push(one);
                if is_event {
                    coming.send_modify(|count| *count += 1);
                    letting.acquire().await.expect("it is never closed").forget();
                }
                Ok::<_, poem::Error>(answer)
            }
        });
        let acceptor = TcpAcceptor::from_std(listener).expect("a listener");
        let serving = tokio::spawn(async move {
            Server::new_with_acceptor(acceptor).run(app).await.expect("it serves");
        });
        Self { base, heard, manners, answers, came, serving }
    }

    pub fn url(&self, path: &str) -> String {
        format!("{}{path}", self.base)
    }

    /// Events that it was sent, in the order in which they came; challenges are left out.
    pub fn events(&self) -> Vec<Heard> {
        let heard = self.heard.lock().expect("nobody panicked").clone();
        heard.into_iter().filter(|one| !is_challenge(one)).collect()
    }

    /// All of it.
    pub fn heard(&self) -> Vec<Heard> {
        self.heard.lock().expect("nobody panicked").clone()
    }

    /// From now on.
    pub fn answer(&self, status: u16, body: &str) {
        self.answer_with(status, body, &[]);
    }

    pub fn answer_with(&self, status: u16, body: &str, headers: &[(&str, &str)]) {
        let mut manners = self.manners.lock().expect("nobody panicked");
        manners.status = status;
        body.clone_into(&mut manners.body);
        manners.headers =
            headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    }

    /// Events are answered only once that is allowed; what each is answered is settled when it comes.
    pub fn hold(&self) {
        self.answers.forget_permits(Semaphore::MAX_PERMITS);
    }

    /// Let so many answers go, in the order in which their events came.
    pub fn let_go(&self, count: usize) {
        self.answers.add_permits(count);
    }

    /// Wait until so many events have come.
    pub async fn came(&self, count: usize) {
        self.came.subscribe().wait_for(|came| *came >= count).await.expect("it is there");
    }

    pub fn echoes(&self, echoes: bool) {
        self.manners.lock().expect("nobody panicked").echoes = echoes;
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

fn is_challenge(one: &Heard) -> bool {
    serde_json::from_slice::<Value>(&one.body).is_ok_and(|body| body["type"] == "endpoint.challenge")
}

fn answered(manners: &Manners, one: &Heard) -> Response {
    if manners.echoes && is_challenge(one) {
        let text = one.json()["challenge"].clone();
        return Response::builder().body(json!({ "challenge": text }).to_string());
    }
    let mut response = Response::builder().status(StatusCode::from_u16(manners.status).expect("a status"));
    for (name, value) in &manners.headers {
        response = response.header(name, value);
    }
    response.body(manners.body.clone())
}
