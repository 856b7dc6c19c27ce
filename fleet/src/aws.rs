//! What every client of an AWS service shares: where the machine is, how long a call may take, how one that failed is
//! told.

use std::time::Duration;

use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, SdkConfig};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;

/// Region and credentials of this machine, from its environment, profile or instance role. Calls no service.
pub async fn here() -> SdkConfig {
    aws_config::defaults(BehaviorVersion::v2026_01_12()).load().await
}

/// The longest call, all attempts together: a leader's term is reckoned with it (see [`crate::lease`]).
pub const CALL: Duration = Duration::from_secs(3);

/// An attempt that leaves time for a second one and the SDK's pause before it, which is at most [`PAUSE`].
const ATTEMPT: Duration = Duration::from_millis(1400);
const PAUSE: Duration = Duration::from_millis(200);

/// For calls that change nothing, or nothing twice: one that fails is tried once more.
pub fn twice() -> (RetryConfig, TimeoutConfig) {
    let retries =
        RetryConfig::standard().with_max_attempts(2).with_initial_backoff(PAUSE).with_max_backoff(PAUSE);
    (retries, timeouts(ATTEMPT))
}

/// For calls that change something: whoever called looks at what there is, and decides anew.
pub fn once() -> (RetryConfig, TimeoutConfig) {
    (RetryConfig::disabled(), timeouts(CALL))
}

fn timeouts(attempt: Duration) -> TimeoutConfig {
    TimeoutConfig::builder()
        .connect_timeout(attempt)
        .operation_attempt_timeout(attempt)
        .operation_timeout(CALL)
        .build()
}

/// A call that failed, in one line.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// No answer, or none that says what happened: it may or may not have been done.
    #[error("{0}")]
    Unanswered(String),
    /// The service refused, and has done nothing.
    #[error("{code}: {message}")]
    Refused {
        /// Its code for the reason, as in its API reference.
        code: String,
        /// The reason in its words.
        message: String,
    },
}

impl Fault {
    /// What became of the call. An answer of 500 and above leaves open whether it was done.
    pub fn of<E: ProvideErrorMetadata + std::error::Error>(error: &SdkError<E, HttpResponse>) -> Self {
        let why = match error {
            SdkError::TimeoutError(_) => "no answer in time".to_owned(),
            SdkError::DispatchFailure(failure) if failure.is_timeout() => "no answer in time".to_owned(),
            SdkError::DispatchFailure(failure) => match failure.as_connector_error() {
                Some(error) => format!("no connection: {error}"),
                None => "no connection".to_owned(),
            },
            SdkError::ServiceError(refused) => {
                let code = refused.err().code().unwrap_or("an error without a name").to_owned();
                let message = refused.err().message().unwrap_or("no reason given").to_owned();
                if refused.raw().status().as_u16() < 500 {
                    return Self::Refused { code, message };
                }
                format!("{code}: {message}")
            }
            _ => error.to_string(),
        };
        Self::Unanswered(why)
    }
}
