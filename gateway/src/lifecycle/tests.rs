use std::sync::atomic::{AtomicBool, Ordering};

use poem::Request;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::*;

/// Longer than anything here takes. A test that waits for what never comes fails by it.
const LONG: Duration = Duration::from_mins(1);
const SHORT: Duration = Duration::from_millis(100);

const GENEROUS: Settings =
    Settings { max_connections: 16, header_timeout: LONG, idle_timeout: LONG, shutdown_grace: LONG };

const GET: &str = "GET / HTTP/1.1\r\nHost: test\r\n\r\n";

/// A server on a port of its own.
struct Running {
    address: SocketAddr,
    stop: CancellationToken,
    served: JoinHandle<Stopped>,
}

impl Running {
    async fn start<E>(endpoint: E, settings: Settings) -> Self
    where
        E: IntoEndpoint,
        E::Endpoint: 'static,
    {
        let listener = bind(([127, 0, 0, 1], 0).into(), "--listen").await.expect("port 0 is always free");
        let address = listener.local_addr().expect("it is bound");
        let stop = CancellationToken::new();
        let served = tokio::spawn(serve(listener, endpoint.into_endpoint(), settings, stop.clone()));
        Self { address, stop, served }
    }

    async fn connect(&self) -> Client {
        Client(TcpStream::connect(self.address).await.expect("the server listens"))
    }

    async fn stopped(self) -> Stopped {
        self.stop.cancel();
        within(self.served).await.expect("serving does not panic")
    }
}

struct Client(TcpStream);

impl Client {
    async fn send(&mut self, text: &str) {
        self.0.write_all(text.as_bytes()).await.expect("the connection is open");
    }

    /// The next answer; its body must be as long as its header says.
    async fn answer(&mut self) -> String {
        let mut answer = Vec::new();
        loop {
            let mut byte = [0];
            let read = within(self.0.read(&mut byte)).await.expect("the connection is open");
            assert_eq!(read, 1, "closed after {:?}", String::from_utf8_lossy(&answer));
            answer.push(byte[0]);
            let text = String::from_utf8_lossy(&answer).to_lowercase();
            if let Some((head, body)) = text.split_once("\r\n\r\n") {
                let length = head.split_once("content-length: ").map_or("0", |(_, rest)| rest);
                let length: usize = length.lines().next().and_then(|n| n.parse().ok()).expect("a length");
                if body.len() == length {
                    return text;
                }
            }
        }
    }

    /// Waits until the server has closed the connection; gives what came before.
    async fn closed(&mut self) -> String {
        let mut rest = Vec::new();
        match within(self.0.read_to_end(&mut rest)).await {
            Ok(_) => {}
            Err(error) => assert_eq!(error.kind(), io::ErrorKind::ConnectionReset),
        }
        String::from_utf8_lossy(&rest).into_owned()
    }
}

async fn within<F: Future>(future: F) -> F::Output {
    tokio::time::timeout(LONG, future).await.expect("this comes in time")
}

fn hello() -> impl Endpoint {
    poem::endpoint::make_sync(|_| "hello")
}

/// Says when a request has come in, and answers when it is let go.
fn held() -> (impl Endpoint, mpsc::UnboundedReceiver<()>, Arc<Semaphore>) {
    let (entered, entries) = mpsc::unbounded_channel();
    let gate = Arc::new(Semaphore::new(0));
    let inner = Arc::clone(&gate);
    let endpoint = poem::endpoint::make(move |_: Request| {
        let (entered, gate) = (entered.clone(), Arc::clone(&inner));
        async move {
            entered.send(()).map_err(poem::error::InternalServerError)?;
            gate.acquire().await.map_err(poem::error::InternalServerError)?.forget();
            Ok::<_, poem::Error>("done")
        }
    });
    (endpoint, entries, gate)
}

