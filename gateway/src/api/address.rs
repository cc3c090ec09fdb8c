//! Where a request came from.

use std::net::{IpAddr, SocketAddr};

use poem::Request;

/// The address at the other end of the connection.
pub fn of(request: &Request) -> Option<IpAddr> {
    request.remote_addr().as_socket_addr().map(SocketAddr::ip)
}
