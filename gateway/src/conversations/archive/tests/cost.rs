//! What a move and a look cost in calls, counted: who changes this sees it here.

use std::sync::Arc;

use super::faulty::{Faulty, Script};
use super::*;

#[tokio::test]
async fn a_move_is_three_objects_and_a_look_back_is_one() {
    let folder = tempfile::tempdir().unwrap();
    let script = Arc::new(Script::default());
    let (inner, conversation) = begin(folder.path(), 100).await;
    let store = Faulty { inner, script: script.clone() };
    let shelf = Arc::new(in_memory());
    let archive = || over(Faulty { inner: shelf.clone(), script: script.clone() });
    let (mover, reader) = (archive(), archive());

    let settled = mover.settle(&store, &conversation, 40).await.unwrap();
    let moved = ["messages", "GET object", "PUT object", "PUT object", "change head", "delete messages"];
    assert_eq!(script.take(), moved, "the first move");
    store.inner.write_message(PRINCIPAL, "c", &said(100)).await.unwrap();
    let settled = mover.settle(&store, &settled, 40).await.unwrap();
    assert_eq!(script.take(), moved, "a later one");
    mover.settle(&store, &settled, 40).await.unwrap();
    assert_eq!(script.take(), ["messages"], "nothing to move");

    reader.page(&store, &settled, None, 40).await.unwrap();
    assert_eq!(script.take(), ["messages", "head"], "the latest page");
    let back = Some(MessageId(FIRST + 50));
    reader.page(&store, &settled, back, 40).await.unwrap();
    assert_eq!(script.take(), ["messages", "head", "GET object"], "the first look back");
    reader.page(&store, &settled, back, 40).await.unwrap();
    assert_eq!(script.take(), ["messages", "head"], "a further one");
    mover.delete(&store, &settled).await.unwrap();
    assert_eq!(script.take(), ["DELETE object", "DELETE object", "delete conversation"]);
}
