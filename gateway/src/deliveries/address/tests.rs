//! The ranges by their edges, the listeners, and URLs in every spelling.

use std::net::TcpListener;

use proptest::prelude::*;

use super::*;

fn at(ip: IpAddr) -> SocketAddr {
    SocketAddr::new(ip, 443)
}

fn allowing(nets: &[&str]) -> AddressPolicy {
    AddressPolicy::new(nets.iter().map(|net| net.parse().expect("a network")).collect(), Vec::new())
}

/// A range, the addresses just before and just after it, and whether those are public.
struct Edge {
    range: &'static str,
    name: &'static str,
    before: Option<(&'static str, bool)>,
    after: Option<(&'static str, bool)>,
}

const fn edge(
    range: &'static str,
    name: &'static str,
    before: Option<(&'static str, bool)>,
    after: Option<(&'static str, bool)>,
) -> Edge {
    Edge { range, name, before, after }
}

const OPEN: bool = true;
const CLOSED: bool = false;

#[rustfmt::skip]
const EDGES: [Edge; 36] = [
    edge("0.0.0.0/8", "'this network'", None, Some(("1.0.0.0", OPEN))),
    edge("10.0.0.0/8", "private", Some(("9.255.255.255", OPEN)), Some(("11.0.0.0", OPEN))),
    edge("100.64.0.0/10", "carrier-grade NAT", Some(("100.63.255.255", OPEN)), Some(("100.128.0.0", OPEN))),
    edge("127.0.0.0/8", "loopback", Some(("126.255.255.255", OPEN)), Some(("128.0.0.0", OPEN))),
    edge("169.254.0.0/16", "link-local", Some(("169.253.255.255", OPEN)), Some(("169.255.0.0", OPEN))),
    edge("172.16.0.0/12", "private", Some(("172.15.255.255", OPEN)), Some(("172.32.0.0", OPEN))),
    edge("192.0.0.0/24", "protocol assignments", Some(("191.255.255.255", OPEN)), Some(("192.0.1.0", OPEN))),
    edge("192.0.2.0/24", "documentation", Some(("192.0.1.255", OPEN)), Some(("192.0.3.0", OPEN))),
    edge("192.88.99.0/24", "6to4 relay", Some(("192.88.98.255", OPEN)), Some(("192.88.100.0", OPEN))),
    edge("192.168.0.0/16", "private", Some(("192.167.255.255", OPEN)), Some(("192.169.0.0", OPEN))),
    edge("198.18.0.0/15", "benchmarking", Some(("198.17.255.255", OPEN)), Some(("198.20.0.0", OPEN))),
    edge("198.51.100.0/24", "documentation", Some(("198.51.99.255", OPEN)), Some(("198.51.101.0", OPEN))),
    edge("203.0.113.0/24", "documentation", Some(("203.0.112.255", OPEN)), Some(("203.0.114.0", OPEN))),
    edge("224.0.0.0/4", "multicast", Some(("223.255.255.255", OPEN)), Some(("240.0.0.0", CLOSED))),
    edge("240.0.0.0/4", "reserved or broadcast", Some(("239.255.255.255", CLOSED)), None),
    edge("255.255.255.255/32", "reserved or broadcast", Some(("255.255.255.254", CLOSED)), None),
    edge("0.0.0.0/32", "unspecified", None, Some(("0.0.0.1", CLOSED))),

    edge("::/128", "unspecified", None, Some(("::1", CLOSED))),
    edge("::1/128", "loopback", Some(("::", CLOSED)), Some(("::2", CLOSED))),
    edge("::/96", "v4-compatible", None, Some(("::1:0:0", CLOSED))),
    edge("64:ff9b::/96", "NAT64", Some(("64:ff9a:ffff:ffff:ffff:ffff:ffff:ffff", CLOSED)), Some(("64:ff9b::1:0:0", CLOSED))),
    edge("64:ff9b:1::/48", "NAT64", Some(("64:ff9b:0:ffff:ffff:ffff:ffff:ffff", CLOSED)), Some(("64:ff9b:2::", CLOSED))),
    edge("100::/64", "discard", Some(("ff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", CLOSED)), Some(("100:0:0:1::", CLOSED))),
    edge("100:0:0:1::/64", "not global unicast", Some(("100::ffff:ffff:ffff:ffff", CLOSED)), Some(("100:0:0:2::", CLOSED))),
    edge("1fff::/16", "not global unicast", Some(("1ffe:ffff:ffff:ffff:ffff:ffff:ffff:ffff", CLOSED)), Some(("2000::", OPEN))),
    edge("2001::/32", "Teredo", Some(("2000:ffff:ffff:ffff:ffff:ffff:ffff:ffff", OPEN)), Some(("2001:1::", CLOSED))),
    edge("2001:10::/28", "ORCHID", Some(("2001:f:ffff:ffff:ffff:ffff:ffff:ffff", CLOSED)), Some(("2001:20::", CLOSED))),
    edge("2001:20::/28", "ORCHID", Some(("2001:1f:ffff:ffff:ffff:ffff:ffff:ffff", CLOSED)), Some(("2001:30::", CLOSED))),
    edge("2001::/23", "protocol assignments", Some(("2000:ffff:ffff:ffff:ffff:ffff:ffff:ffff", OPEN)), Some(("2001:200::", OPEN))),
    edge("2001:db8::/32", "documentation", Some(("2001:db7:ffff:ffff:ffff:ffff:ffff:ffff", OPEN)), Some(("2001:db9::", OPEN))),
    edge("2002::/16", "6to4", Some(("2001:ffff:ffff:ffff:ffff:ffff:ffff:ffff", OPEN)), Some(("2003::", OPEN))),
    edge("3fff::/20", "documentation", Some(("3ffe:ffff:ffff:ffff:ffff:ffff:ffff:ffff", OPEN)), Some(("3fff:1000::", OPEN))),
    edge("4000::/2", "not global unicast", Some(("3fff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", OPEN)), Some(("8000::", CLOSED))),
    edge("fc00::/7", "private", Some(("fbff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", CLOSED)), Some(("fe00::", CLOSED))),
    edge("fe80::/10", "link-local", Some(("fe7f:ffff:ffff:ffff:ffff:ffff:ffff:ffff", CLOSED)), Some(("fec0::", CLOSED))),
    edge("fec0::/10", "site-local", Some(("febf:ffff:ffff:ffff:ffff:ffff:ffff:ffff", CLOSED)), Some(("ff00::", CLOSED))),
];

#[test]
fn every_reserved_range_is_closed_to_its_edges_and_no_further() {
    let policy = AddressPolicy::default();
    for row in &EDGES {
        let net: IpNet = row.range.parse().expect("a network");
        let is_closed = |ip: IpAddr| matches!(policy.permits(at(ip)), Err(Refusal::NotPublic(_)));
        assert!(is_closed(net.network()), "first of {}", row.range);
        assert!(is_closed(last(net)), "last of {}", row.range);
        let named =
            closed_range(last(net)) == Some(row.name) || closed_range(net.network()) == Some(row.name);
        assert!(named, "the name of {}", row.range);
        for (neighbour, open) in row.before.iter().chain(&row.after) {
            let ip: IpAddr = neighbour.parse().expect("an address");
            assert!(!net.contains(&ip), "{neighbour} is a neighbour of {}", row.range);
            assert_eq!(is_closed(ip), !open, "{neighbour}, next to {}", row.range);
        }
    }
}

#[test]
fn the_last_of_all_addresses_is_multicast() {
    let last = "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff".parse().expect("an address");
    assert_eq!(AddressPolicy::default().permits(at(last)), Err(Refusal::NotPublic("multicast")));
}

#[test]
fn every_closed_range_of_the_policy_is_in_the_table_of_edges() {
    let tested: Vec<IpNet> = EDGES.iter().map(|row| row.range.parse().expect("a network")).collect();
    let mut closed: Vec<IpNet> = CLOSED_V4.iter().map(|(net, _)| IpNet::V4(*net)).collect();
    closed.extend(CLOSED_V6.iter().map(|(net, _)| IpNet::V6(*net)));
    closed.retain(|net| *net != IpNet::V6(v6([0xff00, 0, 0, 0], 8))); // has a test of its own: nothing follows it
    for net in closed {
        assert!(tested.contains(&net), "{net}");
    }
}

/// The broadcast address of an IPv6 network is, for [`IpNet`], its last address.
fn last(net: IpNet) -> IpAddr {
    net.broadcast()
}

#[test]
fn forms_that_carry_an_ipv4_address_are_closed_even_if_that_address_is_public_or_allowed() {
    let policy = allowing(&["127.0.0.0/8"]);
    for form in ["::127.0.0.1", "::8.8.8.8", "64:ff9b::127.0.0.1", "64:ff9b::8.8.8.8", "64:ff9b:1::127.0.0.1"]
    {
        assert!(policy.permits(at(form.parse().expect("an address"))).is_err(), "{form}");
    }
    for form in ["2002:7f00:1::", "2002:808:808::", "2001:0:808:808::1"] {
        assert!(policy.permits(at(form.parse().expect("an address"))).is_err(), "{form}");
    }
}

proptest! {
    #[test]
    fn a_v4_mapped_address_is_judged_as_the_address_it_stands_for(bits: u32) {
        let ip = Ipv4Addr::from(bits);
        for policy in [AddressPolicy::default(), allowing(&["127.0.0.0/8", "10.0.0.0/7"])] {
            prop_assert_eq!(
                policy.permits(at(ip.to_ipv6_mapped().into())),
                policy.permits(at(ip.into()))
            );
        }
    }
}

#[test]
fn a_v4_mapped_loopback_address_matches_an_allow_list_of_ipv4_loopback() {
    let mapped = at("::ffff:127.0.0.1".parse().expect("an address"));
    assert_eq!(AddressPolicy::default().permits(mapped), Err(Refusal::NotPublic("loopback")));
    assert_eq!(allowing(&["127.0.0.0/8"]).permits(mapped), Ok(()));
}

#[test]
fn the_allow_list_opens_its_ranges_and_nothing_beside_them() {
    let policy = allowing(&["10.1.0.0/16", "fd12::/16"]);
    for (ip, open) in
        [("10.1.0.0", OPEN), ("10.1.255.255", OPEN), ("10.0.255.255", CLOSED), ("10.2.0.0", CLOSED)]
    {
        assert_eq!(policy.permits(at(ip.parse().expect("an address"))).is_ok(), open, "{ip}");
    }
    for (ip, open) in [("fd12::1", OPEN), ("fd13::1", CLOSED), ("127.0.0.1", CLOSED), ("::1", CLOSED)] {
        assert_eq!(policy.permits(at(ip.parse().expect("an address"))).is_ok(), open, "{ip}");
    }
}

#[test]
fn a_metadata_service_is_opened_only_by_an_entry_for_it_alone() {
    let wide = allowing(&["0.0.0.0/0", "::/0"]);
    for ip in METADATA {
        assert_eq!(AddressPolicy::default().permits(at(ip)), Err(Refusal::Metadata), "{ip}");
        assert_eq!(wide.permits(at(ip)), Err(Refusal::Metadata), "{ip}");
        assert_eq!(AddressPolicy::new(vec![IpNet::from(ip)], Vec::new()).permits(at(ip)), Ok(()), "{ip}");
    }
    let mapped = at("::ffff:169.254.169.254".parse().expect("an address"));
    assert_eq!(wide.permits(mapped), Err(Refusal::Metadata));
}

fn listening(own: &str) -> AddressPolicy {
    AddressPolicy::new(
        vec!["0.0.0.0/0".parse().expect("a network"), "::/0".parse().expect("a network")],
        vec![own.parse().expect("a listener")],
    )
}

fn verdict(policy: &AddressPolicy, address: &str) -> Result<(), Refusal> {
    policy.permits(address.parse().expect("an address with a port"))
}

#[test]
fn an_own_listener_is_refused_whatever_is_allowed() {
    let policy = listening("127.0.0.1:8080");
    for own in ["127.0.0.1:8080", "[::ffff:127.0.0.1]:8080", "0.0.0.0:8080", "[::]:8080"] {
        assert_eq!(verdict(&policy, own), Err(Refusal::OwnListener), "{own}");
    }
    for other in ["127.0.0.1:8081", "127.0.0.2:8080", "[::1]:8080"] {
        assert_eq!(verdict(&policy, other), Ok(()), "{other}");
    }
}

#[test]
fn a_wildcard_listener_closes_its_port_on_every_address_of_this_machine() {
    for wildcard in ["0.0.0.0:8080", "[::]:8080"] {
        let policy = listening(wildcard);
        for own in
            ["127.0.0.1:8080", "127.9.9.9:8080", "[::ffff:127.0.0.1]:8080", "[::1]:8080", "0.0.0.0:8080"]
        {
            assert_eq!(verdict(&policy, own), Err(Refusal::OwnListener), "{own} with {wildcard}");
        }
        for other in ["127.0.0.1:8081", "203.0.113.1:8080"] {
            assert_eq!(verdict(&policy, other), Ok(()), "{other} with {wildcard}");
        }
    }
}

#[test]
fn an_address_this_machine_listens_on_is_local_and_a_documentation_address_is_not() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a loopback listener");
    assert!(is_local(listener.local_addr().expect("a bound address").ip()));
    assert!(!is_local(IpAddr::V4(Ipv4Addr::new(203, 0, 113, 1))));
}

#[test]
fn loopback_is_refused_in_every_spelling_of_a_url() {
    let spellings = [
        "http://127.0.0.1/",
        "http://127.1/",
        "http://127.0.1/",
        "http://0x7f.1/",
        "http://0177.0.0.1/",
        "http://2130706433/",
        "http://0x7f000001/",
        "http://017700000001/",
        "http://127.0.0.1./",
        "https://127.0.0.1:8443/pay",
        "http://[::1]/",
        "http://[0:0:0:0:0:0:0:1]/",
        "http://[::ffff:127.0.0.1]/",
        "http://[::ffff:7f00:1]/",
        "http://%31%32%37.0.0.1/",
        "http://①②⑦.⓪.⓪.①/",
        "http://127。0。0。1/",
        "http:\\\\127.0.0.1\\",
        " http://127.0.0.1/ ",
        "ht\ntp://127.0.0.1/",
        "HTTP://127.0.0.1/",
        "http:127.0.0.1/",
        "http:///127.0.0.1/",
    ];
    for spelling in spellings {
        let refused = UrlRefusal::Address(Refusal::NotPublic("loopback"));
        assert_eq!(AddressPolicy::default().check_url(spelling), Err(refused), "{spelling}");
    }
}

#[test]
fn other_closed_addresses_are_refused_when_the_url_is_given() {
    for text in ["http://0/", "http://0.0.0.0:80/", "http://[::]/", "http://10.0.0.1/", "http://3232235521/"]
    {
        assert!(matches!(AddressPolicy::default().check_url(text), Err(UrlRefusal::Address(_))), "{text}");
    }
    let metadata = Err(UrlRefusal::Address(Refusal::Metadata));
    assert_eq!(AddressPolicy::default().check_url("http://169.254.169.254/latest"), metadata);
    let own = Err(UrlRefusal::Address(Refusal::OwnListener));
    assert_eq!(listening("127.0.0.1:8080").check_url("http://127.1:8080/callback"), own);
    assert_eq!(listening("127.0.0.1:443").check_url("https://127.1/callback"), own);
}

#[test]
fn names_for_the_local_machine_are_refused_unless_loopback_is_allowed() {
    let names = [
        "http://localhost/",
        "http://LOCALHOST:81/",
        "http://localhost./",
        "http://shop.localhost/",
        "http://ｌｏｃａｌｈｏｓｔ/",
        "http://localhost.localdomain/",
        "http://ip6-localhost/",
    ];
    for name in names {
        assert_eq!(AddressPolicy::default().check_url(name), Err(UrlRefusal::LocalName), "{name}");
        assert!(allowing(&["127.0.0.0/8"]).check_url(name).is_ok(), "{name}");
        assert!(allowing(&["::1/128"]).check_url(name).is_ok(), "{name}");
    }
    let own = AddressPolicy::new(
        vec!["127.0.0.0/8".parse().expect("a network")],
        vec![at(Ipv4Addr::LOCALHOST.into())],
    );
    assert_eq!(own.check_url("https://localhost/"), Err(UrlRefusal::LocalName));
    assert!(own.check_url("http://localhost/").is_ok());
}

#[test]
fn what_is_not_a_plain_http_url_is_refused() {
    for (text, refusal) in [
        ("", UrlRefusal::Malformed),
        ("/notify", UrlRefusal::Malformed),
        ("shop.example/notify", UrlRefusal::Malformed),
        ("http://", UrlRefusal::Malformed),
        ("http://:80/", UrlRefusal::Malformed),
        ("http://shop.example:99999/", UrlRefusal::Malformed),
        ("http://1.2.3.256/", UrlRefusal::Malformed),
        ("http://[fe80::1%25eth0]/", UrlRefusal::Malformed),
        ("http://sh\"op.example/", UrlRefusal::Malformed),
        ("ftp://shop.example/", UrlRefusal::Scheme),
        ("file:///etc/passwd", UrlRefusal::Scheme),
        ("gopher://shop.example/", UrlRefusal::Scheme),
        ("javascript:alert(1)", UrlRefusal::Scheme),
        ("http://user@shop.example/", UrlRefusal::UserInfo),
        ("http://user:secret@shop.example/", UrlRefusal::UserInfo),
        ("http://:secret@shop.example/", UrlRefusal::UserInfo),
        ("http://8.8.8.8@127.0.0.1/", UrlRefusal::UserInfo),
    ] {
        assert_eq!(AddressPolicy::default().check_url(text), Err(refusal), "{text}");
    }
}

#[test]
fn a_public_url_is_taken_with_port_query_and_fragment() {
    for text in
        ["https://shop.example/notify?order=1#top", "http://8.8.8.8:8080/", "http://[2606:4700::1111]/a|b"]
    {
        let url = AddressPolicy::default().check_url(text).expect("a public address");
        assert_eq!(url.as_str(), text);
    }
}
