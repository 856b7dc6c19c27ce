//! A request, made once and sent often.

use bytes::Bytes;

use crate::fake::Scene;

/// A chat request, ready for both protocols.
#[derive(Clone)]
pub struct Prompt {
    /// The JSON.
    pub body: Bytes,
    /// The `Authorization` field.
    pub authorization: String,
    /// The whole request as HTTP/1.1.
    pub whole: Bytes,
}

impl Prompt {
    /// Asks for `scene` with these words.
    pub fn new(scene: Scene, words: &str, token: &str) -> Self {
        let (model, stream) = (scene.model(), scene != Scene::Short);
        let body = format!(
            "{{\"model\":\"{model}\",\"stream\":{stream},\"messages\":[{{\"role\":\"user\",\"content\":\"{words}\"}}]}}"
        );
        let authorization = format!("Bearer {token}");
        let whole = format!(
            "POST /api/chat HTTP/1.1\r\nHost: localhost\r\nAuthorization: {authorization}\r\n\
             Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        Self { body: body.into(), authorization, whole: whole.into() }
    }

    /// An everyday question.
    pub fn usual(scene: Scene, token: &str) -> Self {
        Self::new(scene, "Translate to French: good morning, everybody.", token)
    }

    /// One that the fake can tell from all others.
    pub fn numbered(scene: Scene, number: u64, token: &str) -> Self {
        Self::new(scene, &format!("#{number:08} Translate to French: good morning."), token)
    }
}
