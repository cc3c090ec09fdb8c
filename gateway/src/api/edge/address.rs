//! Where a request comes from: the address that connected, or what proxies say that the operator trusts. The chain
//! of addresses is followed from our end for as long as the one who says so is trusted, and no further: what stands
//! left of that is the client's own word.

use std::future::{Ready, ready};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use http::HeaderMap;
use poem::Request;

use crate::config::{self, ForwardedHeader, MAX_HOPS, TrustedHops};

#[derive(Clone, Copy)]
struct ClientAddress(IpAddr);

/// Notes the client's address with every request, for [`client_address`].
pub fn find(
    server: &config::Server,
) -> impl Fn(Request) -> Ready<poem::Result<Request>> + Send + Sync + use<> {
    let (hops, header) = (server.trusted_hops.clone(), server.forwarded_header);
    move |mut request| {
        let socket = request.remote_addr().as_socket_addr().map(SocketAddr::ip);
        let address = of(socket.unwrap_or(NOWHERE), request.headers(), &hops, header);
        request.set_data(ClientAddress(address));
        ready(Ok(request))
    }
}

/// A request that did not come over a socket.
const NOWHERE: IpAddr = IpAddr::V4(Ipv4Addr::UNSPECIFIED);

/// Where this request comes from. IPv4 addresses are never in IPv6's clothes.
pub fn client_address(request: &Request) -> IpAddr {
    request.data::<ClientAddress>().map_or(NOWHERE, |address| address.0)
}

fn of(socket: IpAddr, headers: &HeaderMap, hops: &TrustedHops, header: ForwardedHeader) -> IpAddr {
    let mut address = socket.to_canonical();
    let is_trusted = |hop: u8, address: &IpAddr| match hops {
        TrustedHops::Count(count) => hop < *count,
        TrustedHops::Networks(networks) => networks.iter().any(|network| network.contains(address)),
    };
    if !is_trusted(0, &address) {
        return address;
    }
    let said = said(headers, header);
    for (hop, entry) in (0..MAX_HOPS).zip(said.iter().rev()) {
        if !is_trusted(hop, &address) {
            break;
        }
        // Who says what cannot be read is as far as the chain goes.
        let Some(next) = entry else { break };
        address = *next;
    }
    address
}

/// The addresses in the header, the client's first; `None` for what is not one.
fn said(headers: &HeaderMap, header: ForwardedHeader) -> Vec<Option<IpAddr>> {
    let lines = |name| headers.get_all(name).into_iter().map(|line| line.to_str().unwrap_or_default());
    match header {
        ForwardedHeader::XForwardedFor => {
            lines("x-forwarded-for").flat_map(|line| line.split(',')).map(node).collect()
        }
        ForwardedHeader::Forwarded => {
            let elements = lines("forwarded").flat_map(|line| split(line, ','));
            elements.map(|element| node(&for_of(element)?)).collect()
        }
    }
}

/// The `for` of an element such as `for="[2001:db8::1]:4711";proto=https`, without its quotes.
fn for_of(element: &str) -> Option<String> {
    let value = split(element, ';').find_map(|pair| {
        let (name, value) = pair.split_once('=')?;
        name.trim().eq_ignore_ascii_case("for").then_some(value.trim())
    })?;
    Some(value.strip_prefix('"').and_then(|value| value.strip_suffix('"')).unwrap_or(value).to_owned())
}

/// Like `str::split`, but not inside quotes: a client's own text may stand there.
fn split(text: &str, at: char) -> impl Iterator<Item = &str> {
    let (mut is_quoted, mut is_escaped) = (false, false);
    text.split(move |letter| {
        if letter == '"' && !is_escaped {
            is_quoted = !is_quoted;
        }
        is_escaped = is_quoted && !is_escaped && letter == '\\';
        letter == at && !is_quoted
    })
}

