//! Where a request really comes from, and whether that network is let in.

use std::net::{IpAddr, SocketAddr};

use http::HeaderMap;
use ipnet::IpNet;

use crate::error::Refusal;

/// The address of the client. A peer that is no trusted proxy is the client itself, whatever it says. Behind a trusted
/// one `X-Forwarded-For` counts, all its fields in order, read from the right: each proxy appends whom it saw, so the
/// first address that is not a trusted proxy's own is the last one that somebody we trust has seen. What stands further
/// left anybody may have written, and is never looked at. An address of IPv4 within IPv6 is the IPv4 address.
///
/// # Errors
/// 400 where the entry that decides is no address (`ip`, `ip:port` or `[ip]:port`).
pub fn client_address(peer: IpAddr, headers: &HeaderMap, trusted: &[IpNet]) -> Result<IpAddr, Refusal> {
    let mut client = peer.to_canonical();
    if !lies_in(client, trusted) {
        return Ok(client);
    }
    for field in headers.get_all("x-forwarded-for").iter().rev() {
        for entry in field.as_bytes().rsplit(|byte| *byte == b',') {
            client = address(entry).ok_or_else(unreadable)?;
            if !lies_in(client, trusted) {
                return Ok(client);
            }
        }
    }
    Ok(client)
}

/// Lets in the networks in `allowed`, and nobody else.
///
/// # Errors
/// 403.
pub fn admitted(client: IpAddr, allowed: &[IpNet]) -> Result<(), Refusal> {
    if lies_in(client.to_canonical(), allowed) {
        Ok(())
    } else {
        Err(Refusal::Forbidden(
            "requests from your network are not served; connect to the VPN and try again".to_owned(),
        ))
    }
}

fn lies_in(address: IpAddr, networks: &[IpNet]) -> bool {
    networks.iter().any(|network| network.contains(&address))
}

fn address(entry: &[u8]) -> Option<IpAddr> {
    let text = std::str::from_utf8(entry).ok()?.trim_matches([' ', '\t']);
    // A zone means something on the machine that wrote it only.
    if text.contains('%') {
        return None;
    }
    let address =
        text.parse::<IpAddr>().or_else(|_| text.parse::<SocketAddr>().map(|with_port| with_port.ip()));
    address.ok().map(|address| address.to_canonical())
}

fn unreadable() -> Refusal {
    Refusal::Invalid("the X-Forwarded-For field does not hold addresses".to_owned())
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    /// Trusted: 10.0.0.0/16 and fd00::/8. `None`: refused.
    fn check(peer: &str, fields: &[&[u8]], expected: Option<&str>) {
        let trusted = ["10.0.0.0/16".parse().unwrap(), "fd00::/8".parse().unwrap()];
        let mut headers = HeaderMap::new();
        headers.insert("x-real-ip", HeaderValue::from_static("6.6.6.6"));
        headers.insert("forwarded", HeaderValue::from_static("for=6.6.6.6"));
        for field in fields {
            headers.append("x-forwarded-for", HeaderValue::from_bytes(field).unwrap());
        }
        let found = client_address(peer.parse().unwrap(), &headers, &trusted);
        let expected = expected.map(|text| text.parse::<IpAddr>().unwrap());
        assert!(found.as_ref().err().is_none_or(|refusal| refusal.status() == 400));
        assert_eq!(found.ok(), expected, "{peer} {fields:?}");
    }

    #[test]
    fn a_stranger_is_who_it_is_whatever_it_says() {
        check("8.8.8.8", &[], Some("8.8.8.8"));
        check("8.8.8.8", &[b"10.0.0.1"], Some("8.8.8.8"));
        check("8.8.8.8", &[b"garbage"], Some("8.8.8.8"));
        check("::ffff:8.8.8.8", &[b"1.2.3.4"], Some("8.8.8.8"));
    }

    #[test]
    fn behind_a_trusted_proxy_the_rightmost_stranger_counts() {
        check("10.0.0.1", &[b"1.2.3.4"], Some("1.2.3.4"));
        check("::ffff:10.0.0.1", &[b"1.2.3.4"], Some("1.2.3.4"));
        check("10.0.0.1", &[b"6.6.6.6, 1.2.3.4"], Some("1.2.3.4"));
        check("10.0.0.1", &[b"6.6.6.6,1.2.3.4 ,\t10.0.9.9"], Some("1.2.3.4"));
        check("10.0.0.1", &[b"6.6.6.6", b"1.2.3.4", b"10.0.9.9"], Some("1.2.3.4"));
        check("10.0.0.1", &[b"1.2.3.4", b"6.6.6.6, 7.7.7.7"], Some("7.7.7.7"));
        check("fd00::1", &[b"2001:db8::7"], Some("2001:db8::7"));
        check("10.0.0.1", &[b"::ffff:1.2.3.4"], Some("1.2.3.4"));
        check("10.0.0.1", &[b"1.2.3.4, ::ffff:10.0.0.2"], Some("1.2.3.4"));
    }

    #[test]
    fn a_port_may_follow() {
        check("10.0.0.1", &[b"1.2.3.4:5678"], Some("1.2.3.4"));
        check("10.0.0.1", &[b"[2001:db8::7]:443"], Some("2001:db8::7"));
    }

    #[test]
    fn without_a_stranger_the_furthest_proxy_is_the_client() {
        check("10.0.0.1", &[], Some("10.0.0.1"));
        check("10.0.0.1", &[b"10.0.3.4, 10.0.9.9"], Some("10.0.3.4"));
    }

    #[test]
    fn what_is_no_address_is_refused_where_it_decides() {
        for entry in [
            "",
            " ",
            "1.2.3.4,",
            "1.2.3.4, ",
            "unknown",
            "1.2.3",
            "01.2.3.4",
            "1.2.3.4:",
            "1.2.3.4:99999",
            "1.2.3.4 5.6.7.8",
            "\"1.2.3.4\"",
            "[2001:db8::7]",
            "fe80::1%eth0",
            "[fe80::1%1]:80",
            "1.2.3.4/32",
            "0x7f.1",
            "garbage, 10.0.9.9",
        ] {
            check("10.0.0.1", &[entry.as_bytes()], None);
        }
        check("10.0.0.1", &[b"\xff\xfe"], None);
        check("10.0.0.1", &[b"\xff\xfe, 1.2.3.4"], Some("1.2.3.4"));
        check("10.0.0.1", &[b"garbage, 1.2.3.4, 10.0.0.2"], Some("1.2.3.4"));
    }

    #[test]
    fn only_listed_networks_are_let_in() {
        let allowed = ["10.8.0.0/16".parse().unwrap(), "2001:db8::/32".parse().unwrap()];
        for (address, expected) in [
            ("10.8.255.1", true),
            ("::ffff:10.8.0.1", true),
            ("2001:db8::1", true),
            ("10.9.0.1", false),
            ("2001:db9::1", false),
            ("::1", false),
        ] {
            let found = admitted(address.parse().unwrap(), &allowed);
            assert_eq!(found.is_ok(), expected, "{address}");
            assert!(found.is_ok() || found.is_err_and(|refusal| refusal.status() == 403));
        }
        assert!(admitted("10.8.0.1".parse().unwrap(), &[]).is_err());
    }
}
