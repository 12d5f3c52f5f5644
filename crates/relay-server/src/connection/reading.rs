//! Asking the store on behalf of one connection: one question at a time, on a task of its own.
//!
//! On a task, because the store hands its connections out in turn: one that was handed to a reader
//! which nobody polls, while the connection's loop waits for another, is handed to nobody else.

use std::sync::Arc;
use std::time::Duration;

use chat_core::api::conversations::MessagePage;
use chat_core::id::DeviceAddress;
use tokio::task::JoinError;
use tokio_util::task::AbortOnDropHandle;

use crate::delivery::Want;
use crate::service::{Services, retention};
use crate::storage::{Backlog, StorageError};

/// How long to wait before the store is asked again after it failed.
const STORE_RETRY: Duration = Duration::from_millis(500);

/// What the store has answered.
pub(super) enum Read {
    Survey(Result<Vec<Backlog>, StorageError>),
    Page(Want, Result<MessagePage, StorageError>),
}

/// The question that is under way, if one is.
#[derive(Default)]
pub(super) struct Reading(Option<AbortOnDropHandle<Read>>);

impl Reading {
    pub(super) fn is_idle(&self) -> bool {
        self.0.is_none()
    }

    pub(super) fn ask(&mut self, services: Arc<Services>, address: DeviceAddress, want: Want) {
        self.0 = Some(AbortOnDropHandle::new(tokio::spawn(read(services, address, want))));
    }

    /// Waits for the answer; forever if nothing was asked. May be dropped while it waits.
    pub(super) async fn answer(&mut self) -> Read {
        let Some(asked) = &mut self.0 else { return std::future::pending().await };
        let answer = asked.await;
        self.0 = None;
        match answer.map_err(JoinError::try_into_panic) {
            Ok(read) => read,
            Err(Ok(panic)) => std::panic::resume_unwind(panic),
            // Only the end of the runtime takes a task away, and this one with it.
            Err(Err(_)) => std::future::pending().await,
        }
    }
}

async fn read(services: Arc<Services>, address: DeviceAddress, want: Want) -> Read {
    services.metrics.log_reads.add(1);
    let read = match want {
        Want::Survey => Read::Survey(services.storage.backlog(&[address]).await),
        Want::Page { conversation, after, limit } => {
            let page = retention::read(&services, address, conversation, after, limit);
            Read::Page(want, page.await)
        }
    };
    if let Read::Survey(Err(error)) | Read::Page(_, Err(error)) = &read {
        tracing::warn!(%error, "a backlog could not be read");
        tokio::time::sleep(STORE_RETRY).await;
    }
    read
}
