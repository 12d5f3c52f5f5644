//! Ports on loopback for servers that go and come back at the same place.

use std::net::{Ipv4Addr, TcpListener};

/// Below the ports that the system hands out by itself: nobody takes one while its server is away.
const PORTS: std::ops::Range<u16> = 20_000..30_000;

/// A port that was free a moment ago.
///
/// # Panics
///
/// If there is none.
#[must_use]
#[allow(clippy::expect_used)]
pub fn free_port() -> u16 {
    let span = PORTS.end - PORTS.start;
    let random: u16 = rand::random();
    (0..span)
        .map(|step| PORTS.start + (random % span + step) % span)
        .find(|port| TcpListener::bind((Ipv4Addr::LOCALHOST, *port)).is_ok())
        .expect("no free port")
}
