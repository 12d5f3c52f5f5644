//! A relay on loopback, driven with real objects and real sockets.