#[tokio::test]
async fn several_requests_are_answered_on_one_connection() {
    let server = Running::start(hello(), GENEROUS).await;
    let mut client = server.connect().await;
    for _ in 0..3 {
        client.send(GET).await;
        assert!(client.answer().await.ends_with("hello"));
    }
    assert_eq!(server.stopped().await, Stopped { cut: 0 });
}

#[tokio::test]
async fn a_client_that_drips_its_headers_is_cut_off() {
    let server = Running::start(hello(), Settings { header_timeout: SHORT, ..GENEROUS }).await;
    let (mut reader, mut writer) = server.connect().await.0.into_split();
    writer.write_all(b"GET / HTTP/1.1\r\nX-Drip: ").await.expect("the connection is open");
    let drip = async {
        let mut tick = tokio::time::interval(SHORT / 10);
        loop {
            tick.tick().await;
            if writer.write_all(b"x").await.is_err() {
                return;
            }
        }
    };
    let mut answer = Vec::new();
    let closed = async {
        let _ = reader.read_to_end(&mut answer).await;
    };
    within(async { tokio::join!(drip, closed) }).await;
    assert!(answer.is_empty());
}

#[tokio::test]
async fn a_client_that_says_nothing_at_all_is_cut_off() {
    let server = Running::start(hello(), Settings { header_timeout: SHORT, ..GENEROUS }).await;
    assert_eq!(server.connect().await.closed().await, "");
}

#[tokio::test]
async fn a_connection_without_a_second_request_is_closed() {
    let server = Running::start(hello(), Settings { idle_timeout: SHORT, ..GENEROUS }).await;
    let mut client = server.connect().await;
    client.send(GET).await;
    client.answer().await;
    assert_eq!(client.closed().await, "");
}

#[tokio::test]
async fn a_client_that_does_not_take_its_answer_is_cut_off() {
    let large = poem::endpoint::make_sync(|_| vec![b'x'; 64 << 20]);
    let settings = Settings { idle_timeout: SHORT, max_connections: 1, ..GENEROUS };
    let server = Running::start(large, settings).await;
    let mut stalled = server.connect().await;
    stalled.send(GET).await;
    // There is one place: the second client is heard only once the first has lost it.
    let mut second = server.connect().await;
    second.send(GET).await;
    let mut first_byte = [0];
    assert_eq!(within(second.0.read(&mut first_byte)).await.expect("it is served"), 1);
}

#[tokio::test]
async fn a_request_that_takes_long_is_not_cut_off_by_the_timeouts_of_the_connection() {
    let (endpoint, mut entries, gate) = held();
    let settings = Settings { header_timeout: SHORT, idle_timeout: SHORT, ..GENEROUS };
    let server = Running::start(endpoint, settings).await;
    let mut client = server.connect().await;
    client.send(GET).await;
    within(entries.recv()).await;
    // A client of the same age that is silent marks the time.
    server.connect().await.closed().await;
    gate.add_permits(1);
    assert!(client.answer().await.ends_with("done"));
}

#[tokio::test]
async fn beyond_the_limit_connections_wait_and_get_their_turn() {
    let (endpoint, mut entries, gate) = held();
    let server = Running::start(endpoint, Settings { max_connections: 1, ..GENEROUS }).await;
    let mut first = server.connect().await;
    first.send(GET).await;
    within(entries.recv()).await;
    let mut second = server.connect().await;
    second.send(GET).await;
    gate.add_permits(2);
    let answer = first.answer().await;
    assert!(answer.contains("connection: close") && answer.ends_with("done"), "{answer}");
    assert!(second.answer().await.ends_with("done"));
}

#[tokio::test]
async fn a_stop_finishes_what_is_under_way_and_takes_nothing_new() {
    let (endpoint, mut entries, gate) = held();
    let server = Running::start(endpoint, GENEROUS).await;
    let mut idle = server.connect().await;
    let mut busy = server.connect().await;
    busy.send(GET).await;
    within(entries.recv()).await;

    server.stop.cancel();
    assert_eq!(idle.closed().await, "");
    // The idle connection was closed after the listener.
    assert!(TcpStream::connect(server.address).await.is_err());
    gate.add_permits(1);
    let answer = busy.answer().await;
    assert!(answer.contains("connection: close") && answer.ends_with("done"), "{answer}");
    assert_eq!(server.stopped().await, Stopped { cut: 0 });
}

