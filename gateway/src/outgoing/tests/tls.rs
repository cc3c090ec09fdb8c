//! TLS against a server with a certificate of the test's own.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::thread::JoinHandle;

use rustls::crypto::ring;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::{RootCertStore, ServerConfig, ServerConnection, Stream};

use super::super::way::tls;
use super::peer::is_whole;
use super::*;
use crate::config::Config;

/// Serves one connection for shop.example; the thread gives what it read of the request.
fn serve() -> (SocketAddr, CertificateDer<'static>, JoinHandle<io::Result<String>>) {
    let made = rcgen::generate_simple_self_signed(["shop.example".to_owned()]).expect("a certificate");
    let certificate = made.cert.der().clone();
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(made.signing_key.serialize_der()));
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .and_then(|builder| builder.with_no_client_auth().with_single_cert(vec![certificate.clone()], key))
        .expect("the certificate and its key");
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free loopback port");
    let address = listener.local_addr().expect("a bound address");
    let server = std::thread::spawn(move || {
        let (mut socket, _) = listener.accept()?;
        let mut session = ServerConnection::new(Arc::new(config)).map_err(io::Error::other)?;
        let mut stream = Stream::new(&mut session, &mut socket);
        let mut request = Vec::new();
        while !is_whole(&request) {
            let mut some = [0; 1024];
            let read = stream.read(&mut some)?;
            if read == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            request.extend_from_slice(&some[..read]);
        }
        stream.write_all(SUCCESS.as_bytes())?;
        stream.flush()?;
        Ok(String::from_utf8_lossy(&request).into_owned())
    });
    (address, certificate, server)
}

fn trusting(certificate: &CertificateDer<'_>, address: SocketAddr) -> Outgoing {
    let mut roots = RootCertStore::empty();
    roots.add(certificate.clone().into_owned()).expect("a certificate");
    let way = Way { tls: tls(roots), ..Way::default() };
    Outgoing::over(Connector::new(None, answering([vec![address]]), way))
}

async fn finished(server: JoinHandle<io::Result<String>>) -> io::Result<String> {
    tokio::task::spawn_blocking(|| server.join().expect("the server does not panic")).await.expect("it ran")
}

#[tokio::test]
async fn a_server_with_a_trusted_certificate_for_its_name_is_spoken_to_over_tls() {
    let (address, certificate, server) = serve();
    let outgoing = trusting(&certificate, address);
    let reply =
        outgoing.post(&url("https://shop.example/notify"), &[], Bytes::from_static(b"paid"), AMPLE).await;
    assert_eq!(reply.expect("an answer").body, "success");
    let request = finished(server).await.expect("the server read a request");
    assert!(request.contains("host: shop.example\r\n") && request.ends_with("paid"), "{request}");
}

#[tokio::test]
async fn an_authority_from_the_operators_file_is_trusted_beside_the_public_ones() {
    let (address, certificate, server) = serve();
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = folder.path().join("authorities.pem");
    let base64 = data_encoding::BASE64.encode(&certificate);
    let pem = format!("-----BEGIN CERTIFICATE-----\n{base64}\n-----END CERTIFICATE-----\n");
    std::fs::write(&file, pem).expect("the folder is ours");
    let config = crate::config::Outgoing { ca_file: Some(file), ..Config::default().outgoing };
    let way = Way::of(&config).expect("a way");
    let outgoing = Outgoing::over(Connector::new(None, answering([vec![address]]), way));
    let reply = outgoing.post(&url("https://shop.example/"), &[], Bytes::new(), AMPLE).await;
    assert_eq!(reply.expect("an answer").body, "success");
    assert!(finished(server).await.is_ok());
}

#[tokio::test]
async fn a_certificate_for_another_name_ends_before_anything_is_sent() {
    let (address, certificate, server) = serve();
    let outgoing = trusting(&certificate, address);
    let outcome = outgoing.post(&url("https://other.example/"), &[], Bytes::new(), AMPLE).await;
    assert!(matches!(&outcome, Err(error @ SendError::Tls { .. }) if !error.sent()), "{outcome:?}");
    assert!(finished(server).await.is_err(), "the server saw no request");
}

#[tokio::test]
async fn a_certificate_nobody_vouches_for_ends_before_anything_is_sent() {
    let (address, _, server) = serve();
    let outgoing = Outgoing::over(Connector::new(None, answering([vec![address]]), Way::default()));
    let outcome = outgoing.post(&url("https://shop.example/"), &[], Bytes::new(), AMPLE).await;
    assert!(matches!(&outcome, Err(error @ SendError::Tls { .. }) if !error.sent()), "{outcome:?}");
    assert!(finished(server).await.is_err(), "the server saw no request");
}

#[tokio::test]
async fn a_peer_that_speaks_no_tls_is_a_failed_handshake() {
    let peer = Peer::start(|mut peer| async move {
        peer.say(SUCCESS).await;
        peer.linger().await;
    })
    .await;
    let outcome = post(&url(&format!("https://{}/", peer.address)), AMPLE).await;
    assert!(matches!(outcome, Err(SendError::Tls { .. })), "{outcome:?}");
}
