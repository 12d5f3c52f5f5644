//! The stories.

mod account;
mod annotations;
mod blocking;
mod channels;
mod crash;
mod deletion;
mod durability;
mod groups;
mod hostile_peer;
mod interruptions;
mod killed;
mod large_groups;
mod logs;
mod malicious;
mod messages;
mod network;
mod people;
mod presence;
mod process;
mod profile;
mod scheduled;
mod settings;
mod several_devices;
mod tidy;
mod timeline;
mod vanishing;
