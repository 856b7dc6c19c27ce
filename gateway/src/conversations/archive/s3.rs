//! A bucket of S3: region, credentials and endpoint are those of all our calls to AWS.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use aws_config::SdkConfig;
use aws_sdk_autoscaling::config::{ProvideCredentials, SharedCredentialsProvider};
use bytes::Bytes;
use object_store::aws::{AmazonS3, AmazonS3Builder, AwsCredential};
use object_store::{BackoffConfig, ClientOptions, CredentialProvider, Error, RetryConfig};
use tokio::sync::OnceCell;

use super::ArchiveError;
use super::shelf::{Objects, Seen, Shelf};

/// One attempt; a transcript of some megabytes takes a second from within the region.
const ATTEMPT: Duration = Duration::from_secs(6);
const CONNECT: Duration = Duration::from_secs(2);

/// All attempts together: three objects and the table's calls must fit into the pen's time.
const CALL: Duration = Duration::from_secs(8);
const RETRIES: usize = 3;

/// A bucket, and what our objects' names begin with. Connects at the first call.
#[derive(Debug)]
pub(super) struct Bucket {
    name: String,
    prefix: String,
    objects: OnceCell<Objects<AmazonS3>>,
}

impl Bucket {
    /// From what stands behind `s3://`: `bucket` or `bucket/prefix`.
    pub(super) fn new(place: &str) -> Result<Self, ArchiveError> {
        let (name, prefix) = place.split_once('/').unwrap_or((place, ""));
        let prefix = prefix.trim_matches('/');
        if name.is_empty()
            || prefix.split('/').any(|part| matches!(part, "." | ".."))
            || prefix.contains("//")
        {
            return Err(ArchiveError::Unusable(format!("`s3://{place}` is not s3://bucket/prefix")));
        }
        Ok(Self { name: name.to_owned(), prefix: prefix.to_owned(), objects: OnceCell::new() })
    }

    /// The same where `shared` leads, at once.
    #[cfg(test)]
    pub(super) fn reached_by(shared: &SdkConfig, place: &str) -> Result<Self, ArchiveError> {
        let bucket = Self::new(place)?;
        let objects = OnceCell::new_with(Some(objects(shared, &bucket.name)?));
        Ok(Self { objects, ..bucket })
    }

    async fn objects(&self) -> Result<&Objects<AmazonS3>, ArchiveError> {
        self.objects.get_or_try_init(async || objects(&fleet::aws::here().await, &self.name)).await
    }

    fn name(&self, name: &str) -> String {
        if self.prefix.is_empty() { name.to_owned() } else { format!("{}/{name}", self.prefix) }
    }
}

fn objects(shared: &SdkConfig, bucket: &str) -> Result<Objects<AmazonS3>, ArchiveError> {
    let missing = |what: &str| ArchiveError::Unavailable(format!("no {what} was found on this machine"));
    let region = shared.region().ok_or_else(|| missing("region"))?;
    let credentials = shared.credentials_provider().ok_or_else(|| missing("credentials"))?;
    let retry = RetryConfig {
        max_retries: RETRIES,
        retry_timeout: CALL,
        backoff: BackoffConfig { max_backoff: Duration::from_secs(1), ..BackoffConfig::default() },
    };
    let mut options = ClientOptions::new().with_timeout(ATTEMPT).with_connect_timeout(CONNECT);
    let mut builder = AmazonS3Builder::new()
        .with_bucket_name(bucket)
        .with_region(region.as_ref())
        .with_credentials(Arc::new(Credentials(credentials)))
        .with_retry(retry);
    if let Some(endpoint) = shared.endpoint_url() {
        // What stands in for AWS has no name for each bucket, and often no certificate.
        options = options.with_allow_http(endpoint.starts_with("http://"));
        builder = builder.with_endpoint(endpoint).with_virtual_hosted_style_request(false);
    }
    let objects = builder.with_client_options(options).build();
    let objects = objects.map_err(|error| ArchiveError::Unavailable(error.to_string()))?;
    Ok(Objects { objects, tells_versions: true })
}

/// The SDK's credentials, which it keeps fresh.
#[derive(Debug)]
struct Credentials(SharedCredentialsProvider);

#[async_trait]
impl CredentialProvider for Credentials {
    type Credential = AwsCredential;

    async fn get_credential(&self) -> object_store::Result<Arc<AwsCredential>> {
        let found = self.0.provide_credentials().await;
        let found = found.map_err(|error| Error::Generic { store: "S3", source: Box::new(error) })?;
        Ok(Arc::new(AwsCredential {
            key_id: found.access_key_id().to_owned(),
            secret_key: found.secret_access_key().to_owned(),
            token: found.session_token().map(str::to_owned),
        }))
    }
}

#[async_trait]
impl Shelf for Bucket {
    async fn get(&self, name: &str) -> Result<(Option<Bytes>, Seen), ArchiveError> {
        self.objects().await?.get(&self.name(name)).await
    }

    async fn put(&self, name: &str, bytes: Bytes, seen: Seen) -> Result<(), ArchiveError> {
        self.objects().await?.put(&self.name(name), bytes, seen).await
    }

    async fn delete(&self, name: &str) -> Result<(), ArchiveError> {
        self.objects().await?.delete(&self.name(name)).await
    }
}
