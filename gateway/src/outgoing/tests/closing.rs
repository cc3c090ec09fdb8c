//! Connections that the other side closes while they are being used again.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::mpsc;
use std::task::Poll;

use super::*;

#[tokio::test]
async fn a_request_lost_on_a_reused_connection_is_not_sent_again() {
    let peer = Peer::start(|mut peer| async move {
        peer.hear().await;
        peer.say(SUCCESS).await;
        peer.hear().await; // and hangs up instead of answering
    })
    .await;
    let outgoing = Outgoing::for_upstream();
    outgoing.post(&peer.url(), &[], Bytes::from_static(b"first"), AMPLE).await.expect("an answer");
    let error =
        outgoing.post(&peer.url(), &[], Bytes::from_static(b"second"), AMPLE).await.expect_err("lost");
    assert!(matches!(error, SendError::Broken { sent: true, .. }), "{error:?}");
    assert_eq!((peer.connections(), peer.requests().len()), (1, 2));
}

#[tokio::test]
async fn no_request_arrives_twice_however_a_peer_closes_its_connections() {
    let peer = Peer::start(|mut peer| async move {
        // Closed while the client believes it may be used again.
        peer.hear().await;
        peer.say(SUCCESS).await;
    })
    .await;
    let outgoing = Outgoing::for_upstream();
    for number in 0..300 {
        let name = format!("order-{number}.");
        let outcome = outgoing.post(&peer.url(), &[], Bytes::from(name.clone()), AMPLE).await;
        let arrived = peer.requests().iter().filter(|request| request.ends_with(&name)).count();
        match outcome {
            Ok(_) => assert_eq!(arrived, 1, "{name}"),
            Err(error) if error.sent() => assert!(arrived <= 1, "{name}: {error:?}"),
            Err(error) => assert_eq!(arrived, 0, "{name}: {error:?}"),
        }
    }
}

/// A peer closes an idle connection while the next request is on its way to it; `turns` of the scheduler lie between.
/// Blocking on the peer keeps the client from noticing earlier.
async fn outcome_on_a_connection_closed(turns: usize) -> Result<Reply, SendError> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free loopback port");
    let url = url(&format!("http://{}/", listener.local_addr().expect("a bound address")));
    let (close, told_to_close) = mpsc::channel::<()>();
    let (tell_closed, closed) = mpsc::channel();
    std::thread::spawn(move || {
        while let Ok((mut connection, _)) = listener.accept() {
            let answered =
                connection.read(&mut [0; 1024]).and_then(|_| connection.write_all(SUCCESS.as_bytes()));
            let go_on = answered.is_ok() && told_to_close.recv().is_ok();
            drop(connection);
            if !go_on || tell_closed.send(()).is_err() {
                return;
            }
        }
    });
    let outgoing = Outgoing::for_upstream();
    outgoing.post(&url, &[], Bytes::new(), AMPLE).await.expect("an answer");
    close.send(()).expect("the peer waits for this");
    closed.recv().expect("the peer says when");
    let mut left = turns;
    std::future::poll_fn(|context| {
        // Unlike `yield_now` this does not wait for the news from the network to be taken in first.
        context.waker().wake_by_ref();
        left = left.saturating_sub(1);
        if left == 0 { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
    outgoing.post(&url, &[], Bytes::new(), AMPLE).await
}

#[tokio::test]
async fn a_request_that_meets_a_closed_connection_is_answered_by_another_or_may_have_been_sent() {
    for turns in 0..150 {
        let outcome = outcome_on_a_connection_closed(turns).await;
        let lost = matches!(outcome, Err(SendError::Broken { sent: true, .. }));
        assert!(outcome.is_ok() || lost, "{turns}: {outcome:?}");
    }
}
