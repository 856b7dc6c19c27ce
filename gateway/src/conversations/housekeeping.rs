//! What one gateway of the fleet does for all every ten minutes: conversations that rest go to the archive, those whose
//! time is over go altogether, and an answer whose writer died is said to have broken off.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use fleet::store::{Conversation, Ending, Message, PenHeld, Person, Store, StoreError};
use tracing::{info, warn};

use super::archive::{Archive, ArchiveError};
use crate::config::settings::Conversations;
use crate::process::Shared;

/// Between two rounds, with up to a fifth more or less, so that the gateways of a fleet do not ask at once.
const EVERY: Duration = Duration::from_secs(600);

/// Between two people, and again after each conversation that was touched: twenty calls a second at most.
const PACE: Duration = Duration::from_millis(50);

/// How long the pen is taken for one conversation, in seconds, and how long that one may take.
const PEN: i64 = 60;
const UNDER_PEN: Duration = Duration::from_secs(45);

/// Messages of a conversation that goes on which always stay in the table.
pub const LATEST_KEPT: usize = 40;

/// Where nobody has said anything for so long, in seconds, an answer has lost its writer; and how far back we look for
/// such. What is older is marked by whoever goes on with it, and by the archive.
const QUIET: i64 = 300;
const LOOK_BACK: i64 = 3600;

/// A person who was not seen for a day longer than conversations take to rest has hardly anything to tidy; we look all
/// the same, in one round of so many.
const SELDOM: u32 = 100;

const HOUR: i64 = 3600;
const DAY: i64 = 24 * HOUR;

/// What a conversation needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Due {
    Nothing,
    /// Perhaps its last answer lost its writer, or its messages are long.
    Look,
    /// All but so many messages go to the archive.
    Settle(usize),
    /// Its time is over.
    Delete,
}

/// Does the rounds until it is dropped.
pub async fn run(shared: &Arc<Shared>) {
    if !shared.config.conversations.enabled {
        return;
    }
    loop {
        tokio::time::sleep(EVERY.mul_f64(0.8 + 0.4 * fastrand::f64())).await;
        let now = unix_now();
        let fleet = &shared.config.fleet.name;
        let claimed =
            shared.store.claim_chore(fleet, "conversations", now, now + EVERY.as_secs() as i64).await;
        match claimed {
            Ok(false) => continue,
            Ok(true) => {}
            Err(error) => {
                warn!(%error, "conversations cannot be tidied now");
                continue;
            }
        }
        let round = Round {
            store: shared.store.as_ref(),
            archive: &shared.archive,
            settings: &shared.config.conversations,
            pace: PACE,
        };
        // Another gateway may begin the next one then; people come in another order each time.
        match tokio::time::timeout(EVERY, round.run(now)).await {
            Ok(Ok(done)) if done == Done::default() => {}
            Ok(Ok(Done { settled, deleted, mended, failed })) => {
                info!(settled, deleted, mended, failed, "tidied conversations");
            }
            Ok(Err(error)) => warn!(%error, "conversations were not tidied to the end"),
            Err(_) => info!("conversations were not tidied to the end in time; the next round goes on"),
        }
    }
}

/// What a round did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Done {
    settled: u64,
    deleted: u64,
    mended: u64,
    /// Conversations at which it failed, each told in the log.
    failed: u64,
}

/// One round over everybody.
struct Round<'a> {
    store: &'a dyn Store,
    archive: &'a Archive,
    settings: &'a Conversations,
    pace: Duration,
}

