//! One booking with all that stands beside it in the table, as of one write.

use std::collections::{BTreeMap, BTreeSet};

use domain::booking::{Booking, Order, Refund, Unmatched};
use domain::ids::OrderId;
use domain::task::Task;
use embedded::{EmbeddedStore, PARTITION_KEY, SORT_KEY};
use rules::is_ours;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

/// A booking's partition, read beside the SDK.
#[derive(Clone, Debug)]
pub struct Snapshot {
    /// The booking with its live order.
    pub booking: Booking,
    /// The orders that have ended, by position.
    pub ended: BTreeMap<u32, Order>,
    /// What is still to be done, by the task's name.
    pub tasks: BTreeMap<String, Task>,
    /// Money that matches no payment.
    pub unmatched: Vec<Unmatched>,
    /// The names of what waits for a person.
    pub waiting: BTreeSet<String>,
    /// The names of what a person has released.
    pub released: BTreeSet<String>,
}

impl Snapshot {
    /// Reads a partition; `None` while it has no booking.
    #[must_use]
    pub fn of(store: &EmbeddedStore, table: &str, partition: &str) -> Option<Self> {
        let request = json!({
            "TableName": table,
            "KeyConditionExpression": format!("{PARTITION_KEY} = :pk"),
            "ExpressionAttributeValues": { ":pk": { "S": partition } },
            "ConsistentRead": true,
        });
        let items = store.query(&request).expect("a partition can be read");
        let mut booking = None;
        let (mut ended, mut tasks, mut unmatched) = (BTreeMap::new(), BTreeMap::new(), vec![]);
        let (mut waiting, mut released) = (BTreeSet::new(), BTreeSet::new());
        for item in items {
            let name = item[SORT_KEY]["S"].as_str().unwrap().to_owned();
            let (kind, rest) = name.split_once('#').unwrap_or((&name, ""));
            match kind {
                "summary" => booking = Some(decode(item)),
                "order" => {
                    let order: Order = decode(item);
                    ended.insert(order.seq, order);
                }
                "task" => {
                    tasks.insert(rest.to_owned(), decode(item));
                }
                "unmatched" => unmatched.push(decode(item)),
                "attention" => {
                    waiting.insert(rest.to_owned());
                }
                "audit" => {
                    let (_, id) = rest.split_once('#').unwrap();
                    released.insert(id.to_owned());
                }
                _ => {}
            }
        }
        booking.map(|booking| Self { booking, ended, tasks, unmatched, waiting, released })
    }

    /// Every order, oldest first, the live one last.
    pub fn orders(&self) -> impl Iterator<Item = &Order> {
        self.ended.values().chain(&self.booking.live_order)
    }

    /// The order of an id.
    #[must_use]
    pub fn order(&self, order_id: &OrderId) -> Option<&Order> {
        self.orders().find(|order| order.order_id == *order_id)
    }

    /// Whether a transaction is to go back.
    #[must_use]
    pub fn owes(&self, transaction_id: &str) -> bool {
        let refunds = self.orders().flat_map(|order| &order.refunds);
        let mut refunds = refunds.chain(self.unmatched.iter().map(|one| &one.refund));
        refunds.any(|refund| refund.transaction_id == transaction_id && is_ours(refund))
    }

    /// What is stored of a refund or a dispute that is none of our doing, by its number.
    #[must_use]
    pub fn foreign(&self, number: &str) -> Option<&Refund> {
        let mut refunds = self.orders().flat_map(|order| &order.refunds);
        refunds.find(|refund| !is_ours(refund) && refund.transaction_id == number)
    }

    /// What became of a captured transaction of a payment.
    #[must_use]
    pub fn recorded(&self, payment_id: &str, transaction_id: &str) -> Recorded<'_> {
        for order in self.orders() {
            for payment in order.payments.iter().filter(|p| p.payment_id.as_str() == payment_id) {
                if let Some(refund) = order.refund_of(&payment.payment_id, transaction_id) {
                    return Recorded::Refunded(refund);
                }
                if payment.transaction_id.as_deref() == Some(transaction_id) {
                    return Recorded::Applied(order);
                }
            }
        }
        let mut unmatched = self.unmatched.iter().map(|one| &one.refund);
        unmatched
            .find(|refund| refund.transaction_id == transaction_id)
            .map_or(Recorded::Not, Recorded::Refunded)
    }
}

/// What is stored of a captured transaction.
#[derive(Clone, Copy, Debug)]
pub enum Recorded<'a> {
    /// Nothing.
    Not,
    /// It bought this order.
    Applied(&'a Order),
    /// It goes back.
    Refunded(&'a Refund),
}

fn decode<T: DeserializeOwned>(item: Map<String, Value>) -> T {
    let item: serde_dynamo::Item = serde_json::from_value(Value::Object(item)).unwrap();
    serde_dynamo::from_item(item).unwrap()
}
