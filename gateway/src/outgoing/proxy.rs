//! A tunnel through an HTTP proxy: after CONNECT the connection is the target's, and TLS goes through it untouched.

use std::io;
use std::net::IpAddr;

use data_encoding::BASE64;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use url::{Url, form_urlencoded};
use zeroize::Zeroizing;

use super::connect::{Lookup, dial};
use super::{SendError, reason};

/// The longest answer to CONNECT that is read.
const ANSWER_MAX: usize = 8 * 1024;

/// Where it is, and what it asks for.
pub(super) struct Proxy {
    host: String,
    port: u16,
    /// The header's value.
    authorization: Option<Zeroizing<String>>,
}

impl Proxy {
    /// From a URL such as `http://user:password@proxy.example:3128`. The error repeats nothing of it.
    pub fn of(text: &str) -> Result<Self, &'static str> {
        let url = Url::parse(text).map_err(|_| "is not a URL")?;
        if url.scheme() != "http" {
            return Err("does not start with http://");
        }
        let is_bare = matches!(url.path(), "" | "/") && url.query().is_none() && url.fragment().is_none();
        if !is_bare {
            return Err("has something behind host and port");
        }
        let host = url.host_str().ok_or("names no host")?.to_owned();
        let port = url.port_or_known_default().ok_or("names no port")?;
        let authorization = (!url.username().is_empty()).then(|| {
            let password = url.password().unwrap_or_default();
            let pair = Zeroizing::new(format!("{}:{}", *decoded(url.username()), *decoded(password)));
            Zeroizing::new(format!("Basic {}", BASE64.encode(pair.as_bytes())))
        });
        Ok(Self { host, port, authorization })
    }

    /// A connection to the first of `targets`, each host and port, that the proxy connects us with.
    pub async fn reach(
        &self,
        targets: &[String],
        lookup: &Lookup,
        local: Option<IpAddr>,
    ) -> Result<TcpStream, SendError> {
        let mut failure = SendError::Connect { reason: "there is no address".to_owned() };
        for target in targets {
            match self.tunnel(target, lookup, local).await {
                Ok(stream) => return Ok(stream),
                Err(error) => failure = error,
            }
        }
        Err(failure)
    }

    async fn tunnel(
        &self,
        target: &str,
        lookup: &Lookup,
        local: Option<IpAddr>,
    ) -> Result<TcpStream, SendError> {
        let failed =
            |error: io::Error| SendError::Connect { reason: format!("by the proxy: {}", reason(&error)) };
        let bare = self.host.trim_start_matches('[').trim_end_matches(']');
        let addresses = match bare.parse::<IpAddr>() {
            Ok(ip) => vec![(ip, self.port).into()],
            Err(_) => lookup(self.host.clone(), self.port).await.map_err(failed)?,
        };
        let mut stream = dial(addresses, local).await.map_err(failed)?;
        stream.set_nodelay(true).map_err(failed)?;
        let request = self.request(target);
        stream.write_all(request.as_bytes()).await.map_err(failed)?;
        match answer(&mut stream).await.map_err(failed)? {
            200..=299 => Ok(stream),
            407 => Err(SendError::Connect {
                reason: "the proxy asks for a user name and a password, or for others".to_owned(),
            }),
            status => Err(SendError::Connect { reason: format!("the proxy answered {status}") }),
        }
    }

    fn request(&self, target: &str) -> Zeroizing<String> {
        let authorization = self
            .authorization
            .as_ref()
            .map(|value| Zeroizing::new(format!("proxy-authorization: {}\r\n", **value)));
        let authorization = authorization.as_ref().map_or("", |line| line);
        Zeroizing::new(format!("CONNECT {target} HTTP/1.1\r\nhost: {target}\r\n{authorization}\r\n"))
    }
}

/// Of a part of a URL.
fn decoded(part: &str) -> Zeroizing<String> {
    // A form's text differs in these only.
    let text = Zeroizing::new(part.replace('+', "%2B").replace('&', "%26"));
    let decoded = form_urlencoded::parse(text.as_bytes()).next().map(|(text, _)| text.into_owned());
    Zeroizing::new(decoded.unwrap_or_default())
}

/// The status of the answer to CONNECT. The target says nothing before we do, so nothing lies behind it.
async fn answer(stream: &mut TcpStream) -> io::Result<u16> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        if head.len() == ANSWER_MAX {
            return Err(io::Error::other("its answer has no end"));
        }
        head.push(stream.read_u8().await?);
    }
    let head = String::from_utf8_lossy(&head);
    let status = head.strip_prefix("HTTP/1.").and_then(|rest| rest.split(' ').nth(1));
    let status = status.and_then(|word| word.trim().parse().ok());
    status.ok_or_else(|| io::Error::other("its answer is not HTTP"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proxy_is_read_from_its_url() {
        let proxy = Proxy::of("http://us%65r:p%40ss%2B+&=@proxy.example:3128").expect("it is one");
        assert_eq!((proxy.host.as_str(), proxy.port), ("proxy.example", 3128));
        let request = proxy.request("203.0.113.7:443");
        let credentials = BASE64.encode(b"user:p@ss++&=");
        assert_eq!(
            *request,
            format!(
                "CONNECT 203.0.113.7:443 HTTP/1.1\r\nhost: 203.0.113.7:443\r\nproxy-authorization: Basic {credentials}\r\n\r\n"
            )
        );
        let plain = Proxy::of("http://[::1]").expect("it is one");
        assert_eq!((plain.host.as_str(), plain.port, plain.authorization.is_none()), ("[::1]", 80, true));
    }

    #[test]
    fn what_is_no_proxy_is_refused() {
        for wrong in [
            "",
            "proxy:3128",
            "https://proxy.example",
            "socks5://proxy.example",
            "http://proxy.example/a",
            "http://p/?q",
        ] {
            assert!(Proxy::of(wrong).is_err(), "{wrong}");
        }
    }
}
