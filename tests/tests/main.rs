//! The stories.

mod account;
mod groups;
mod interruptions;
mod messages;
mod people;
mod several_devices;
mod tidy;
mod vanishing;
