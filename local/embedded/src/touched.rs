//! Which items a request touches, read from its JSON.

use std::collections::HashMap;

use dynoxide::Item;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::billing::Consistency;
use crate::{PARTITION_KEY, SORT_KEY};

/// What a request is billed by.
#[derive(Debug)]
pub(crate) enum Touched {
    /// Tables are free to describe, and an unreadable request is refused.
    Nothing,
    /// Items by key, each rounded up by itself.
    Items(Vec<Read>),
    /// A run of items, rounded up together.
    Run(Consistency),
    /// Items written one by one.
    Written(Vec<Write>),
    /// Items written together, at twice the price.
    Transaction { writes: Vec<Write>, token: Option<String> },
}

/// Where an item is.
#[derive(Debug, Clone)]
pub(crate) struct Place {
    pub(crate) table: String,
    pub(crate) key: Item,
}

/// One item to be read.
#[derive(Debug)]
pub(crate) struct Read {
    pub(crate) place: Place,
    pub(crate) consistency: Consistency,
}

/// One item to be written or checked.
#[derive(Debug)]
pub(crate) struct Write {
    pub(crate) place: Place,
    /// The whole new item, where the request carries it.
    pub(crate) put: Option<Item>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Target {
    table_name: String,
    key: Option<Item>,
    item: Option<Item>,
    #[serde(default)]
    consistent_read: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Run {
    #[serde(default)]
    consistent_read: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Batch {
    request_items: HashMap<String, Keys>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Keys {
    keys: Vec<Item>,
    #[serde(default)]
    consistent_read: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Transaction {
    /// `{"Put": {..}}`, `{"Get": {..}}`: one action each, of which only the target matters here.
    transact_items: Vec<HashMap<String, Target>>,
    client_request_token: Option<String>,
}

impl Touched {
    /// Reads what `operation` with this `body` touches.
    pub(crate) fn by(operation: &str, body: &[u8]) -> Self {
        let touched = match operation {
            "GetItem" => read(body).map(|target| Self::Items(vec![Target::into_read(target)])),
            "BatchGetItem" => read(body).map(|batch| Self::Items(Batch::into_reads(batch))),
            "TransactGetItems" => read(body).map(|get| Self::Items(Transaction::into_reads(get))),
            "Query" | "Scan" => {
                read(body).map(|run: Run| Self::Run(consistency(run.consistent_read)))
            }
            "PutItem" | "UpdateItem" | "DeleteItem" => {
                read(body).map(|target| Self::Written(vec![Target::into_write(target)]))
            }
            "TransactWriteItems" => read(body).map(Transaction::into_writes),
            _ => None,
        };
        touched.unwrap_or(Self::Nothing)
    }

    /// Every item that is touched by its key, in the order of the request.
    pub(crate) fn places(&self) -> Vec<Place> {
        match self {
            Self::Nothing | Self::Run(_) => Vec::new(),
            Self::Items(reads) => reads.iter().map(|read| read.place.clone()).collect(),
            Self::Written(writes) | Self::Transaction { writes, .. } => {
                writes.iter().map(|write| write.place.clone()).collect()
            }
        }
    }
}

fn read<Request: DeserializeOwned>(body: &[u8]) -> Option<Request> {
    serde_json::from_slice(body).ok()
}

const fn consistency(strong: bool) -> Consistency {
    if strong { Consistency::Strong } else { Consistency::Eventual }
}

impl Target {
    fn into_read(self) -> Read {
        let consistency = consistency(self.consistent_read);
        Read { place: self.into_write().place, consistency }
    }

    fn into_write(self) -> Write {
        let key = self.key.or_else(|| self.item.as_ref().map(key_of)).unwrap_or_default();
        Write { place: Place { table: self.table_name, key }, put: self.item }
    }
}

fn key_of(item: &Item) -> Item {
    let mut key = item.clone();
    key.retain(|name, _| name == PARTITION_KEY || name == SORT_KEY);
    key
}

impl Batch {
    fn into_reads(self) -> Vec<Read> {
        let tables = self.request_items.into_iter();
        tables.flat_map(|(table, keys)| keys.into_reads(&table)).collect()
    }
}

impl Keys {
    fn into_reads(self, table: &str) -> Vec<Read> {
        let consistency = consistency(self.consistent_read);
        let place = |key| Place { table: table.to_owned(), key };
        self.keys.into_iter().map(|key| Read { place: place(key), consistency }).collect()
    }
}

impl Transaction {
    fn into_targets(self) -> Vec<Write> {
        let actions = self.transact_items.into_iter().flatten();
        actions.map(|(_, target)| target.into_write()).collect()
    }

    fn into_reads(self) -> Vec<Read> {
        let read =
            |target: Write| Read { place: target.place, consistency: Consistency::Transactional };
        self.into_targets().into_iter().map(read).collect()
    }

    fn into_writes(mut self) -> Touched {
        let token = self.client_request_token.take();
        Touched::Transaction { writes: self.into_targets(), token }
    }
}
