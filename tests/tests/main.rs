//! The stories.

mod account;
mod annotations;
mod asking;
mod attachments;
mod authority;
mod backup;
mod blocking;
mod channels;
mod clocks;
mod crash;
mod custody;
mod deletion;
mod draining;
mod durability;
#[cfg(target_os = "linux")]
mod full_disk;
mod gossip;
mod groups;
mod hostile_peer;
mod interruptions;
mod killed;
mod large_groups;
mod late_keys;
mod linking;
mod logs;
mod malicious;
mod meddling;
mod messages;
mod network;
#[cfg(unix)]
mod outages;
mod people;
mod points;
mod presence;
mod process;
mod profile;
mod recovery;
mod removal;
mod reporting;
mod restoring;
mod retention;
mod rewrapping;
mod scheduled;
mod settings;
mod several_devices;
#[cfg(target_os = "linux")]
mod sluggish;
mod streams;
mod tidy;
mod timeline;
mod vanishing;
mod workspaces;
