//! A sentence for each operation: what no type says. Kept in the order of the routes.

/// What the operation of this handler is for.
#[must_use]
pub fn of(handler: &str) -> Option<&'static str> {
    SENTENCES.iter().find(|(of, _)| *of == handler).map(|(_, sentence)| *sentence)
}

/// Each handler, as `module::function`, and what it is for.
pub const SENTENCES: &[(&str, &str)] = &[
    ("auth::register_start", "Begins a registration with a password (OPAQUE)."),
    ("auth::register_finish", "Registers an account with its first device and all public keys."),
    ("auth::login_start", "Begins a log-in with a password (OPAQUE)."),
    ("auth::login_finish", "Ends it; the token reads the keyring and enrols a device."),
    ("auth::device_start", "Asks for a challenge to log in with a device key."),
    ("auth::device_finish", "Answers the challenge with the device's signature."),
    ("auth::refresh", "Spends a refresh token for new tokens."),
    ("auth::log_out", "Ends the session that the token belongs to."),
    ("auth::enrol", "Adds a device to the account, in a new signed list."),
    ("accounts::own", "Tells whose token this is."),
    ("accounts::put_devices", "Publishes the next device list; devices it removes are cut off."),
    ("accounts::put_envelope_keys", "Publishes the next epoch of envelope keys."),
    ("accounts::keyring", "Gives the account's own sealed keyring."),
    ("accounts::put_keyring", "Replaces the sealed keyring by the next one."),
    ("accounts::by_name", "Finds an account by its exact username."),
    ("accounts::keys", "Gives an account's public keys, all to be verified."),
    ("prekeys::count", "Tells how many of the device's one-time prekeys are left."),
    ("prekeys::put", "Replaces the device's prekeys."),
    ("prekeys::fetch", "Gives a prekey bundle for each device; spends one-time prekeys."),
    ("conversations::list", "Lists the account's conversations, a page at a time."),
    ("conversations::create", "Begins a conversation with a signed entry."),
    ("conversations::membership", "Gives the membership log, a page at a time."),
    ("conversations::append", "Appends a signed entry to the membership log."),
    ("conversations::messages", "Gives what the conversation's log holds, a page at a time."),
    ("conversations::receipts", "Gives each device's furthest receipts."),
    ("push::set", "Says where the device is woken when it is not connected."),
    ("push::clear", "Says that it is woken no more."),
    ("backup::head", "Gives the sealed head of the account's backup."),
    ("backup::put", "Replaces the head by the next one; its new segments are blobs."),
    ("backup::segments", "Tells which blobs are the backup's segments, newest first."),
    ("blobs::kept", "Lists the blobs that the account keeps by itself."),
    ("blobs::keep", "Replaces that list; what falls off it is let go."),
    ("blobs::create", "Reserves room for a blob."),
    ("blobs::get", "Gives a blob's bytes, all of them or a `Range`."),
    ("blobs::put", "Takes a piece of a blob, at most 4 MiB."),
    ("blobs::delete", "Deletes a blob, by its uploader."),
    ("blobs::upload", "Tells how far an upload has come, its uploader only."),
    ("unread::counts", "Counts what the account has not seen, by conversation and workspace."),
    ("deletions::delete", "Erases a message for everybody, by a signed word."),
    ("socket::upgrade", "Opens the WebSocket; asyncapi.json says what is said there."),
    ("health::limits", "Tells what this relay allows."),
    ("health::openapi", "Gives this document."),
    ("health::asyncapi", "Gives the document of the WebSocket."),
    ("health::key_set", "Gives the public keys of access tokens (RFC 7517)."),
    ("health::healthz", "Tells that the process is alive."),
    ("health::readyz", "Tells whether this node takes new work."),
    ("health::metrics", "Gives what is counted, in Prometheus' text format."),
];
