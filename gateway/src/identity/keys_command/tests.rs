//! What the operator sees.

use clap::Parser;

use super::*;

#[derive(Parser)]
struct Line {
    #[command(subcommand)]
    command: KeysCommand,
}

async fn run(folder: &std::path::Path, line: &[&str]) -> Result<String, String> {
    let mut config = Config::default();
    config.store.path = folder.join("fleet.db");
    config.roles.insert("batch".to_owned(), crate::config::settings::Role::default());
    let parsed = Line::try_parse_from([&["keys"], line].concat()).map_err(|error| error.to_string())?;
    let mut out = Vec::new();
    parsed.command.run(&config, &mut out).await.map_err(|error| error.to_string())?;
    Ok(String::from_utf8(out).unwrap())
}

#[tokio::test]
async fn a_key_is_made_listed_and_revoked() {
    let folder = tempfile::tempdir().unwrap();
    let run = async |line: &[&str]| run(folder.path(), line).await;
    assert_eq!(run(&["list"]).await.unwrap().lines().count(), 1, "only the head");

    let made = run(&[
        "create",
        "--owner",
        "nightly",
        "--role",
        "batch",
        "--role",
        "operator",
        "--expires-days",
        "2",
    ])
    .await
    .unwrap();
    let secret = made.lines().next().unwrap();
    assert!(secret.starts_with("ollm_"), "{made}");
    run(&["create", "--owner", "Zoë's laptop"]).await.unwrap();

    let listed = run(&["list"]).await.unwrap();
    assert!(!listed.contains(secret));
    let row = listed.lines().find(|row| row.ends_with("nightly")).unwrap();
    assert!(row.contains("  good   batch,operator  "), "{listed}");
    assert!(listed.lines().any(|row| row.contains("never") && row.ends_with("user            Zoë's laptop")));

    let (_, record) = api_keys::make("telegram", Vec::new(), 0, None).unwrap();
    let record = KeyRecord { acts_as: Some("https://issuer.example/#7".to_owned()), ..record };
    let store = fleet::store::SqliteStore::open(&folder.path().join("fleet.db")).unwrap();
    store.put_key(&record).await.unwrap();
    let acting = run(&["list"]).await.unwrap();
    assert!(
        acting.lines().any(|row| row.contains("telegram") && row.ends_with("  https://issuer.example/#7"))
    );

    let id = row.split(' ').next().unwrap();
    assert!(made.contains(id));
    run(&["revoke", id]).await.unwrap();
    assert!(run(&["list"]).await.unwrap().lines().any(|row| row.contains("revoked") && row.starts_with(id)));
    let log = fleet::store::OversightStore::audit(&store, "default", None, 10).await.unwrap();
    let entries: Vec<_> = log.iter().map(|entry| (entry.action.as_str(), entry.principal.as_str())).collect();
    assert_eq!(entries, [("revoke", "key#nightly"), ("key", "key#Zoë's laptop"), ("key", "key#nightly")]);
    assert!(log[0].detail.contains(id) && log[2].detail.contains(id));
}

#[tokio::test]
async fn what_makes_no_sense_is_refused_with_a_hint() {
    let folder = tempfile::tempdir().unwrap();
    for (line, hint) in [
        (&["create"][..], "--owner"),
        (&["create", "--owner", "  "], "1 to 128"),
        (&["create", "--owner", "a\nb"], "printable"),
        (&["create", "--owner", "a", "--role", "king"], "no role `king`"),
        (&["create", "--owner", "a", "--expires-days", "0"], "1..=3650"),
        (&["revoke", "012345678901"], "keys list"),
        (&["revoke", "nightly"], "no key id"),
        (&["revoke"], "<ID>"),
    ] {
        let error = run(folder.path(), line).await.unwrap_err();
        assert!(error.contains(hint), "{line:?}: {error}");
    }
}

#[test]
fn the_help_teaches() {
    for (line, lesson) in [
        (["keys", "create", "--help"], "Authorization: Bearer"),
        (["keys", "revoke", "--help"], "revoke 3fa94c01d2b7"),
    ] {
        let help = Line::try_parse_from(line).map(drop).unwrap_err().to_string();
        assert!(help.contains(lesson), "{help}");
    }
}

#[test]
fn days_are_days() {
    assert_eq!(date(0), "1970-01-01");
    assert_eq!(date(1_800_000_000), "2027-01-15");
    assert_eq!(date(i64::MAX), i64::MAX.to_string());
}
