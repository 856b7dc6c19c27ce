//! The methods of the Bot API that this fake has, with the answers and errors of the real server.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use serde_json::{Map, Value, json};
use tokio::time::{sleep, timeout};

use super::world::{Failure, Message, World, chat_of};
use super::{BOT, Shared, text};

/// The largest file (core.telegram.org/bots/api#senddocument).
const MOST_BYTES: usize = 50_000_000;
/// The longest caption.
const CAPTION: usize = 1024;
/// The bot's own number.
const SELF: i64 = 1_000;

/// A request, whatever form it came in.
#[derive(Default)]
pub(super) struct Ask {
    pub(super) fields: Map<String, Value>,
    /// Parts that are files: their field, name and content.
    pub(super) files: Vec<(String, String, Bytes)>,
}

impl Ask {
    fn number(&self, name: &str) -> Option<i64> {
        let value = self.fields.get(name)?;
        value.as_i64().or_else(|| value.as_str()?.parse().ok())
    }

    fn text(&self, name: &str) -> &str {
        self.fields.get(name).and_then(Value::as_str).unwrap_or_default()
    }

    /// A field that is JSON; in a form it is JSON as text.
    fn json(&self, name: &str) -> Option<Value> {
        let value = self.fields.get(name)?;
        value.as_str().map_or_else(|| Some(value.clone()), |text| serde_json::from_str(text).ok())
    }

    fn list(&self, name: &str) -> Vec<Value> {
        self.json(name).and_then(|list| list.as_array().cloned()).unwrap_or_default()
    }
}

/// An error of Telegram's.
#[derive(Debug)]
pub(super) struct Refused {
    pub(super) status: u16,
    pub(super) description: String,
    pub(super) retry_after: Option<u64>,
}

impl Refused {
    pub(super) fn new(status: u16, description: impl Into<String>) -> Self {
        Self { status, description: description.into(), retry_after: None }
    }

    pub(super) fn bad(description: &str) -> Self {
        Self::new(400, format!("Bad Request: {description}"))
    }

    pub(super) fn flood(seconds: u64) -> Self {
        let description = format!("Too Many Requests: retry after {seconds}");
        Self { retry_after: Some(seconds), ..Self::new(429, description) }
    }
}

/// What a method gives.
pub(super) type Answered = Result<Value, Refused>;

/// Does what a method does.
pub(super) async fn call(method: &str, ask: Ask, shared: &Shared) -> Answered {
    match method.to_ascii_lowercase().as_str() {
        "getme" => Ok(me()),
        "getupdates" => updates(&ask, shared).await,
        "deletewebhook" | "sendchataction" => Ok(Value::Bool(true)),
        "setmycommands" => shared.change(|world| commands(&ask, world)),
        "sendmessage" => shared.change(|world| write(&ask, world, |chat, world| send(chat, &ask, world))),
        "editmessagetext" => shared.change(|world| write(&ask, world, |chat, world| edit(chat, &ask, world))),
        "senddocument" => {
            shared.change(|world| write(&ask, world, |chat, world| document(chat, &ask, world)))
        }
        "deletemessage" => shared.change(|world| delete(&ask, world)),
        _ => Err(Refused::new(404, "Not Found: method not found")),
    }
}

/// What a test has scripted for this call: an error, or that its answer is lost.
pub(super) fn scripted(method: &str, ask: &Ask, shared: &Shared) -> Result<bool, Refused> {
    let mut world = shared.world();
    let Some(at) = world.script.iter().position(|(scripted, _)| scripted.eq_ignore_ascii_case(method)) else {
        return Ok(false);
    };
    match world.script.remove(at).1 {
        Failure::Lost => Ok(true),
        Failure::Refuse(status, description) => Err(Refused::new(status, description)),
        Failure::FloodWait(seconds) => {
            let wait = Duration::from_secs(seconds);
            world.flood.hold(ask.number("chat_id").unwrap_or_default(), wait, Instant::now());
            Err(Refused::flood(seconds))
        }
    }
}

fn me() -> Value {
    json!({
        "id": SELF, "is_bot": true, "first_name": "The fleet", "username": BOT, "can_join_groups": true,
        "can_read_all_group_messages": false, "supports_inline_queries": false, "can_connect_to_business": false,
        "has_main_web_app": false,
    })
}

/// Gives what is not confirmed, as soon as there is something. One poller at a time: an earlier one is sent away.
async fn updates(ask: &Ask, shared: &Shared) -> Answered {
    static POLLERS: AtomicU64 = AtomicU64::new(1);
    let poller = POLLERS.fetch_add(1, Ordering::Relaxed);
    let mut changes = shared.changes.subscribe();
    shared.change(|world| {
        world.poller = poller;
        if let Some(offset) = ask.number("offset").filter(|offset| *offset > 0) {
            world.confirm(offset);
        }
    });
    let most = usize::try_from(ask.number("limit").unwrap_or(100)).unwrap_or(100).clamp(1, 100);
    let waiting = async {
        loop {
            {
                let world = shared.world();
                if world.poller != poller {
                    let gone = "Conflict: terminated by other getUpdates request; make sure that only one bot instance is running";
                    return Err(Refused::new(409, gone));
                }
                if !world.updates.is_empty() {
                    return Ok(world.updates.iter().take(most).cloned().collect());
                }
            }
            if changes.changed().await.is_err() {
                sleep(Duration::from_secs(1)).await;
            }
        }
    };
    let patience = Duration::from_secs(u64::try_from(ask.number("timeout").unwrap_or(0)).unwrap_or(0));
    timeout(patience, waiting).await.unwrap_or_else(|_| Ok(json!([])))
}

