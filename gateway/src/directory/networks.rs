//! Lists of networks as descriptions, calls and rows have them.

use anyhow::{bail, ensure};
use ipnet::IpNet;

use crate::config;

/// Networks in one list at most: each request is compared with all of them.
pub const MAX_NETWORKS: usize = 64;

/// From texts such as `203.0.113.7` or `203.0.113.0/24`, each put to the start of its network.
pub fn parse(texts: &[String]) -> anyhow::Result<Vec<IpNet>> {
    ensure!(texts.len() <= MAX_NETWORKS, "more than {MAX_NETWORKS} networks");
    let parsed = texts.iter().map(|text| match config::network(text) {
        Ok(network) => Ok(network.trunc()),
        Err(reason) => bail!("the entry \"{text}\" {reason}"),
    });
    parsed.collect()
}

/// As a row holds them; an empty list is null.
pub fn write(networks: &[IpNet]) -> Option<String> {
    let texts: Vec<String> = networks.iter().map(ToString::to_string).collect();
    (!texts.is_empty()).then(|| texts.join(","))
}

/// What [`write`] has written.
pub fn read(row: Option<&str>) -> anyhow::Result<Vec<IpNet>> {
    let texts: Vec<String> = row.into_iter().flat_map(|text| text.split(',')).map(str::to_owned).collect();
    parse(&texts)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_is_read_as_it_was_written() {
        let texts = ["203.0.113.7", "198.51.100.77/24", "2001:db8::1/32"].map(str::to_owned);
        let networks = parse(&texts).expect("networks");
        let row = write(&networks);
        assert_eq!(row.as_deref(), Some("203.0.113.7/32,198.51.100.0/24,2001:db8::/32"));
        assert_eq!(read(row.as_deref()).expect("read"), networks);
        assert_eq!((write(&[]), read(None).expect("read")), (None, Vec::new()));
    }

    #[test]
    fn what_is_no_network_and_one_too_many_are_refused() {
        for text in ["", "pay.example.com", "203.0.113.0/33", "203.0.113"] {
            assert!(parse(&[text.to_owned()]).is_err(), "{text:?}");
        }
        assert!(parse(&vec!["203.0.113.7".to_owned(); MAX_NETWORKS]).is_ok());
        assert!(parse(&vec!["203.0.113.7".to_owned(); MAX_NETWORKS + 1]).is_err());
    }
}
