//! The closed table of routes: what is not listed here does not exist.

use http::Method;

use super::books::Book;
use crate::conversations::Act;
use crate::error::Refusal;
use crate::moderation::Look;
use crate::ollama::dialect::{Api, Family};
use crate::translate::Task;

/// What a route costs and touches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// No model data.
    Public,
    /// Reads what is there.
    Read,
    /// Occupies a GPU.
    Inference,
    /// Changes which models there are.
    Administrative,
}

/// Who may take a route at all. Models and fields are looked at later.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Permission {
    /// Without a credential, from any network: health checks come by address.
    Probe,
    /// Without a credential.
    Anyone,
    /// With a credential.
    User,
    /// With the right to operate the fleet.
    Operate,
    /// With the right to manage models.
    ManageModels,
    /// The same right: whoever decides on models decides on keys and people.
    Administer,
}

/// What a route does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// `Ollama is running`, as the clients' heartbeat expects.
    Root,
    /// The version of Ollama behind us.
    Version,
    /// Is the process there?
    Health,
    /// May requests be sent here?
    Ready,
    /// State and estimated wait, for the page.
    Fleet,
    /// An operator wakes the fleet.
    Wake,
    /// An operator puts the fleet to sleep.
    Sleep,
    /// `/api/tags`
    Tags,
    /// `/api/ps`
    Running,
    /// `/api/status`
    CloudStatus,
    /// `/v1/models`
    OpenAiModels,
    /// `/v1/models/{model}`
    OpenAiModel,
    /// A JSON body that goes to Ollama.
    Ask(Api),
    /// Translation.
    Translate(Task),
    /// A person's conversations.
    Converse(Act),
    /// What administrators keep.
    Keep(Book),
    /// A file of the page.
    Page,
}

/// One row of the table.
#[derive(Debug, PartialEq, Eq)]
pub struct Route {
    /// The exact path, also the one sent upstream. A segment in braces takes one literal segment, `{*}` at the end any
    /// number, none included. The first row that fits counts.
    pub path: &'static str,
    /// The exact methods, as `Allow` lists them.
    pub methods: &'static str,
    /// The shape of errors.
    pub family: Family,
    /// What it costs.
    pub class: Class,
    /// Who may take it.
    pub permission: Permission,
    /// What it does.
    pub action: Action,
}

const fn row(
    methods: &'static str,
    path: &'static str,
    family: Family,
    class: Class,
    permission: Permission,
    action: Action,
) -> Route {
    Route { path, methods, family, class, permission, action }
}

