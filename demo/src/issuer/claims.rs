//! What a token says, in the words of the two kinds of issuer the product knows.

use serde_json::{Map, Value, json};

/// Whose habits a token follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// An access token of Amazon Cognito: `client_id` instead of `aud`, `token_use`, `cognito:groups`, no email.
    Cognito,
    /// An access token as Auth0 and most others make it: `aud`, `scope`, groups in a claim of choice.
    Oidc,
}

/// Builds a payload. Everything unusual can be put over it with [`Claims::with`].
#[derive(Debug, Clone)]
pub struct Claims {
    kind: Kind,
    subject: String,
    audiences: Vec<String>,
    client_id: String,
    groups: Vec<String>,
    groups_claim: String,
    email: Option<(String, bool)>,
    expires_in: i64,
    more: Map<String, Value>,
    without: Vec<String>,
}

impl Claims {
    /// An access token of a plain issuer for this subject: no audience, no groups, good for an hour.
    pub fn oidc(subject: &str) -> Self {
        Self {
            kind: Kind::Oidc,
            subject: subject.to_owned(),
            audiences: Vec::new(),
            client_id: "demo".to_owned(),
            groups: Vec::new(),
            groups_claim: "groups".to_owned(),
            email: None,
            expires_in: 3600,
            more: Map::new(),
            without: Vec::new(),
        }
    }

    /// An access token of Cognito for this subject, issued to this client.
    pub fn cognito(subject: &str, client_id: &str) -> Self {
        let groups_claim = "cognito:groups".to_owned();
        Self { kind: Kind::Cognito, groups_claim, ..Self::oidc(subject) }.client_id(client_id)
    }

    /// Adds an audience.
    #[must_use]
    pub fn audience(mut self, audience: &str) -> Self {
        self.audiences.push(audience.to_owned());
        self
    }

    /// Sets the client that asked for the token.
    #[must_use]
    pub fn client_id(mut self, client_id: &str) -> Self {
        client_id.clone_into(&mut self.client_id);
        self
    }

    /// Adds a group.
    #[must_use]
    pub fn group(mut self, group: &str) -> Self {
        self.groups.push(group.to_owned());
        self
    }

    /// The claim that carries the groups.
    #[must_use]
    pub fn groups_claim(mut self, claim: &str) -> Self {
        claim.clone_into(&mut self.groups_claim);
        self
    }

    /// Sets `email` and `email_verified`.
    #[must_use]
    pub fn email(mut self, email: &str, verified: bool) -> Self {
        self.email = Some((email.to_owned(), verified));
        self
    }

    /// Seconds until it expires; negative: it expired that long ago.
    #[must_use]
    pub fn expires_in(mut self, seconds: i64) -> Self {
        self.expires_in = seconds;
        self
    }

    /// Sets any claim, over what it would be.
    #[must_use]
    pub fn with(mut self, claim: &str, value: impl Into<Value>) -> Self {
        self.more.insert(claim.to_owned(), value.into());
        self
    }

    /// Leaves a claim out.
    #[must_use]
    pub fn without(mut self, claim: &str) -> Self {
        self.without.push(claim.to_owned());
        self
    }

    /// Whom it is about.
    pub(super) fn subject(&self) -> &str {
        &self.subject
    }

    /// The email, if it has one: `userinfo` answers it.
    pub(super) fn email_of(&self) -> Option<(String, bool)> {
        self.email.clone()
    }

    /// The payload of a token made now by the issuer at `url`.
    pub fn payload(&self, url: &str) -> Value {
        let now = jiff::Timestamp::now().as_second();
        let mut payload = json!({
            "iss": url, "sub": self.subject, "iat": now.min(now + self.expires_in - 1),
            "exp": now + self.expires_in, "jti": format!("{:016x}", fastrand::u64(..)),
        });
        match self.kind {
            Kind::Cognito => {
                payload["token_use"] = "access".into();
                payload["client_id"] = self.client_id.as_str().into();
                payload["username"] = self.subject.as_str().into();
                payload["scope"] = "openid".into();
            }
            Kind::Oidc => {
                payload["azp"] = self.client_id.as_str().into();
                payload["scope"] = "openid profile email".into();
                match &self.audiences[..] {
                    [] => {}
                    [one] => payload["aud"] = one.as_str().into(),
                    many => payload["aud"] = json!(many),
                }
            }
        }
        if !self.groups.is_empty() {
            payload[&self.groups_claim] = json!(self.groups);
        }
        if let Some((email, verified)) = &self.email {
            payload["email"] = email.as_str().into();
            payload["email_verified"] = (*verified).into();
        }
        if let Value::Object(members) = &mut payload {
            members.extend(self.more.clone());
            members.retain(|claim, _| !self.without.contains(claim));
        }
        payload
    }
}
