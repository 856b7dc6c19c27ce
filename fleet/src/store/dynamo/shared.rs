//! The lease, the fleet's state, the models it should have.

use std::collections::{BTreeMap, HashMap};

use aws_sdk_dynamodb::types::AttributeValue;

use super::client::DynamoStore;
use super::fleet_key;
use super::item::{Item, count_of, json, json_of, number, text, text_of};
use super::update::{Outcome, Repeat, Update};
use crate::store::quota::signed;
use crate::store::{Change, FleetState, LeaseRecord, Progress, StoreError, WantedModel};

const LEASE: &str = "LEASE#scaler";
const STATE: &str = "STATE";

impl Update {
    /// Counts the item's version up from `observed`, if that is what stands there. Never repeated: the second time it
    /// would find its own first, and take that for somebody else's.
    pub(super) async fn after_version<T>(
        self,
        observed: Option<u64>,
        read: fn(&Item) -> Result<T, StoreError>,
    ) -> Result<Change<T>, StoreError> {
        let next = self.set("version", number(signed(observed.unwrap_or(0)) + 1));
        let conditional = match observed {
            None => next.name("PK").only_if("attribute_not_exists(#PK)"),
            Some(version) => next.value("observed", number(signed(version))).only_if("#version = :observed"),
        };
        match conditional.run(Repeat::Never).await? {
            Outcome::Made(item) => read(&item).map(Change::Made),
            Outcome::Refused(item) => item.as_ref().map(read).transpose().map(Change::Refused),
        }
    }
}

pub(super) async fn lease(store: &DynamoStore, fleet: &str) -> Result<Option<LeaseRecord>, StoreError> {
    store.get(&fleet_key(fleet), LEASE).await?.as_ref().map(lease_of).transpose()
}

pub(super) async fn take_lease(
    store: &DynamoStore,
    fleet: &str,
    owner: &str,
    observed: Option<u64>,
) -> Result<Change<LeaseRecord>, StoreError> {
    let update = store.update(&fleet_key(fleet), LEASE).set("owner", text(owner));
    update.after_version(observed, lease_of).await
}

fn lease_of(item: &Item) -> Result<LeaseRecord, StoreError> {
    Ok(LeaseRecord { owner: text_of(item, "owner")?, version: count_of(item, "version")? })
}

pub(super) async fn state(store: &DynamoStore, fleet: &str) -> Result<FleetState, StoreError> {
    let item = store.get(&fleet_key(fleet), STATE).await?;
    Ok(item.as_ref().map(state_of).transpose()?.unwrap_or_default())
}

pub(super) async fn change_state(
    store: &DynamoStore,
    fleet: &str,
    expected: &FleetState,
    new: &FleetState,
) -> Result<Change<FleetState>, StoreError> {
    let observed = (expected.version > 0).then_some(expected.version);
    let update = store.update(&fleet_key(fleet), STATE).set("state", json(&new.after(expected))?);
    update.after_version(observed, state_of).await
}

fn state_of(item: &Item) -> Result<FleetState, StoreError> {
    json_of(item, "state")
}

pub(super) async fn want(store: &DynamoStore, fleet: &str, model: &WantedModel) -> Result<(), StoreError> {
    let fields = [
        ("source", text(&model.source)),
        ("requested_at", number(model.requested_at)),
        ("progress", AttributeValue::M(HashMap::new())),
    ];
    store.put(&fleet_key(fleet), &format!("MODEL#{}", model.name), fields).await
}

pub(super) async fn write_progress(
    store: &DynamoStore,
    fleet: &str,
    wish: &WantedModel,
    node: &str,
    progress: &Progress,
) -> Result<bool, StoreError> {
    let update = store
        .update(&fleet_key(fleet), &format!("MODEL#{}", wish.name))
        .set_entry("progress", node, json(progress)?)
        .name("source")
        .value("source", text(&wish.source))
        .only_if("#source = :source");
    Ok(matches!(update.run(Repeat::Safe).await?, Outcome::Made(_)))
}

pub(super) async fn models(store: &DynamoStore, fleet: &str) -> Result<Vec<WantedModel>, StoreError> {
    store.list(&fleet_key(fleet), "MODEL#").await?.iter().map(model_of).collect()
}

fn model_of(item: &Item) -> Result<WantedModel, StoreError> {
    let place = text_of(item, "SK")?;
    let unreadable = || StoreError::Unreadable(place.clone());
    let entries = item.get("progress").and_then(|progress| progress.as_m().ok()).ok_or_else(unreadable)?;
    let mut progress = BTreeMap::new();
    for node in entries.keys() {
        progress.insert(node.clone(), json_of(entries, node)?);
    }
    Ok(WantedModel {
        name: place.strip_prefix("MODEL#").ok_or_else(unreadable)?.to_owned(),
        source: text_of(item, "source")?,
        requested_at: count_of(item, "requested_at")?,
        progress,
    })
}
