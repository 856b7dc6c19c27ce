//! Independent vectors: Project Wycheproof's JSON Web Signature and JSON Web Key cases. They lie outside the
//! repository, in the folder `wycheproof` of `$EXTERNAL_DATA`; the unit tests cover every promise without them.

#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a test may stop, and says what it skips")]

use std::path::PathBuf;

use gateway::identity::jwt::verify_signature;
use serde_json::{Value, json};

/// The cases of one file, or a line that says what is left out.
fn groups(file: &str) -> Vec<Value> {
    let folder = std::env::var_os("EXTERNAL_DATA").map(PathBuf::from);
    let path = folder.map(|folder| folder.join("wycheproof").join(file));
    match path.as_ref().map(std::fs::read) {
        Some(Ok(bytes)) => {
            let mut vectors: Value = serde_json::from_slice(&bytes).unwrap();
            serde_json::from_value(vectors["testGroups"].take()).unwrap()
        }
        _ => {
            println!("skipped: {file} is not in $EXTERNAL_DATA/wycheproof");
            Vec::new()
        }
    }
}

/// The public half of a group, or its only half, as a key set.
fn key_set(group: &Value) -> Value {
    let key = group.get("public").unwrap_or(&group["private"]);
    if key.get("keys").is_some() { key.clone() } else { json!({ "keys": [key] }) }
}

/// Every case of a file: what is invalid must be refused; what is valid must hold where its algorithm is one of ours.
fn check(file: &str, least_valid: usize) {
    let groups = groups(file);
    let mut held = 0;
    for group in &groups {
        let set = key_set(group);
        for case in group["tests"].as_array().unwrap() {
            let token = case["jws"].as_str().map_or_else(|| case["jws"].to_string(), str::to_owned);
            let found = verify_signature(&token, set.to_string().as_bytes());
            let ours = set["keys"]
                .as_array()
                .unwrap()
                .iter()
                .all(|key| matches!(key["alg"].as_str(), Some("RS256" | "ES256" | "EdDSA")));
            let expected = case["result"] == "valid" && ours;
            assert_eq!(found.is_ok(), expected, "{file} {}: {} {found:?}", case["tcId"], case["comment"]);
            held += usize::from(expected);
        }
    }
    assert!(groups.is_empty() || held >= least_valid, "{file}: only {held} valid ones hold");
}

#[test]
fn wycheproof_signatures() {
    check("json_web_signature_test.json", 5);
}

#[test]
fn wycheproof_keys() {
    check("json_web_key_test.json", 1);
}