impl Round<'_> {
    async fn run(&self, now: i64) -> Result<Done, ArchiveError> {
        let mut people = self.store.people().await?;
        people.retain(|person| is_worth_a_look(person, self.settings, now, fastrand::u32(..SELDOM)));
        fastrand::shuffle(&mut people);
        let mut done = Done::default();
        for person in people {
            tokio::time::sleep(self.pace).await;
            for head in self.store.conversations(&person.principal).await? {
                if due(&head, self.settings, self.archive.is_kept(), now) == Due::Nothing {
                    continue;
                }
                match self.tidy(&head, now, &mut done).await {
                    // Who is being written to, or was changed by somebody, is for the next round.
                    Ok(()) | Err(ArchiveError::Changed | ArchiveError::Gone) => {}
                    // It would fail at the others too.
                    Err(error @ ArchiveError::Store(StoreError::Unavailable(_))) => return Err(error),
                    Err(error) => {
                        done.failed += 1;
                        warn!(%error, conversation = head.id, "a conversation cannot be tidied");
                    }
                }
                tokio::time::sleep(self.pace).await;
            }
        }
        Ok(done)
    }

    async fn tidy(&self, head: &Conversation, now: i64, done: &mut Done) -> Result<(), ArchiveError> {
        let (principal, id) = (&head.principal, &head.id);
        let looks = due(head, self.settings, self.archive.is_kept(), now) == Due::Look;
        if looks && self.look(head).await? == Look::default() {
            return Ok(());
        }
        let holder = format!("housekeeping {:016x}", fastrand::u64(..));
        let began = unix_now();
        let PenHeld::Yes(_) = self.store.take_pen(principal, id, &holder, began, began + PEN).await? else {
            return Ok(());
        };
        let tidied = tokio::time::timeout(UNDER_PEN, self.tidy_under_pen(head, now, done)).await;
        let dropped = self.store.drop_pen(principal, id, &holder).await;
        tidied.unwrap_or_else(|_| {
            Err(ArchiveError::Unavailable(format!("no end in {} s", UNDER_PEN.as_secs())))
        })?;
        Ok(dropped?)
    }

    /// With the pen, and by the head as it is now.
    async fn tidy_under_pen(
        &self,
        head: &Conversation,
        now: i64,
        done: &mut Done,
    ) -> Result<(), ArchiveError> {
        let Some(head) = self.store.conversation(&head.principal, &head.id).await? else { return Ok(()) };
        let keep = match due(&head, self.settings, self.archive.is_kept(), now) {
            Due::Nothing => return Ok(()),
            Due::Delete => {
                self.archive.delete(self.store, &head).await?;
                done.deleted += 1;
                return Ok(());
            }
            Due::Settle(keep) => keep,
            Due::Look => {
                let Look { torn, large } = self.look(&head).await?;
                if let Some(torn) = torn {
                    let broken = Message { state: Ending::Broken, ..torn };
                    self.store.write_message(&head.principal, &head.id, &broken).await?;
                    done.mended += 1;
                }
                if !large {
                    return Ok(());
                }
                LATEST_KEPT
            }
        };
        let settled = self.archive.settle(self.store, &head, keep).await?;
        done.settled += u64::from(settled.archive != head.archive);
        Ok(())
    }

    /// What only the messages tell.
    async fn look(&self, head: &Conversation) -> Result<Look, ArchiveError> {
        let most = self.settings.recent_messages.max(1);
        let mut messages = self.store.messages(&head.principal, &head.id, None, most).await?;
        messages.retain(|message| head.archive.as_ref().is_none_or(|archive| message.id > archive.until));
        let bytes: u64 = messages.iter().map(|message| message.content.len() as u64).sum();
        let large = messages.len() > LATEST_KEPT && bytes > self.settings.recent_bytes;
        let torn = messages.pop().filter(|last| last.state == Ending::Writing);
        Ok(Look { torn, large: large && self.archive.is_kept() })
    }
}

/// What a look at a conversation's messages in the table shows.
#[derive(Debug, Clone, PartialEq, Default)]
struct Look {
    /// The last one, still marked as being written.
    torn: Option<Message>,
    /// They have more bytes than should stay there.
    large: bool,
}

/// Could this person have conversations that need something? `chance` is a number below [`SELDOM`].
fn is_worth_a_look(person: &Person, settings: &Conversations, now: i64, chance: u32) -> bool {
    let rests = seconds(settings.idle_hours, HOUR).saturating_add(DAY);
    person.seen.saturating_add(rests) > now || chance == 0
}

/// What a conversation needs at `now`, as far as its head tells.
fn due(head: &Conversation, settings: &Conversations, archive: bool, now: i64) -> Due {
    let rested = now.saturating_sub(head.updated);
    if settings.keep_days > 0 && rested >= seconds(settings.keep_days, DAY) {
        return Due::Delete;
    }
    let archived = head.archive.as_ref().map_or(0, |archive| archive.messages);
    let in_table = head.messages.saturating_sub(archived);
    if archive && in_table > 0 && rested >= QUIET {
        if head.closed || rested >= seconds(settings.idle_hours, HOUR) {
            return Due::Settle(0);
        }
        if in_table > settings.recent_messages as u64 {
            return Due::Settle(LATEST_KEPT);
        }
    }
    if (QUIET..LOOK_BACK).contains(&rested) { Due::Look } else { Due::Nothing }
}

fn seconds(count: u64, unit: i64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX).saturating_mul(unit)
}

fn unix_now() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs() as i64)
}

#[cfg(test)]
mod tests;
