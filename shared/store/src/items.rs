//! Records and their attributes. Every item carries the release of its shape.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;
use domain::attention::{Attention, AttentionId, Audit};
use domain::booking::{Booking, Order, Unmatched};
use domain::change::Change;
use domain::event::Event;
use domain::ids::OrderId;
use domain::product::Product;
use domain::task::Task;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::error::StoreError;
use crate::schema::{
    ATTENTION_SHARD, AUDIT_KEPT_S, DUE_AT, DUE_SHARD, EVENT, Key, PK, SHAPE, SHAPE_ATTRIBUTE, SK,
    VANISHES_AT, due_shard,
};

pub(crate) type Item = HashMap<String, AttributeValue>;

/// The record that an order id was used: where the order is among its booking's orders.
#[derive(Serialize, Deserialize)]
pub(crate) struct Made {
    pub(crate) order_seq: u32,
}

/// The record by which a customer's bookings are listed.
#[derive(Serialize, Deserialize)]
pub(crate) struct Listed {
    pub(crate) booking_id: domain::ids::BookingId,
}

pub(crate) fn product(product: &Product, key: Key) -> Result<Item, StoreError> {
    encode(product, key)
}

pub(crate) fn booking(booking: &Booking) -> Result<Item, StoreError> {
    encode(booking, Key::booking(&booking.booking_id))
}

pub(crate) fn listed(booking: &Booking) -> Result<Item, StoreError> {
    let created_ms = booking.created_at.as_millisecond();
    let key = Key::customers_booking(&booking.customer_id, created_ms, &booking.booking_id);
    encode(&Listed { booking_id: booking.booking_id.clone() }, key)
}

/// A changed booking. What is told of its live order goes with it.
pub(crate) fn changed_booking(change: &Change) -> Result<Item, StoreError> {
    let live = change.booking.live_order.as_ref();
    let event = live.and_then(|order| change.event_of(order));
    Ok(telling(booking(&change.booking)?, event))
}

pub(crate) fn order(change: &Change, order: &Order) -> Result<Item, StoreError> {
    let booking = &change.booking;
    let stored = Order { revision: booking.version, ..order.clone() };
    let item = encode(&stored, Key::order(&booking.booking_id, order.seq))?;
    Ok(telling(item, change.event_of(order)))
}

pub(crate) fn made(booking: &Booking, id: &OrderId, order_seq: u32) -> Result<Item, StoreError> {
    encode(&Made { order_seq }, Key::made(&booking.booking_id, id))
}

pub(crate) fn task(task: &Task) -> Result<Item, StoreError> {
    let mut item = encode(task, Key::task(&task.booking_id, &task.id()))?;
    let shard = due_shard(&task.booking_id);
    item.insert(DUE_SHARD.to_owned(), AttributeValue::S(shard));
    Ok(item)
}

pub(crate) fn attention(attention: &Attention) -> Result<Item, StoreError> {
    let key = Key::attention(&attention.booking_id, &attention.attention_id);
    let mut item = encode(attention, key)?;
    let since_ms = attention.since.as_millisecond();
    item.insert(DUE_SHARD.to_owned(), AttributeValue::S(ATTENTION_SHARD.to_owned()));
    item.insert(DUE_AT.to_owned(), AttributeValue::N(since_ms.to_string()));
    Ok(telling(item, Some(&Event::needs_attention(attention))))
}

pub(crate) fn audit(audit: &Audit) -> Result<Item, StoreError> {
    let at_ms = audit.at.as_millisecond();
    let mut item = encode(audit, Key::audit(&audit.booking_id, at_ms, &audit.attention_id))?;
    let vanishes_at_s = audit.at.as_second().saturating_add(AUDIT_KEPT_S);
    item.insert(VANISHES_AT.to_owned(), AttributeValue::N(vanishes_at_s.to_string()));
    Ok(item)
}

pub(crate) fn unmatched(unmatched: &Unmatched) -> Result<Item, StoreError> {
    encode(unmatched, unmatched_key(unmatched))
}

pub(crate) fn unmatched_key(unmatched: &Unmatched) -> Key {
    let refund = &unmatched.refund;
    let payment_id = refund.payment_id.as_str();
    Key::unmatched(unmatched.booking_id.key(), payment_id, &refund.transaction_id)
}

pub(crate) fn key(key: Key) -> Item {
    HashMap::from([
        (PK.to_owned(), AttributeValue::S(key.pk)),
        (SK.to_owned(), AttributeValue::S(key.sk)),
    ])
}

/// The item with what its writing tells: the pipe of the template passes on what stands in it. The
/// next write of the item tells something else, or nothing.
pub(crate) fn telling(mut item: Item, event: Option<&Event>) -> Item {
    if let Some(event) = event {
        item.insert(EVENT.to_owned(), event_attribute(event));
    }
    item
}

/// Everything as text, and what does not apply as empty text: a pipe's template cannot leave a
/// field out, and what it makes of an attribute that is not there is nowhere written.
fn event_attribute(event: &Event) -> AttributeValue {
    let Event { id, event_type, timestamp, booking_id, order_id, superseded_by, .. } = event;
    let money = event.amount;
    let fields = [
        ("id", Some(id.clone())),
        ("type", Some(event_type.as_str().to_owned())),
        ("timestamp", Some(timestamp.to_string())),
        ("booking_id", Some(booking_id.to_string())),
        ("order_id", order_id.as_ref().map(ToString::to_string)),
        ("superseded_by", superseded_by.as_ref().map(ToString::to_string)),
        ("payment_id", event.payment_id.as_ref().map(ToString::to_string)),
        ("refund_id", event.refund_id.as_ref().map(ToString::to_string)),
        ("attention_id", event.attention_id.as_ref().map(AttentionId::to_path)),
        ("quantity", event.quantity.map(|quantity| quantity.to_string())),
        ("amount", money.map(|money| money.amount.to_string())),
        ("currency", money.map(|money| money.currency.as_str().to_owned())),
        ("reason", event.reason.clone()),
        ("valid_until", event.valid_until.map(|end| end.to_string())),
    ];
    let text = |value: Option<String>| AttributeValue::S(value.unwrap_or_default());
    AttributeValue::M(fields.map(|(name, value)| (name.to_owned(), text(value))).into())
}

fn encode<T: Serialize>(record: &T, at: Key) -> Result<Item, StoreError> {
    let mut item: Item = serde_dynamo::to_item(record).map_err(StoreError::corrupt)?;
    item.extend(key(at));
    item.insert(SHAPE_ATTRIBUTE.to_owned(), AttributeValue::N(SHAPE.to_string()));
    Ok(item)
}

/// Reads a record of this release's shape or an earlier one.
pub(crate) fn decode<T: DeserializeOwned>(item: Item) -> Result<T, StoreError> {
    let shape = item.get(SHAPE_ATTRIBUTE).and_then(|value| value.as_n().ok());
    match shape.and_then(|number| number.parse::<u32>().ok()) {
        Some(1..=SHAPE) => serde_dynamo::from_item(item).map_err(StoreError::corrupt),
        Some(_) | None => Err(StoreError::UnknownShape { found: shape.cloned() }),
    }
}

/// The text of an attribute, where the item has it.
pub(crate) fn text<'a>(item: &'a Item, name: &str) -> Option<&'a str> {
    item.get(name).and_then(|value| value.as_s().ok()).map(String::as_str)
}
