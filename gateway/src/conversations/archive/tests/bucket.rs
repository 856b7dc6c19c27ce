//! The same in a bucket, on what stands in for S3.

use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_sdk_autoscaling::config::{Credentials, SharedCredentialsProvider};
use bytes::Bytes;

use super::random::live;
use super::*;
use crate::conversations::archive::s3::Bucket;

/// Where the emulator listens, with a new bucket in it. Outside CI it may be missing, which one line says.
async fn bucket() -> Option<(SdkConfig, String)> {
    let read = |name: &str| std::env::var_os(name).and_then(|value| value.into_string().ok());
    let Some(endpoint) = read("FLEET_TEST_MINISTACK").filter(|endpoint| !endpoint.is_empty()) else {
        assert!(
            read("CI").is_none_or(|ci| ci != "true"),
            "CI must start the emulators: scripts/emulators.sh start"
        );
        println!("skipped: set FLEET_TEST_MINISTACK (scripts/emulators.sh start) to test on it");
        return None;
    };
    let nobody = Credentials::new("nobody", "none", None, None, "test");
    let shared = SdkConfig::builder()
        .behavior_version(BehaviorVersion::v2026_01_12())
        // Where it makes its buckets.
        .region(Region::new("us-east-1"))
        .credentials_provider(SharedCredentialsProvider::new(nobody))
        .endpoint_url(&endpoint)
        .build();
    let name = format!("archive-{:08x}", fastrand::u32(..));
    let made = reqwest::Client::new().put(format!("{endpoint}/{name}")).send().await.unwrap();
    assert!(made.status().is_success(), "{}", made.status());
    Some((shared, name))
}

#[tokio::test]
async fn a_conversation_goes_to_a_bucket_and_is_seen_as_before() {
    let Some((shared, name)) = bucket().await else { return };
    let open = |place: &str| Bucket::reached_by(&shared, &format!("{name}{place}")).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let (store, conversation) = begin(folder.path(), 10).await;
    let settled = over(open("/some/prefix/")).settle(&store, &conversation, 4).await.unwrap();
    assert_eq!(numbers(&over(open("/some/prefix")).whole(&store, &settled).await.unwrap()), count(0, 10));
    let names = Names::of(&settled);
    let (found, _) = open("").get(&format!("some/prefix/{}", names.text)).await.unwrap();
    assert!(String::from_utf8(found.unwrap().to_vec()).unwrap().contains("message 5"));
    over(open("/some/prefix")).delete(&store, &settled).await.unwrap();
    for name in [&names.json, &names.text] {
        assert!(open("/some/prefix").get(name).await.unwrap().0.is_none(), "{name}");
    }
}

#[tokio::test]
async fn a_bucket_keeps_late_writers_out() {
    let Some((shared, name)) = bucket().await else { return };
    let bucket = Bucket::reached_by(&shared, &name).unwrap();
    let write = async |text: &'static str, seen: Seen| {
        bucket.put("object", Bytes::from_static(text.as_bytes()), seen).await
    };
    let (none, nothing) = bucket.get("object").await.unwrap();
    assert!(none.is_none());
    write("first", nothing.clone()).await.unwrap();
    assert!(matches!(write("another first", nothing).await, Err(ArchiveError::Changed)));
    let (_, first) = bucket.get("object").await.unwrap();
    write("second", first.clone()).await.unwrap();
    assert!(matches!(write("another second", first).await, Err(ArchiveError::Changed)));
    assert_eq!(bucket.get("object").await.unwrap().0.unwrap(), "second");
    write("whatever was there", Seen::Anything).await.unwrap();
    bucket.delete("object").await.unwrap();
    bucket.delete("object").await.unwrap();
}

#[tokio::test]
async fn each_message_is_seen_once_in_a_bucket_too() {
    let Some((shared, name)) = bucket().await else { return };
    for seed in 2000..2003 {
        let folder = tempfile::tempdir().unwrap();
        live(seed, 30, folder.path(), || Bucket::reached_by(&shared, &name).unwrap()).await;
    }
}

#[tokio::test]
async fn a_bucket_that_is_not_there_is_named() {
    let Some((shared, name)) = bucket().await else { return };
    let absent = Bucket::reached_by(&shared, &format!("{name}-not")).unwrap();
    let error = absent.put("object", Bytes::new(), Seen::Anything).await.unwrap_err();
    assert!(matches!(&error, ArchiveError::Unavailable(why) if why.contains("NoSuchBucket")), "{error}");
}
