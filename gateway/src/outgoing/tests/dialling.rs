//! Which addresses are dialled, on whose word, in which order.

use tokio::net::{TcpSocket, TcpStream};

use super::super::connect::{dial, dialable};
use super::*;

#[tokio::test]
async fn a_tenant_reaches_no_loopback_address_in_any_spelling() {
    let peer = Peer::saying(SUCCESS).await;
    let port = peer.address.port();
    let outgoing = Outgoing::for_tenants(AddressPolicy::default(), Way::default());
    for host in ["127.0.0.1", "127.1", "0x7f.1", "2130706433", "[::1]", "[::ffff:127.0.0.1]", "localhost"] {
        let outcome = outgoing.post(&url(&format!("http://{host}:{port}/")), &[], Bytes::new(), AMPLE).await;
        assert_eq!(outcome, Err(SendError::Refused(Refusal::NotPublic("loopback"))), "{host}");
    }
    assert_eq!(peer.connections(), 0);
}

#[tokio::test]
async fn a_tenant_reaches_what_the_operator_allows_but_no_own_listener() {
    let peer = Peer::saying(SUCCESS).await;
    let outgoing = Outgoing::for_tenants(allowing("127.0.0.0/8"), Way::default());
    assert!(outgoing.post(&peer.url(), &[], Bytes::new(), AMPLE).await.is_ok());

    let own = AddressPolicy::new(vec!["127.0.0.0/8".parse().expect("a network")], vec![peer.address]);
    let outgoing = Outgoing::for_tenants_with(own, answering([vec![peer.address]]), Way::default());
    let outcome = outgoing.post(&url("http://gateway.example/"), &[], Bytes::new(), AMPLE).await;
    assert_eq!(outcome, Err(SendError::Refused(Refusal::OwnListener)));
    assert_eq!(peer.connections(), 1);
}

/// 127.0.0.2 stands for a public address: the policy permits it and not 127.0.0.1.
#[tokio::test]
async fn a_name_that_moves_from_a_public_to_a_loopback_address_is_refused_when_it_has_moved() {
    let public = Peer::start_at(Ipv4Addr::new(127, 0, 0, 2), |mut peer| async move {
        peer.hear().await;
        peer.say("HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 0\r\n\r\n").await;
    })
    .await;
    let inner = Peer::saying(SUCCESS).await;
    let policy = allowing("127.0.0.2/32");
    let lookup = answering([vec![public.address], vec![inner.address]]);
    let outgoing = Outgoing::for_tenants_with(policy.clone(), lookup, Way::default());

    let shop = policy.check_url("http://shop.example/notify").expect("the name says nothing");
    let first = outgoing.post(&shop, &[], Bytes::new(), AMPLE).await.expect("the public address answers");
    assert_eq!(first.status, 200);
    let second = outgoing.post(&shop, &[], Bytes::new(), AMPLE).await;
    assert_eq!(second, Err(SendError::Refused(Refusal::NotPublic("loopback"))));
    assert_eq!((public.connections(), inner.connections()), (1, 0));
}

#[test]
fn of_a_name_with_public_and_closed_addresses_only_the_public_ones_are_dialled() {
    let policy = AddressPolicy::default();
    let [public, loopback, private] =
        ["8.8.8.8:80", "127.0.0.1:80", "10.0.0.1:80"].map(|text| text.parse().expect("an address"));
    assert_eq!(dialable(vec![loopback, public, private], Some(&policy)), Ok(vec![public]));
    let refused = Err(SendError::Refused(Refusal::NotPublic("private")));
    assert_eq!(dialable(vec![loopback, private], Some(&policy)), refused);
    assert_eq!(dialable(vec![loopback, private], None), Ok(vec![loopback, private]));
}

#[test]
fn of_a_name_with_very_many_addresses_only_the_first_few_are_dialled() {
    let many: Vec<SocketAddr> = (1..=100).map(|last| ([8, 8, 8, last], 80).into()).collect();
    assert_eq!(dialable(many.clone(), None), Ok(many[..6].to_vec()));
}

#[tokio::test]
async fn an_address_that_refuses_gives_way_to_the_next() {
    let good = Peer::saying(SUCCESS).await;
    let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a free loopback port");
    let refusing = free.local_addr().expect("a bound address");
    drop(free);
    let stream = dial(vec![refusing, good.address], None).await.expect("the second answers");
    assert_eq!(stream.peer_addr().expect("connected"), good.address);
    assert!(dial(vec![refusing], None).await.is_err());
    assert!(dial(vec![], None).await.is_err());
}

/// Linux leaves connections unanswered where a listener's queue is full.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn an_address_that_does_not_answer_gives_way_to_the_next() {
    let full = TcpSocket::new_v4().expect("a socket");
    full.bind((Ipv4Addr::LOCALHOST, 0).into()).expect("a free loopback port");
    let full = full.listen(1).expect("a listener");
    let silent = full.local_addr().expect("a bound address");
    let mut queued = Vec::new();
    while let Ok(connected) = timeout(Duration::from_millis(100), TcpStream::connect(silent)).await {
        queued.push(connected.expect("room in the queue"));
    }

    let good = Peer::saying(SUCCESS).await;
    let outcome = timeout(AMPLE.timeout, dial(vec![silent, good.address], None))
        .await
        .expect("no waiting for the first");
    assert_eq!(outcome.expect("the second answers").peer_addr().expect("connected"), good.address);

    let outcome = post(&url(&format!("http://{silent}/")), within(100)).await;
    assert_eq!(outcome, Err(SendError::TimedOut { sent: false }));
}