/// An address with or without a port, IPv6 in brackets or not.
fn node(text: &str) -> Option<IpAddr> {
    let text = text.trim();
    let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
    let address = bare.parse().or_else(|_| text.parse::<SocketAddr>().map(|socket| socket.ip())).ok()?;
    Some(IpAddr::to_canonical(&address))
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    const SOCKET: &str = "10.1.0.1";

    fn from(
        hops: &TrustedHops,
        header: ForwardedHeader,
        socket: &str,
        lines: &[(&'static str, &str)],
    ) -> String {
        let mut headers = HeaderMap::new();
        for (name, line) in lines {
            headers.append(*name, HeaderValue::from_str(line).expect("a header's text"));
        }
        of(socket.parse().expect("an address"), &headers, hops, header).to_string()
    }

    fn count(count: u8, line: &str) -> String {
        from(&TrustedHops::Count(count), ForwardedHeader::XForwardedFor, SOCKET, &[("x-forwarded-for", line)])
    }

    fn networks() -> TrustedHops {
        TrustedHops::Networks(vec!["10.1.0.0/16".parse().expect("a network")])
    }

    #[test]
    fn nobody_is_believed_unless_the_operator_says_so() {
        for name in ["x-forwarded-for", "forwarded", "x-real-ip", "cf-connecting-ip"] {
            let line = [(name, if name == "forwarded" { "for=192.0.2.1" } else { "192.0.2.1" })];
            for header in [ForwardedHeader::XForwardedFor, ForwardedHeader::Forwarded] {
                assert_eq!(from(&TrustedHops::Count(0), header, SOCKET, &line), SOCKET, "{name}");
            }
        }
    }

    #[test]
    fn so_many_hops_are_followed_and_what_the_client_wrote_itself_is_not() {
        assert_eq!(count(1, "192.0.2.1"), "192.0.2.1");
        assert_eq!(count(1, "198.51.100.9, 192.0.2.1"), "192.0.2.1");
        assert_eq!(count(2, "198.51.100.9, 192.0.2.1,10.1.0.2"), "192.0.2.1");
        assert_eq!(count(2, "192.0.2.1"), "192.0.2.1", "a shorter way in");
        assert_eq!(count(1, ""), SOCKET);
    }

    #[test]
    fn networks_are_followed_to_the_first_address_outside_of_them() {
        let x = |socket: &str, line: &str| {
            from(&networks(), ForwardedHeader::XForwardedFor, socket, &[("x-forwarded-for", line)])
        };
        assert_eq!(x(SOCKET, "198.51.100.9, 192.0.2.1, 10.1.0.2"), "192.0.2.1");
        assert_eq!(
            x("192.0.2.7", "198.51.100.9"),
            "192.0.2.7",
            "who connects past the proxies speaks for itself"
        );
        assert_eq!(x(SOCKET, "10.1.0.3, 10.1.0.2"), "10.1.0.3");
        assert_eq!(x("::ffff:10.1.0.1", "::ffff:192.0.2.1"), "192.0.2.1");
        let endless = vec!["10.1.0.9"; 1000].join(",");
        assert_eq!(x(SOCKET, &format!("192.0.2.1,{endless}")), "10.1.0.9", "no more hops than the limit");
        let longest = vec!["10.1.0.9"; usize::from(MAX_HOPS) - 1].join(",");
        assert_eq!(x(SOCKET, &format!("192.0.2.1,{longest}")), "192.0.2.1");
    }

    #[test]
    fn several_lines_of_the_header_are_one_list() {
        let lines = [("x-forwarded-for", "198.51.100.9"), ("x-forwarded-for", "192.0.2.1, 10.1.0.2")];
        assert_eq!(from(&networks(), ForwardedHeader::XForwardedFor, SOCKET, &lines), "192.0.2.1");
    }

    #[test]
    fn what_cannot_be_read_ends_the_chain() {
        assert_eq!(count(1, "unknown"), SOCKET);
        assert_eq!(count(2, "192.0.2.1, _hidden, 10.1.0.2"), "10.1.0.2");
        assert_eq!(count(1, "192.0.2.1:4711"), "192.0.2.1");
        assert_eq!(count(1, "[2001:db8::1]:4711"), "2001:db8::1");
        assert_eq!(count(1, "[2001:db8::1]"), "2001:db8::1");
        assert_eq!(count(1, "2001:db8::1"), "2001:db8::1");
    }

    #[test]
    fn only_the_configured_header_is_read() {
        let both = [("x-forwarded-for", "192.0.2.1"), ("forwarded", "for=192.0.2.2")];
        assert_eq!(from(&networks(), ForwardedHeader::XForwardedFor, SOCKET, &both), "192.0.2.1");
        assert_eq!(from(&networks(), ForwardedHeader::Forwarded, SOCKET, &both), "192.0.2.2");
    }

    #[test]
    fn the_standard_header_is_read_with_its_quotes_and_its_other_parts() {
        let f = |line: &str| from(&networks(), ForwardedHeader::Forwarded, SOCKET, &[("forwarded", line)]);
        assert_eq!(f("for=192.0.2.1"), "192.0.2.1");
        assert_eq!(f(r#"by=10.1.0.1; FOR="[2001:db8::1]:4711" ;proto=https"#), "2001:db8::1");
        assert_eq!(f(r#"for=198.51.100.9, for="192.0.2.1:80", for=10.1.0.2"#), "192.0.2.1");
        assert_eq!(f(r#"for=192.0.2.1;host="x, for=198.51.100.9;\", for=198.51.100.9""#), "192.0.2.1");
        assert_eq!(f("proto=https"), SOCKET);
        assert_eq!(f("for=unknown"), SOCKET);
    }
}
