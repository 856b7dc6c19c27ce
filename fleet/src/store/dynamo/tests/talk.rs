//! Conversations and the audit log as they are sent: sizes, order, and what a lost answer does.

use serde_json::Value;

use super::faults::{BROKEN, store};
use super::scripted::{Act, Scripted};
use crate::store::dynamo::messages::PART;
use crate::store::{AuditEntry, ConversationStore, LinkCode, Message, MessageId, OversightStore, PenHeld};

const NOTHING: Act = Act::Done("{}");
const A_HEAD: Act = Act::Done(r#"{"Item":{"PK":{"S":"USER#p"},"SK":{"S":"CONV#c"}}}"#);
const UNMET: Act = Act::Error(400, "ConditionalCheckFailedException", "");

/// The largest item that DynamoDB takes: 400 KB of names and values.
const LARGEST: usize = 400 * 1024;

fn said(bytes: usize) -> Message {
    // Characters that JSON writes with six bytes are one in an item.
    Message { id: MessageId(7), content: "\u{1}é\"".repeat(bytes / 4), ..Message::default() }
}

/// Bytes of an item as the table counts them: names, and texts and numbers as they are.
fn item_bytes(item: &Value) -> usize {
    let value =
        |value: &Value| value.as_object().unwrap().values().map(|v| v.as_str().unwrap().len()).sum::<usize>();
    item.as_object().unwrap().iter().map(|(name, held)| name.len() + value(held)).sum()
}

#[tokio::test]
async fn no_item_of_a_long_message_is_too_large() {
    let parts = 2_000_000_usize.div_ceil(PART);
    let table = Scripted::play(vec![NOTHING; parts + 1].into_iter().chain([A_HEAD])).await;
    let message = said(2_000_000);
    store(&table).write_message("p", "c", &message).await.unwrap();
    let seen = table.seen();
    assert_eq!(seen.len(), parts + 2, "the parts, the message, and a look at the head");
    let mut text = String::new();
    for (at, sent) in seen[..parts].iter().enumerate() {
        assert!(item_bytes(&sent["Item"]) < LARGEST, "part {at}");
        let place = sent["Item"]["SK"]["S"].as_str().unwrap();
        assert!(
            place.starts_with("CONV#c#PART#0000000000000007#") && place.ends_with(&format!("#{at:04}")),
            "{place}"
        );
        text.push_str(sent["Item"]["content"]["S"].as_str().unwrap());
    }
    assert!(text == message.content);
    let named = &seen[parts]["Item"];
    assert_eq!(named["SK"]["S"], "CONV#c#MSG#0000000000000007", "the message comes last");
    assert_eq!(named["parts"]["N"], parts.to_string());
    assert!(named["content"].is_null() && item_bytes(named) < 1024);
    assert_eq!(seen[parts + 1]["ConsistentRead"], true);
}

#[tokio::test]
async fn a_message_of_one_item_is_one_write() {
    let table = Scripted::play([NOTHING, A_HEAD]).await;
    store(&table).write_message("p", "c", &said(PART)).await.unwrap();
    let seen = table.seen();
    assert!(seen.len() == 2 && item_bytes(&seen[0]["Item"]) < LARGEST);
}

#[tokio::test]
async fn the_parts_that_a_message_named_before_go() {
    let named = r#"{"Attributes":{"revision":{"S":"old"},"parts":{"N":"2"}}}"#;
    let left = r#"{"UnprocessedItems":{"t":[{"DeleteRequest":{"Key":
        {"PK":{"S":"USER#p"},"SK":{"S":"CONV#c#PART#0000000000000007#old#0001"}}}}]}}"#;
    let table = Scripted::play([Act::Done(named), Act::Done(left), NOTHING, A_HEAD]).await;
    store(&table).write_message("p", "c", &said(8)).await.unwrap();
    let seen = table.seen();
    assert_eq!(seen.len(), 4);
    let removed = |sent: &Value| -> Vec<String> {
        let deletes = sent["RequestItems"]["t"].as_array().unwrap();
        let place = |delete: &Value| delete["DeleteRequest"]["Key"]["SK"]["S"].as_str().unwrap().to_owned();
        deletes.iter().map(place).collect()
    };
    let place = |at: u32| format!("CONV#c#PART#0000000000000007#old#{at:04}");
    assert_eq!(removed(&seen[1]), [place(0), place(1)]);
    assert_eq!(removed(&seen[2]), [place(1)], "what the table left over is sent again, and nothing else");
}

