//! The stories.

mod account;
mod annotations;
mod crash;
mod durability;
mod groups;
mod interruptions;
mod large_groups;
mod logs;
mod messages;
mod people;
mod process;
mod settings;
mod several_devices;
mod tidy;
mod timeline;
mod vanishing;