/// Every route there is.
#[rustfmt::skip]
pub static ROUTES: &[Route] = {
    use Action::*;
    use Api::*;
    use Class::*;
    use Family::*;
    use Permission::*;
    use Task::{Detect, Download, File, Handover, Languages, Settings, Stream, Text};
    &[
        row("GET, HEAD", "/",                    Native,    Public,         Anyone,       Root),
        row("GET, HEAD", "/healthz",             Native,    Public,         Probe,        Health),
        row("GET, HEAD", "/readyz",              Native,    Public,         Probe,        Ready),
        row("GET, HEAD", "/health",              Native,    Public,         Probe,        Ready),
        row("GET, HEAD", "/api/version",         Native,    Public,         User,         Version),
        row("GET",       "/fleet",               Native,    Read,           User,         Fleet),
        row("POST",      "/fleet/wake",          Native,    Administrative, Operate,      Wake),
        row("POST",      "/fleet/sleep",         Native,    Administrative, Operate,      Sleep),
        row("POST",      "/fleet/hold",          Native,    Administrative, Operate,      Keep(Book::Hold)),
        row("GET, POST, DELETE", "/fleet/keys",  Native,    Administrative, Administer,   Keep(Book::Keys)),
        row("GET, POST, DELETE", "/fleet/denials", Native,  Administrative, Administer,   Keep(Book::Denials)),
        row("POST",      "/fleet/links",         Native,    Administrative, Administer,   Keep(Book::Links)),
        row("POST",      "/links/redeem",        Native,    Administrative, User,         Keep(Book::Redeem)),
        row("POST",      "/moderation/people",   Native,    Read,           Administer,   Keep(Book::Moderation(Look::People))),
        row("POST",      "/moderation/conversations", Native, Read,         Administer,   Keep(Book::Moderation(Look::Conversations))),
        row("POST, DELETE", "/moderation/conversation", Native, Read,       Administer,   Keep(Book::Moderation(Look::Conversation))),
        row("POST",      "/moderation/search",   Native,    Read,           Administer,   Keep(Book::Moderation(Look::Search))),
        row("POST",      "/moderation/audit",    Native,    Read,           Administer,   Keep(Book::Moderation(Look::Audit))),
        row("GET",       "/fleet/history",       Native,    Read,           Operate,      Keep(Book::History)),
        row("GET",       "/fleet/usage",         Native,    Read,           User,         Keep(Book::Usage)),
        row("GET, HEAD", "/ui/{*}",              Native,    Public,         Anyone,       Page),
        row("GET, HEAD", "/api/tags",            Native,    Read,           User,         Tags),
        row("GET",       "/api/ps",              Native,    Read,           User,         Running),
        row("GET",       "/api/status",          Native,    Read,           User,         CloudStatus),
        row("POST",      "/api/show",            Native,    Read,           User,         Ask(Show)),
        row("POST",      "/api/generate",        Native,    Inference,      User,         Ask(Generate)),
        row("POST",      "/api/chat",            Native,    Inference,      User,         Ask(Chat)),
        row("POST",      "/api/embed",           Native,    Inference,      User,         Ask(Embed)),
        row("POST",      "/api/embeddings",      Native,    Inference,      User,         Ask(Embeddings)),
        row("POST",      "/api/pull",            Native,    Administrative, ManageModels, Ask(Pull)),
        row("DELETE",    "/api/delete",          Native,    Administrative, ManageModels, Ask(Delete)),
        row("GET",       "/v1/models",           OpenAi,    Read,           User,         OpenAiModels),
        row("GET",       "/v1/models/{model}",   OpenAi,    Read,           User,         OpenAiModel),
        row("POST",      "/v1/chat/completions", OpenAi,    Inference,      User,         Ask(ChatCompletions)),
        row("POST",      "/v1/completions",      OpenAi,    Inference,      User,         Ask(Completions)),
        row("POST",      "/v1/embeddings",       OpenAi,    Inference,      User,         Ask(OpenAiEmbeddings)),
        row("POST",      "/v1/responses",        OpenAi,    Inference,      User,         Ask(Responses)),
        row("POST",      "/v1/messages",         Anthropic, Inference,      User,         Ask(Messages)),
        row("POST",      "/translate",           Native,    Inference,      User,         Translate(Text)),
        row("POST",      "/translate/stream",    Native,    Inference,      User,         Translate(Stream)),
        row("POST",      "/translate_file",      Native,    Inference,      User,         Translate(File)),
        row("GET",       "/download_file/{file}", Native,   Read,           User,         Translate(Download)),
        row("POST",      "/fleet/file",          Native,    Read,           User,         Translate(Handover)),
        row("POST",      "/detect",              Native,    Read,           User,         Translate(Detect)),
        row("GET, POST", "/languages",           Native,    Read,           User,         Translate(Languages)),
        row("GET",       "/frontend/settings",   Native,    Read,           User,         Translate(Settings)),
        row("GET, POST", "/conversations",       Native,    Read,           User,         Converse(Act::All)),
        row("GET",       "/conversations/export", Native,   Read,           User,         Converse(Act::Export)),
        row("GET, PATCH, DELETE", "/conversations/{id}", Native, Read,      User,         Converse(Act::One)),
        row("POST",      "/conversations/{id}/messages", Native, Inference, User,         Converse(Act::Say)),
        row("POST",      "/conversations/{id}/stop", Native, Read,          User,         Converse(Act::Stop)),
    ]
};

impl Route {
    /// Finds the row for a method and a raw path (no query).
    ///
    /// # Errors
    /// 400 for an unclean path (which ends the connection), 404 for one that is not listed, 405 for a listed one by another method.
    pub fn of(method: &Method, path: &str) -> Result<&'static Self, Refusal> {
        if !is_clean(path) {
            return Err(Refusal::Ambiguous(
                "the path may only hold plain letters, digits and single slashes, as in the documented routes",
            ));
        }
        let route = ROUTES.iter().find(|route| route.matches(path)).ok_or(Refusal::NoRoute)?;
        if route.methods.split(", ").any(|allowed| allowed == method.as_str()) {
            Ok(route)
        } else {
            Err(Refusal::Method(route.methods))
        }
    }

    /// The row that asks by `api`: its one method and literal path are what goes upstream.
    pub fn asking(api: Api) -> Option<&'static Self> {
        ROUTES.iter().find(|route| route.action == Action::Ask(api))
    }

    fn matches(&self, path: &str) -> bool {
        if self.path.contains('{') { self.named_segment(path).is_some() } else { self.path == path }
    }

    /// The literal segment in the place of the braces, if the row has one and the path fits.
    pub fn named_segment<'a>(&self, path: &'a str) -> Option<&'a str> {
        let (before, braced) = self.path.split_once('{')?;
        let (name, behind) = braced.split_once('}')?;
        let segment = path.strip_prefix(before)?.strip_suffix(behind)?;
        (name == "*" || (!segment.is_empty() && !segment.contains('/'))).then_some(segment)
    }
}

/// The family whose shape an error for this path has, also where no row matches.
pub fn family_of(path: &str) -> Family {
    if path == "/v1/messages" || path.starts_with("/v1/messages/") {
        Family::Anthropic
    } else if path == "/v1" || path.starts_with("/v1/") {
        Family::OpenAi
    } else {
        Family::Native
    }
}

/// Nothing a router could read in two ways: no escapes, no empty or dot segments, no parameters, no backslash,
/// nothing beyond visible ASCII (ollama.com's router decodes and cleans paths; ours must not need to).
fn is_clean(path: &str) -> bool {
    path.starts_with('/')
        && path.bytes().all(|b| b.is_ascii_graphic() && !matches!(b, b'%' | b';' | b'\\'))
        && !path.contains("//")
        && !path.contains("/.")
}
