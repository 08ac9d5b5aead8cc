//! What was put, told to whoever waits for it: the stand-in for the table's stream.
//!
//! Only whole puts are told, because only they carry their new image in the request. A repeated
//! client request token is told again, as a stream may also deliver a record twice.

use serde::Deserialize;
use serde_json::{Map, Value};

use crate::{EmbeddedStore, PARTITION_KEY, SORT_KEY};

/// One item as it was put, after the write took effect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WriteEvent {
    /// The table that was written.
    pub table: String,
    /// The partition key.
    pub pk: String,
    /// The sort key.
    pub sk: String,
    /// The new item in DynamoDB's JSON: `{"sk": {"S": "task#1"}, "version": {"N": "3"}}`.
    pub image: Map<String, Value>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Put {
    table_name: String,
    item: Map<String, Value>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Action {
    put: Option<Put>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Transaction {
    transact_items: Vec<Action>,
}

impl EmbeddedStore {
    /// Tells the receivers what a successful request put.
    pub(crate) fn announce(&self, operation: &str, body: &[u8]) {
        if self.writes.receiver_count() == 0 {
            return;
        }
        for put in puts(operation, body) {
            if let Some(event) = event(put) {
                // It fails only when the last receiver has just left, and then nobody waits.
                let _ = self.writes.send(event);
            }
        }
    }
}

fn puts(operation: &str, body: &[u8]) -> Vec<Put> {
    match operation {
        "PutItem" => serde_json::from_slice(body).into_iter().collect(),
        "TransactWriteItems" => serde_json::from_slice::<Transaction>(body)
            .into_iter()
            .flat_map(|transaction| transaction.transact_items)
            .filter_map(|action| action.put)
            .collect(),
        _ => Vec::new(),
    }
}

/// `None` for an item without our two text keys: it is not in a table of ours.
fn event(put: Put) -> Option<WriteEvent> {
    let key = |name| Some(put.item.get(name)?.get("S")?.as_str()?.to_owned());
    let (pk, sk) = (key(PARTITION_KEY)?, key(SORT_KEY)?);
    Some(WriteEvent { table: put.table_name, pk, sk, image: put.item })
}
