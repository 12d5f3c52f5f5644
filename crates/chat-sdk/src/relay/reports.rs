//! The route of reports.

use chat_core::api::reports::{FileReport, ReportFiled};

use super::Relay;
use crate::error::Result;

impl Relay {
    /// `POST /v1/reports`: the same report again is answered as the first time.
    ///
    /// # Errors
    ///
    /// [`Kind::NotAMember`](crate::Kind::NotAMember), [`Kind::NotFound`](crate::Kind::NotFound),
    /// [`Kind::NotVerified`](crate::Kind::NotVerified).
    pub async fn file_report(&self, report: &FileReport) -> Result<ReportFiled> {
        self.post("/v1/reports".into(), report).await
    }
}
