//! The bot: people of the company talk to the fleet's models on Telegram. It is a client of the gateway like any other.
//!
//! - [`config`]: what `bot.toml` may say
//! - [`memory`]: who is linked, and where their conversations stand: a file
//! - [`gateway`]: the calls to the gateway
//! - [`markup`], [`pieces`]: a model's Markdown as Telegram can show it, in messages that are short enough
//! - [`telegram`]: the calls to Telegram, within its rates
//! - [`chat`]: what is said in one chat, and what is done about it
//! - [`run`]: takes what people wrote, and hands it to their chats

pub mod config;
pub mod memory;
pub mod gateway;
pub mod markup;
pub mod pieces;
pub mod telegram;
pub mod chat;
pub mod run;
