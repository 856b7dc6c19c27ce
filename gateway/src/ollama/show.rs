//! `/api/show` without the server's paths: its `modelfile` names the files a model came from.

use bytes::Bytes;
use serde_json::{Map, Value};

use super::names::ModelName;

/// Instructions of a Modelfile that name a file (docs/modelfile of v0.33).
const NAME_A_FILE: &[&str] = &["FROM ", "ADAPTER ", "PROJECTOR "];

/// The answer with every path in its `modelfile` replaced by the model's own name; `None` where it is no object, and
/// so nothing to pass on.
pub fn without_paths(answer: &[u8], model: &ModelName) -> Option<Bytes> {
    let mut answer: Map<String, Value> = serde_json::from_slice(answer).ok()?;
    if let Some(Value::String(file)) = answer.get_mut("modelfile") {
        *file = file.lines().map(|line| clean(line, model)).collect::<Vec<_>>().join("\n");
    }
    serde_json::to_vec(&answer).ok().map(Bytes::from)
}

fn clean(line: &str, model: &ModelName) -> String {
    let instruction = NAME_A_FILE.iter().find(|instruction| line.starts_with(**instruction));
    match instruction {
        Some(instruction) if line[instruction.len()..].contains(['/', '\\']) => {
            format!("{instruction}{model}")
        }
        _ => line.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_become_the_model_and_the_rest_stays() {
        let model = ModelName::parse("tiny").unwrap();
        let answer = br##"{"modelfile":"# FROM tiny:latest\n\nFROM /home/x/blobs/sha256-1\nADAPTER /a/b\nTEMPLATE \"{{ .Prompt }}/x\"","details":{"family":"llama"}}"##;
        let clean = without_paths(answer, &model).unwrap();
        let clean: Value = serde_json::from_slice(&clean).unwrap();
        let file =
            "# FROM tiny:latest\n\nFROM tiny:latest\nADAPTER tiny:latest\nTEMPLATE \"{{ .Prompt }}/x\"";
        assert_eq!(clean["modelfile"], file);
        assert_eq!(clean["details"]["family"], "llama");
        assert!(without_paths(b"[1]", &model).is_none());
    }
}