#[tokio::test]
async fn when_the_grace_is_over_what_is_left_is_cut_off_and_counted() {
    let (endpoint, mut entries, _gate) = held();
    let server = Running::start(endpoint, Settings { shutdown_grace: SHORT, ..GENEROUS }).await;
    let mut client = server.connect().await;
    client.send(GET).await;
    within(entries.recv()).await;
    assert_eq!(server.stopped().await, Stopped { cut: 1 });
    assert_eq!(client.closed().await, "");
}

#[tokio::test]
async fn a_panic_is_answered_with_500_and_nothing_of_it_and_the_server_lives_on() {
    let endpoint = poem::endpoint::make_sync(|request: Request| -> &'static str {
        assert!(request.uri().path() != "/panic", "the inside of the gateway");
        "hello"
    });
    let server = Running::start(endpoint, GENEROUS).await;
    let mut client = server.connect().await;
    client.send("GET /panic HTTP/1.1\r\nHost: test\r\n\r\n").await;
    let answer = client.answer().await;
    assert!(answer.starts_with("http/1.1 500") && !answer.contains("inside"), "{answer}");
    client.send(GET).await;
    assert!(client.answer().await.ends_with("hello"));
}

#[tokio::test]
async fn a_head_that_is_too_long_or_has_too_many_lines_is_refused() {
    let server = Running::start(hello(), GENEROUS).await;
    let mut client = server.connect().await;
    client.send(&format!("GET / HTTP/1.1\r\nX-Long: {}\r\n\r\n", "x".repeat(MAX_HEAD_BYTES))).await;
    assert!(client.closed().await.starts_with("HTTP/1.1 431"));
    let mut client = server.connect().await;
    client.send(&format!("GET / HTTP/1.1\r\n{}\r\n", "X-Many: x\r\n".repeat(MAX_HEADERS + 1))).await;
    assert!(client.closed().await.starts_with("HTTP/1.1 431"));
}

#[tokio::test]
async fn a_port_in_use_is_one_line_that_names_it_and_the_way_out() {
    let taken = bind(([127, 0, 0, 1], 0).into(), "--listen").await.expect("port 0 is always free");
    let address = taken.local_addr().expect("it is bound");
    let error = bind(address, "server.listen").await.expect_err("the port is taken").to_string();
    let port = address.port();
    assert_eq!(
        error,
        format!(
            "cannot listen on 127.0.0.1:{port}: port {port} is in use by another program; stop that program, or \
             choose another port with server.listen"
        )
    );
}

#[tokio::test]
async fn an_address_of_another_machine_is_named() {
    let error = bind("192.0.2.1:0".parse().expect("an address"), "--listen").await.expect_err("not ours");
    assert!(error.to_string().contains("does not have the address 192.0.2.1"), "{error}");
}

#[tokio::test]
async fn the_first_signal_stops_and_the_second_aborts() {
    let (send, receive) = mpsc::unbounded_channel();
    let receive = Arc::new(tokio::sync::Mutex::new(receive));
    let next = async move || receive.lock().await.recv().await.expect("a signal comes");
    let stop = CancellationToken::new();
    let aborted = Arc::new(AtomicBool::new(false));
    let abort = {
        let aborted = Arc::clone(&aborted);
        move || aborted.store(true, Ordering::SeqCst)
    };
    let heeding = tokio::spawn(heed(next, stop.clone(), abort));
    send.send("SIGTERM").expect("it listens");
    within(stop.cancelled()).await;
    assert!(!aborted.load(Ordering::SeqCst));
    send.send("SIGINT").expect("it listens");
    within(heeding).await.expect("heeding does not panic");
    assert!(aborted.load(Ordering::SeqCst));
}
