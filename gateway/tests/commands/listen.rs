//! `scangate client listen`: events come to a developer's machine as a registered endpoint gets them, and neither a broken
//! connection nor a receiver that is away nor a restart loses one.

use std::path::Path;
use std::process::{Child, Stdio};

use bytes::Bytes;
use http::Method;
use serde_json::{Value, json};

use crate::harness::acts::soon;
use crate::harness::receiver::Receiver;
use crate::harness::web;
use crate::kit::verifying;
use crate::program::{Demo, Ended, Lines, command, run, signal};
use crate::relay::Relay;

/// The command while it runs.
struct Listener {
    child: Option<Child>,
    out: Lines,
    err: Lines,
}

impl Listener {
    /// Start it; it listens when it has said so.
    async fn start(demo: &Demo, forward_to: &str, more: &[&str]) -> Self {
        let folder = demo.folder.to_str().expect("UTF-8");
        let at = ["client", "listen", "--demo", "--data", folder, "--forward-to", forward_to];
        Self::with(demo, &[&at, more].concat()).await
    }

    async fn with(demo: &Demo, arguments: &[&str]) -> Self {
        let mut command = command(Path::new("/"), arguments, &[("SCANGATE_CLIENT_API_KEY", api_key(demo))]);
        let mut child =
            command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("scangate starts");
        let out = Lines::of(child.stdout.take().expect("it is piped"));
        let err = Lines::of(child.stderr.take().expect("it is piped"));
        let listener = Self { child: Some(child), out, err };
        listener.out.line("signed with").await;
        listener
    }

    async fn secret(&self) -> String {
        let line = self.out.line("signed with whsec_").await;
        line.split(' ').nth(2).expect("a secret").to_owned()
    }

