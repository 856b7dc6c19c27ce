//! The keys of who may come in: issuers, addresses and names, roles.

use ipnet::IpNet;
use serde::Deserialize;

use crate::identity::Priority;

/// `[[issuers]]`: whose tokens are taken, and which of them.
#[derive(Debug, Clone, Deserialize)]
pub struct Issuer {
    /// Compared with `iss` to the letter, a trailing slash included.
    pub issuer: String,
    /// `cognito` or `oidc`: which claims bind a token to us.
    pub kind: IssuerKind,
    /// oidc: one of these must be in `aud`.
    #[serde(default)]
    pub audiences: Vec<String>,
    /// cognito: `client_id` must be one of these. oidc: `azp`, where the list is not empty.
    #[serde(default)]
    pub client_ids: Vec<String>,
    /// Default `<issuer>/.well-known/jwks.json`; http only for loopback.
    pub jwks_url: Option<String>,
    /// Where `email` is asked when the token has none; default: not asked.
    pub userinfo_url: Option<String>,
    /// The claim that lists the caller's groups. Default `cognito:groups`.
    #[serde(default = "groups_claim")]
    pub groups_claim: String,
}

fn groups_claim() -> String {
    "cognito:groups".to_owned()
}

/// The rules a token of an issuer is held to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum IssuerKind {
    /// Access tokens with `token_use` and `client_id`, without `aud`.
    Cognito,
    /// Access tokens with `aud` (Auth0, Keycloak, Entra and others).
    Oidc,
}

/// `[access]`: from where, and under which names.
#[derive(Debug, Clone, Deserialize)]
#[serde(default)]
pub struct Access {
    /// Host names we answer to, without port; empty: any.
    pub hosts: Vec<String>,
    /// Client addresses let in. Default: everyone (the security groups decide).
    pub allowed_networks: Vec<IpNet>,
    /// Proxies whose `X-Forwarded-For` counts. Default none.
    pub trusted_proxies: Vec<IpNet>,
    /// Origins a browser page may call from, `https://host[:port]`. Default none.
    pub allowed_origins: Vec<String>,
}

impl Default for Access {
    fn default() -> Self {
        Self {
            hosts: Vec::new(),
            allowed_networks: vec![IpNet::default(), ipnet::Ipv6Net::default().into()],
            trusted_proxies: Vec::new(),
            allowed_origins: Vec::new(),
        }
    }
}

/// `[roles.<name>]`. What a role leaves out it takes from `user`; a caller's roles add up, the most generous wins.
#[derive(Debug, Clone, Deserialize, Default)]
#[serde(default)]
pub struct Role {
    /// Groups that give the role. Without meaning for `user`.
    pub groups: Vec<String>,
    /// Verified e-mail addresses that give the role.
    pub emails: Vec<String>,
    /// Models by name or prefix (`gemma*`). `user`: default `["*"]`.
    pub models: Option<Vec<String>>,
    /// `user`: default 60.
    pub requests_per_minute: Option<u32>,
    /// `user`: default 20.
    pub requests_burst: Option<u32>,
    /// `user`: default 60000.
    pub tokens_per_minute: Option<u64>,
    /// `user`: default 4.
    pub open_requests: Option<u32>,
    /// `interactive`, `normal` or `batch`. `user`: default `normal`.
    pub priority: Option<Priority>,
    /// Whole lists, load and unload, runner options. Default: true for `operator` and `admin`.
    pub operate: Option<bool>,
    /// Pull and delete models. Default false.
    pub manage_models: Option<bool>,
    /// Take this role's limits *instead of* those of `user`, also where they are tighter. Default false.
    pub replaces_user: bool,
}
