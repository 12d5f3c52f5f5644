//! What every verb has around it: a transaction or a connection, room where it grows the database,
//! and a count of how long it took.
//!
//! ```text
//!  read!(self, accounts::epoch())               a function, whose first argument is the connection
//!  write!(self, |transaction| { … })            the same in place; committed unless it fails
//!  grow!(…)                                     a write! if there is room
//! ```

/// Runs what only reads.
macro_rules! read {
    ($store:expr, |$connection:ident| $body:expr) => {{
        let verb = async {
            let mut $connection = $store.read().await?;
            $body
        };
        $store.meter.read(verb).await
    }};
    ($store:expr, $($verb:ident)::+ ( $($argument:expr),* )) => {
        read!($store, |connection| $($verb)::+(&mut connection, $($argument),*).await)
    };
}

/// Runs what writes, in a transaction of its own.
macro_rules! write {
    ($store:expr, $($call:tt)*) => {
        transact!($store, Ok(()), $($call)*)
    };
}

/// The same for what makes the database grow, if there is room.
macro_rules! grow {
    ($store:expr, $($call:tt)*) => {
        transact!($store, $store.check_room(), $($call)*)
    };
}

macro_rules! transact {
    ($store:expr, $room:expr, |$transaction:ident| $body:expr) => {{
        let verb = async {
            let room: Result<(), StorageError> = $room;
            room?;
            let mut $transaction = $store.begin().await?;
            let answer: Result<_, StorageError> = async { $body }.await;
            let answer = answer?;
            crate::failpoint::may_fail(crate::failpoint::Point::Written)?;
            $transaction.commit().await?;
            Ok(answer)
        };
        $store.meter.write(verb).await
    }};
    ($store:expr, $room:expr, $($verb:ident)::+ ( $($argument:expr),* )) => {
        transact!(
            $store,
            $room,
            |transaction| $($verb)::+(&mut transaction, $($argument),*).await
        )
    };
}