    /// Told to end; what it says of itself then.
    async fn stop(mut self) -> String {
        let mut child = self.child.take().expect("it runs");
        signal(child.id(), "INT");
        let ended = tokio::task::spawn_blocking(move || child.wait());
        let status = soon(ended).await.expect("it is waited for").expect("it is our child");
        assert_eq!(status.code(), Some(0));
        self.err.line("forwarded, ").await
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            // The test has failed already; what matters is that nothing is left running.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

fn api_key(demo: &Demo) -> &str {
    demo.told("/platform/api_key")
}

async fn post(demo: &Demo, path: &str, body: &Value) -> Value {
    let bearer = format!("Bearer {}", api_key(demo));
    let headers = [("authorization", bearer.as_str()), ("content-type", "application/json")];
    let body = if body.is_null() { Bytes::new() } else { Bytes::from(body.to_string()) };
    let url = format!("{}{path}", demo.told("/gateway/base_url"));
    let reply = web::exchange(Method::POST, &url, &headers, body).await;
    assert!((200..300).contains(&reply.status), "{path}: {}", reply.text());
    reply.json()
}

async fn pay(demo: &Demo, number: &str) {
    demo.order(number, &["--title", "拉麵 🍜"]).await;
    demo.pay_newest().await;
    demo.out.line(&format!("shop: order {number} paid")).await;
}

/// The numbers of the orders that were told paid, in the order in which that came.
fn paid(receiver: &Receiver) -> Vec<String> {
    let told = receiver.events().into_iter().map(|heard| heard.told());
    told.map(|(kind, number)| {
        assert_eq!(kind, "order.paid");
        number
    })
    .collect()
}

#[tokio::test]
async fn an_event_comes_as_a_registered_endpoint_gets_it_under_a_secret_of_its_own() {
    let home = tempfile::tempdir().expect("a folder");
    let demo = Demo::start(&home.path().join("data")).await;
    let (registered, local) = (Receiver::open().await, Receiver::open().await);
    let shown = post(&demo, "/v1/endpoints", &json!({ "url": registered.url("/events") })).await;
    let id = shown["id"].as_str().expect("an id");
    post(&demo, &format!("/v1/endpoints/{id}/verify"), &Value::Null).await;
    let listener = Listener::start(&demo, &local.url("/hook?shop=1"), &[]).await;
    let secret = listener.secret().await;

    pay(&demo, "p1").await;
    let line = listener.out.line("order.paid").await;
    assert!(line.contains("  p1  200 in ") && line.ends_with(" ms"), "{line}");
    soon(async {
        while registered.events().is_empty() {
            tokio::task::yield_now().await;
        }
    })
    .await;
    let both = [registered.events(), local.events()].concat();
    let [sent, forwarded] = both.as_slice() else { panic!("one event each: {both:?}") };
    assert_eq!((&forwarded.body, forwarded.path.as_str()), (&sent.body, "/hook"));
    for name in ["webhook-id", "content-type"] {
        assert_eq!(forwarded.header(name), sent.header(name), "{name}");
    }
    assert!(line.contains(forwarded.header("webhook-id")), "{line}");
    assert_eq!((verifying(forwarded, &secret), verifying(sent, &secret)), (1, 0));
    assert_eq!(listener.stop().await, "1 forwarded, 0 not acknowledged");
    demo.stop().await;
}

#[tokio::test]
async fn a_broken_connection_is_told_with_what_was_missed_and_nothing_is_lost() {
    let home = tempfile::tempdir().expect("a folder");
    let demo = Demo::start(&home.path().join("data")).await;
    let local = Receiver::open().await;
    let mut relay = Relay::to(demo.told("/gateway/base_url")).await;
    let forward_to = local.url("/hook");
    let listener = Listener::with(
        &demo,
        &["client", "listen", "--base", &relay.url(), "--forward-to", &forward_to, "--type", "order.paid"],
    )
    .await;
    pay(&demo, "p1").await;
    listener.out.line("  p1  200 in").await;

    relay.cut().await;
    listener.err.line("disconnected: ").await;
    local.answer(500, "");
    pay(&demo, "p2").await;
    pay(&demo, "p3").await;
    relay.mend().await;
    listener.err.line("connected again after ").await;
    listener.err.line("up to date: 2 events were told meanwhile, of which 2 not acknowledged").await;
    local.answer(200, "");
    pay(&demo, "p4").await;
    listener.out.line("  p4  200 in").await;
    assert_eq!(listener.err.count("disconnected"), 1, "it is said once");
    assert_eq!(paid(&local), ["p1", "p2", "p3", "p4"], "each once, in their order");
    let refused = listener.out.line("  p2  ").await;
    assert!(refused.contains("500 in ") && refused.ends_with("NOT ACKNOWLEDGED"), "{refused}");
    assert_eq!(listener.stop().await, "4 forwarded, 2 not acknowledged");
    demo.stop().await;
}

#[tokio::test]
async fn a_receiver_that_is_away_is_waited_for() {
    let home = tempfile::tempdir().expect("a folder");
    let demo = Demo::start(&home.path().join("data")).await;
    let local = Receiver::open().await;
    let mut relay = Relay::to(&local.url("")).await;
    relay.cut().await;
    let listener = Listener::start(&demo, &format!("{}/hook", relay.url()), &[]).await;
    pay(&demo, "p1").await;
    listener.err.line("nothing listens at ").await;
    listener.err.line("  order.paid p1 and what follows wait for it").await;
    pay(&demo, "p2").await;
    relay.mend().await;
    listener.out.line("  p2  200 in").await;
    assert_eq!(paid(&local), ["p1", "p2"]);
    assert_eq!(listener.stop().await, "2 forwarded, 0 not acknowledged");
    demo.stop().await;
}

#[tokio::test]
async fn the_next_run_goes_on_where_the_last_one_stopped_under_the_same_secret() {
    let home = tempfile::tempdir().expect("a folder");
    let demo = Demo::start(&home.path().join("data")).await;
    let local = Receiver::open().await;
    let (forward_to, state) = (local.url("/hook"), home.path().join("listen.json"));
    let state = ["--state", state.to_str().expect("UTF-8")];
    pay(&demo, "before").await;
    let listener = Listener::start(&demo, &forward_to, &state).await;
    let secret = listener.secret().await;
    pay(&demo, "p1").await;
    listener.out.line("  p1  200 in").await;
    listener.stop().await;
    pay(&demo, "p2").await;

    let listener = Listener::start(&demo, &forward_to, &state).await;
    assert_eq!(listener.secret().await, secret);
    listener.err.line("going on where the last run stopped").await;
    listener.err.line("up to date: 1 event was told meanwhile").await;
    listener.stop().await;
    assert_eq!(paid(&local), ["p1", "p2"], "from now on, each once");

    let all = Listener::start(&demo, &forward_to, &["--from", "oldest"]).await;
    all.out.line("  p2  200 in").await;
    assert_eq!(paid(&local), ["p1", "p2", "before", "p1", "p2"]);
    assert_ne!(all.secret().await, secret);
    all.stop().await;
    let other = [&state[..], &["--forward-to", &forward_to, "--type", "order.closed"]].concat();
    let misused = demo.client(&[&["listen"], &other[..]].concat()).await;
    assert_eq!(misused.code, Some(2), "{misused:?}");
    assert!(misused.err.contains("all types of events of merchant 10001"), "{misused:?}");
    demo.stop().await;
}

#[tokio::test]
async fn what_the_gateway_refuses_ends_it_and_is_said() {
    let home = tempfile::tempdir().expect("a folder");
    let demo = Demo::start(&home.path().join("data")).await;
    let base = demo.told("/gateway/base_url");
    let listen = async |base: &str, key: &str, more: &[&str]| -> Ended {
        let arguments = ["client", "listen", "--base", base, "--forward-to", "http://127.0.0.1:9/"];
        run(Path::new("/"), &[&arguments, more].concat(), &[("SCANGATE_CLIENT_API_KEY", key)]).await
    };
    let stranger = listen(base, "sg_test_nobody", &[]).await;
    assert_eq!((stranger.code, stranger.out.as_str()), (Some(1), ""), "{stranger:?}");
    assert!(
        stranger.err.contains("HTTP 401 unauthorized") && !stranger.err.contains("nobody"),
        "{stranger:?}"
    );
    let mistyped = listen(base, api_key(&demo), &["--type", "order.payed"]).await;
    assert_eq!(mistyped.code, Some(1), "{mistyped:?}");
    assert!(mistyped.err.contains("type must be one of order.paid, "), "{mistyped:?}");
    let mut relay = Relay::to(base).await;
    relay.cut().await;
    let nobody = listen(&relay.url(), api_key(&demo), &[]).await;
    assert_eq!(nobody.code, Some(1), "{nobody:?}");
    assert!(nobody.err.contains("nothing listens at "), "{nobody:?}");
    let keyless = ["client", "listen", "--base", base, "--forward-to", "http://127.0.0.1:9/"];
    let keyless = run(Path::new("/"), &keyless, &[]).await;
    assert_eq!(keyless.code, Some(2), "{keyless:?}");
    assert!(keyless.err.contains("SCANGATE_CLIENT_API_KEY"), "{keyless:?}");
    demo.stop().await;
}
