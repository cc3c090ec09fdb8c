//! How calls leave: through a proxy, from an address, with another authority's certificates.

use super::*;
use crate::config::Config;

/// A proxy that is the target, too: it says yes, and then answers what is asked.
async fn proxy() -> Peer {
    Peer::start(|mut peer| async move {
        peer.hear().await;
        peer.say("HTTP/1.1 200 Connection established\r\nvia: 1.1 proxy\r\n\r\n").await;
        while peer.hear().await && peer.say(SUCCESS).await {}
    })
    .await
}

fn through(proxy: &Peer) -> Way {
    way(|outgoing| outgoing.proxy = format!("http://gate:pw@{}", proxy.address).into()).expect("a way")
}

fn way(tune: impl FnOnce(&mut crate::config::Outgoing)) -> anyhow::Result<Way> {
    let mut config = Config::default().outgoing;
    tune(&mut config);
    Way::of(&config)
}

fn first_line(request: &str) -> &str {
    request.lines().next().expect("a request has a line")
}

#[tokio::test]
async fn a_tenants_call_asks_the_proxy_for_the_address_that_was_permitted() {
    let proxy = proxy().await;
    let [public, private] = ["8.8.8.8:80", "10.0.0.1:80"].map(|text| text.parse().expect("an address"));
    let lookup = answering([vec![private, public], vec![private]]);
    let outgoing = Outgoing::for_tenants_with(AddressPolicy::default(), lookup, through(&proxy));
    let shop = url("http://shop.example/notify");

    let reply = outgoing.post(&shop, &[], Bytes::from_static(b"paid"), AMPLE).await.expect("an answer");
    assert_eq!(reply.body, "success");
    let [asked, told] = &proxy.requests()[..] else { panic!("two requests") };
    assert_eq!(first_line(asked), "CONNECT 8.8.8.8:80 HTTP/1.1");
    assert!(asked.contains("proxy-authorization: Basic Z2F0ZTpwdw==\r\n"), "{asked}");
    assert_eq!(first_line(told), "POST /notify HTTP/1.1");
    assert!(told.contains("host: shop.example\r\n") && !told.contains("authorization"), "{told}");

    let other =
        Outgoing::for_tenants_with(AddressPolicy::default(), answering([vec![private]]), through(&proxy));
    let refused = other.post(&shop, &[], Bytes::new(), AMPLE).await;
    assert_eq!(refused, Err(SendError::Refused(Refusal::NotPublic("private"))));
    assert_eq!(proxy.connections(), 1, "the proxy was not asked");
}

#[tokio::test]
async fn a_call_to_the_upstream_asks_the_proxy_for_its_name() {
    let proxy = proxy().await;
    let outgoing = Outgoing::for_upstream_by(through(&proxy));
    let pay = url("http://pay.example:8080/api");
    assert!(outgoing.post(&pay, &[], Bytes::new(), AMPLE).await.is_ok());
    assert_eq!(first_line(&proxy.requests()[0]), "CONNECT pay.example:8080 HTTP/1.1");
}

#[tokio::test]
async fn what_is_on_this_machine_is_called_straight() {
    let (proxy, peer) = (proxy().await, Peer::saying(SUCCESS).await);
    let upstream = Outgoing::for_upstream_by(through(&proxy));
    assert!(upstream.post(&peer.url(), &[], Bytes::new(), AMPLE).await.is_ok());
    let tenants = Outgoing::for_tenants(allowing("127.0.0.0/8"), through(&proxy));
    assert!(tenants.post(&peer.url(), &[], Bytes::new(), AMPLE).await.is_ok());
    assert_eq!((proxy.connections(), peer.connections()), (0, 2));
}

#[tokio::test]
async fn a_proxy_that_does_not_connect_us_is_no_connection_and_nothing_was_sent() {
    for (answer, said) in [
        ("HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\n\r\n", "403"),
        ("HTTP/1.1 407 Who\r\n\r\n", "user name"),
        ("SSH-2.0-OpenSSH\r\n\r\n", "not HTTP"),
        ("", "by the proxy"),
    ] {
        let proxy = Peer::start(move |mut peer| async move {
            peer.hear().await;
            peer.say(answer).await;
        })
        .await;
        let outgoing = Outgoing::for_upstream_by(through(&proxy));
        let outcome = outgoing.post(&url("https://pay.example/"), &[], Bytes::new(), AMPLE).await;
        let error = outcome.expect_err("there is no connection");
        assert!(matches!(error, SendError::Connect { .. }) && !error.sent(), "{error:?}");
        assert!(error.to_string().contains(said) && !error.to_string().contains("pw"), "{error}");
    }
}

#[tokio::test]
async fn calls_leave_from_the_address_that_was_set() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a free loopback port");
    let target = listener.local_addr().expect("a bound address");
    let from = |text: &str| way(|outgoing| outgoing.local_address = text.parse().ok()).expect("a way");

    let outgoing = Outgoing::for_upstream_by(from("127.0.0.2"));
    let calling = tokio::spawn(async move {
        outgoing.post(&url(&format!("http://{target}/")), &[], Bytes::new(), within(30_000)).await
    });
    let (_, caller) = listener.accept().await.expect("somebody calls");
    assert_eq!(caller.ip(), Ipv4Addr::new(127, 0, 0, 2));
    calling.abort();

    let other = Outgoing::for_upstream_by(from("::1"));
    let outcome = other.post(&url(&format!("http://{target}/")), &[], Bytes::new(), AMPLE).await;
    let reason = outcome.expect_err("there is no way").to_string();
    assert!(reason.contains("outgoing.local_address is IPv6"), "{reason}");
}

#[test]
fn a_file_of_authorities_that_holds_none_is_refused_by_its_name() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = folder.path().join("authorities.pem");
    let with_file = || way(|outgoing| outgoing.ca_file = Some(file.clone()));
    for text in
        [None, Some("no certificate"), Some("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")]
    {
        if let Some(text) = text {
            std::fs::write(&file, text).expect("the folder is ours");
        }
        let error = format!("{:#}", with_file().err().expect("it is none"));
        assert!(error.contains("outgoing.ca_file") && error.contains("authorities.pem"), "{error}");
    }
}