/// core.telegram.org/bots/api#botcommand
fn commands(ask: &Ask, world: &mut World) -> Answered {
    let commands = ask.list("commands");
    let of = |command: &Value, key: &str| command[key].as_str().unwrap_or_default().to_owned();
    let named = |name: &str| {
        let name = name.trim_start_matches('/');
        (1..=32).contains(&name.len())
            && name.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_'))
    };
    for command in &commands {
        if !named(&of(command, "command")) {
            return Err(Refused::bad("BOT_COMMAND_INVALID"));
        }
        if !(1..=256).contains(&of(command, "description").chars().count()) {
            return Err(Refused::bad("BOT_COMMAND_DESCRIPTION_INVALID"));
        }
    }
    if commands.len() > 100 {
        return Err(Refused::bad("BOT_COMMANDS_TOO_MUCH"));
    }
    world.commands = commands.iter().map(|command| of(command, "command")).collect();
    Ok(Value::Bool(true))
}

/// What everything that shows something in a chat has in common: the chat is there, and it is not too much.
fn write(ask: &Ask, world: &mut World, work: impl FnOnce(i64, &mut World) -> Answered) -> Answered {
    let chat = ask.number("chat_id").ok_or_else(|| Refused::bad("chat_id is empty"))?;
    if !world.knows(chat) {
        return Err(Refused::bad("chat not found"));
    }
    if world.blocked.contains(&chat) {
        return Err(Refused::new(403, "Forbidden: bot was blocked by the user"));
    }
    let now = Instant::now();
    world.flood.take(chat, now).map_err(Refused::flood)?;
    let done = work(chat, world)?;
    world.wrote(chat, now);
    Ok(done)
}

fn checked(ask: &Ask) -> Result<(String, Vec<Value>), Refused> {
    let (text, entities) = text::taken(ask.text("text"), ask.list("entities"), ask.text("parse_mode"))?;
    if text.is_empty() {
        return Err(Refused::bad("message text is empty"));
    }
    Ok((text, entities))
}

fn send(chat: i64, ask: &Ask, world: &mut World) -> Answered {
    let (text, entities) = checked(ask)?;
    if text::units(&text) > text::MOST {
        return Err(Refused::bad("message is too long"));
    }
    let message = Message::of_bot(text, entities);
    let id = world.add(chat, message.clone());
    Ok(told(chat, id, &message))
}

fn edit(chat: i64, ask: &Ask, world: &mut World) -> Answered {
    let (text, entities) = checked(ask)?;
    if text::units(&text) > text::MOST {
        return Err(Refused::bad("MESSAGE_TOO_LONG"));
    }
    let id = ask.number("message_id").ok_or_else(|| Refused::bad("message identifier is not specified"))?;
    let message = world.message(chat, id).ok_or_else(|| Refused::bad("message to edit not found"))?;
    if !message.by_bot {
        return Err(Refused::bad("message can't be edited"));
    }
    if message.text == text && message.entities == entities {
        return Err(Refused::bad(
            "message is not modified: specified new message content and reply markup are exactly the same as a \
             current content and reply markup of the message",
        ));
    }
    (message.text, message.entities) = (text, entities);
    message.edits += 1;
    let message = message.clone();
    Ok(told(chat, id, &message))
}

fn delete(ask: &Ask, world: &mut World) -> Answered {
    let chat = ask.number("chat_id").unwrap_or_default();
    let id = ask.number("message_id").unwrap_or_default();
    if world.message(chat, id).is_none() {
        return Err(Refused::bad("message to delete not found"));
    }
    world.delete(chat, id);
    Ok(Value::Bool(true))
}

fn document(chat: i64, ask: &Ask, world: &mut World) -> Answered {
    let named = ask.text("document").strip_prefix("attach://").unwrap_or("document");
    let file = ask.files.iter().find(|(field, ..)| field == named);
    let (_, name, content) = file.ok_or_else(|| Refused::bad("there is no document in the request"))?;
    if content.is_empty() {
        return Err(Refused::bad("file must be non-empty"));
    }
    if content.len() > MOST_BYTES {
        return Err(Refused::new(413, "Request Entity Too Large"));
    }
    let (caption, entities) = text::taken(ask.text("caption"), ask.list("caption_entities"), "")?;
    if text::units(&caption) > CAPTION {
        return Err(Refused::bad("message caption is too long"));
    }
    let mut message = Message::of_bot(caption, entities);
    message.document = Some((name.clone(), content.clone()));
    let id = world.add(chat, message.clone());
    Ok(told(chat, id, &message))
}

/// A message of the bot's, as its calls are answered.
fn told(chat: i64, id: i64, message: &Message) -> Value {
    let mut told = json!({
        "message_id": id,
        "date": jiff::Timestamp::now().as_second(),
        "chat": chat_of(chat),
        "from": { "id": SELF, "is_bot": true, "first_name": "The fleet", "username": BOT },
    });
    match &message.document {
        None => {
            told["text"] = message.text.as_str().into();
            told["entities"] = message.entities.clone().into();
        }
        Some((name, content)) => {
            told["caption"] = message.text.as_str().into();
            told["document"] = json!({
                "file_id": "f", "file_unique_id": "f", "file_size": content.len(), "file_name": name,
                "mime_type": "application/json",
            });
        }
    }
    told
}