#[tokio::test]
async fn a_repeated_write_keeps_its_own_parts() {
    /// The table has the message's first sending already, whose answer was lost.
    fn as_sent(seen: &[Value]) -> String {
        format!(r#"{{"Attributes":{}}}"#, seen.last().unwrap()["Item"])
    }
    let table = Scripted::play([NOTHING, NOTHING, BROKEN, Act::Told(as_sent), A_HEAD]).await;
    store(&table).write_message("p", "c", &said(2 * PART)).await.unwrap();
    let seen = table.seen();
    assert_eq!(seen.len(), 5, "no removal");
    assert_eq!(seen[2], seen[3]);
}

#[tokio::test]
async fn a_message_whose_conversation_is_gone_goes_too() {
    let key = r#"{"Items":[{"PK":{"S":"USER#p"},"SK":{"S":"CONV#c#MSG#0000000000000007"}}]}"#;
    let none = Act::Done(r#"{"Items":[]}"#);
    let table = Scripted::play([NOTHING, NOTHING, Act::Done(key), NOTHING, none]).await;
    store(&table).write_message("p", "c", &said(8)).await.unwrap();
    let seen = table.seen();
    let delete = &seen[3]["RequestItems"]["t"][0]["DeleteRequest"]["Key"]["SK"]["S"];
    assert_eq!((seen.len(), delete), (5, &"CONV#c#MSG#0000000000000007".into()));
}

#[tokio::test]
async fn sixty_messages_go_in_three_batches() {
    let key = |at: u32| format!(r#"{{"PK":{{"S":"USER#p"}},"SK":{{"S":"CONV#c#MSG#{at:016}"}}}}"#);
    let keys: Vec<String> = (1..=60).map(key).collect();
    let page: &'static str = format!(r#"{{"Items":[{}]}}"#, keys.join(",")).leak();
    let none = Act::Done(r#"{"Items":[]}"#);
    let table = Scripted::play([Act::Done(page), NOTHING, NOTHING, NOTHING, none]).await;
    store(&table).delete_messages("p", "c", MessageId(0), MessageId(60)).await.unwrap();
    let seen = table.seen();
    let sizes: Vec<usize> =
        seen[1..4].iter().map(|sent| sent["RequestItems"]["t"].as_array().unwrap().len()).collect();
    assert_eq!((seen.len(), sizes), (5, vec![25, 25, 10]));
    assert_eq!(seen[0]["ProjectionExpression"], "#PK, #SK", "no message is fetched to be removed");
}

#[tokio::test]
async fn a_list_asks_the_index_and_a_page_asks_the_person() {
    let table = Scripted::play([Act::Done(r#"{"Items":[]}"#)]).await;
    store(&table).conversations("p").await.unwrap();
    store(&table).messages("p", "c", Some(MessageId(9)), 40).await.unwrap();
    let seen = table.seen();
    assert_eq!((&seen[0]["IndexName"], seen.len()), (&"listed".into(), 2));
    assert_eq!(seen[0]["ExpressionAttributeValues"][":value"]["S"], "CONV#p");
    assert_eq!(seen[1]["ExpressionAttributeValues"][":to"]["S"], "CONV#c#MSG#0000000000000008");
    assert_eq!((&seen[1]["Limit"], &seen[1]["ScanIndexForward"]), (&40.into(), &false.into()));
}

#[tokio::test]
async fn a_head_is_changed_once_and_a_pen_taken_again() {
    let conversation = crate::store::Conversation { version: 3, ..Default::default() };
    let table = Scripted::play([BROKEN, NOTHING]).await;
    let changed = store(&table).change_conversation(&conversation, &conversation).await;
    assert!(changed.is_err() && table.seen().len() == 1, "{changed:?}");

    let pen = r#"{"Attributes":{"holder":{"S":"h"},"until":{"N":"60"}}}"#;
    let table = Scripted::play([BROKEN, Act::Done(pen)]).await;
    assert_eq!(store(&table).take_pen("p", "c", "h", 0, 60).await, Ok(PenHeld::Yes(false)));
}

#[tokio::test]
async fn an_entry_of_the_log_is_put_once_whatever_answers_are_lost() {
    /// What was put before, as the table then has it.
    fn as_put(seen: &[Value]) -> String {
        let put = seen.iter().rev().find(|sent| !sent["Item"].is_null()).unwrap();
        format!(r#"{{"Item":{}}}"#, put["Item"])
    }
    let none = Act::Done(r#"{"Items":[]}"#);
    let table = Scripted::play([none, BROKEN, UNMET, Act::Told(as_put), Act::Cut]).await;
    let entry = store(&table).append_audit("f", &AuditEntry::default()).await.unwrap();
    let seen = table.seen();
    assert_eq!((entry.number, seen.len()), (1, 4), "what stands there is ours");
    assert_eq!(seen[1]["ConditionExpression"], "attribute_not_exists(#PK)");
    assert_eq!(seen[1]["Item"]["SK"]["S"], "000000000001");
    assert!(seen.iter().all(|sent| sent["UpdateExpression"].is_null()), "the log is never updated");
}

#[tokio::test]
async fn who_comes_second_takes_the_next_number() {
    let theirs = r#"{"Items":[{"entry":{"S":"{\"number\":1,\"digest\":\"d\"}"}}]}"#;
    let other = r#"{"Item":{"mark":{"S":"another's"}}}"#;
    let none = Act::Done(r#"{"Items":[]}"#);
    let table = Scripted::play([none, UNMET, Act::Done(other), Act::Done(theirs), NOTHING]).await;
    let entry = store(&table).append_audit("f", &AuditEntry::default()).await.unwrap();
    assert_eq!((entry.number, entry.digest_after("d") == entry.digest), (2, true));
    assert_eq!(table.seen()[4]["Item"]["SK"]["S"], "000000000002");
}

#[tokio::test]
async fn a_code_and_a_pen_go_by_themselves() {
    let pen = r#"{"Attributes":{"holder":{"S":"h"},"until":{"N":"60"}}}"#;
    let table = Scripted::play([NOTHING, Act::Done(pen)]).await;
    let code = LinkCode { hash: "ab".repeat(32), expires: 99, ..LinkCode::default() };
    store(&table).put_link_code(&code).await.unwrap();
    store(&table).take_pen("p", "c", "h", 0, 60).await.unwrap();
    let seen = table.seen();
    assert_eq!(seen[0]["Item"]["expires_at"]["N"], "99");
    assert_eq!(seen[1]["ExpressionAttributeValues"][":expires_at"]["N"], (60 + 24 * 3600).to_string());
}
