//! Counts what AWS would bill for the calls that pass through.
//!
//! The sizes come from the items themselves, looked up beside the call and not counted: the
//! engine's own figures for transactions are off, and a request rarely shows the item that it
//! changes.
//! They are exact as long as nobody else writes the same items during the call.

use std::collections::{BTreeMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient,
    SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::byte_stream::ByteStream;
use dynoxide::actions::get_item::GetItemRequest;
use dynoxide::{AttributeValue, Item};
use serde::Deserialize;
use serde_json::Value;

use crate::billing::{
    Change, Consistency, IndexKeys, index_write_units, item_bytes, read_half_units, stored_bytes,
    stored_index_bytes, table_write_units,
};
use crate::connector::operation;
use crate::touched::{Place, Read, Touched, Write};
use crate::{EmbeddedStore, SORT_KEY};

/// An HTTP client that passes every call on to another and notes what it costs.
///
/// Clones share one account. Each attempt counts, so a retry of the SDK is a call of its own.
#[derive(Debug, Clone)]
pub struct Meter {
    inner: SharedHttpClient,
    book: Arc<Book>,
}

/// One call as AWS would bill it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// The operation: `GetItem`.
    pub operation: String,
    /// Halves of a read unit, so that an eventually consistent read is a whole number.
    pub read_half_units: u64,
    /// Write units, of the table and its indexes.
    pub write_units: u64,
}

/// The sum of many calls.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Totals {
    /// Round trips.
    pub calls: u64,
    /// Halves of a read unit.
    pub read_half_units: u64,
    /// Write units, of the table and its indexes.
    pub write_units: u64,
}

/// What writes have left behind, and where they were billed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Traces {
    /// By how many billed bytes the table has grown.
    pub table_bytes: i64,
    /// By how many billed bytes its indexes have grown.
    pub index_bytes: i64,
    /// The write units of the indexes, out of all.
    pub index_write_units: u64,
}

impl Meter {
    /// Meters `inner`, which must lead to `store`, on a table with these `indexes`.
    pub fn new(
        inner: impl HttpClient + 'static,
        store: EmbeddedStore,
        indexes: Vec<IndexKeys>,
    ) -> Self {
        let book = Book { store, indexes, account: Mutex::default() };
        Self { inner: SharedHttpClient::new(inner), book: Arc::new(book) }
    }

    /// The calls since the last time this was asked, in the order of their answers.
    #[must_use]
    pub fn take(&self) -> Vec<Call> {
        std::mem::take(&mut self.book.account().calls)
    }

    /// The sum of all calls since the meter was made, whether taken or not.
    #[must_use]
    pub fn totals(&self) -> Totals {
        self.book.account().totals
    }

    /// What all writes since the meter was made have left behind.
    #[must_use]
    pub fn traces(&self) -> Traces {
        self.book.account().traces
    }

    /// How many writes have put or changed an item under a sort key with this prefix: as many as
    /// the table's stream tells of.
    #[must_use]
    pub fn changes(&self, sort_key_prefix: &str) -> u64 {
        let account = self.book.account();
        let from = account.changes_by_sort_key.range(sort_key_prefix.to_owned()..);
        let under = from.take_while(|(sort_key, _)| sort_key.starts_with(sort_key_prefix));
        under.map(|(_, changes)| *changes).sum()
    }

    /// The size in bytes of the largest item written under a sort key with this prefix.
    ///
    /// Zero if none was written.
    #[must_use]
    pub fn largest_item(&self, sort_key_prefix: &str) -> u64 {
        let account = self.book.account();
        let from = account.bytes_by_sort_key.range(sort_key_prefix.to_owned()..);
        let under = from.take_while(|(sort_key, _)| sort_key.starts_with(sort_key_prefix));
        under.map(|(_, bytes)| *bytes).max().unwrap_or(0)
    }
}

impl HttpClient for Meter {
    fn http_connector(
        &self,
        settings: &HttpConnectorSettings,
        components: &RuntimeComponents,
    ) -> SharedHttpConnector {
        let inner = self.inner.http_connector(settings, components);
        SharedHttpConnector::new(MeteredConnector { inner, book: Arc::clone(&self.book) })
    }
}

#[derive(Debug)]
struct MeteredConnector {
    inner: SharedHttpConnector,
    book: Arc<Book>,
}

impl HttpConnector for MeteredConnector {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let (inner, book) = (self.inner.clone(), Arc::clone(&self.book));
        HttpConnectorFuture::new(async move {
            let sent = Sent::new(&request);
            let places = sent.touched.places();
            let before = book.look_up(places.clone()).await;
            let mut answer = inner.call(request).await;
            let outcome = Outcome::of(&mut answer).await;
            let after = book.look_up(places).await;
            book.note(sent, &outcome, Images { before, after }).await;
            answer
        })
    }
}

/// A request on its way.
struct Sent {
    operation: String,
    body: Vec<u8>,
    touched: Touched,
}

impl Sent {
    fn new(request: &HttpRequest) -> Self {
        let operation = operation(request).to_owned();
        let body = request.body().bytes().unwrap_or_default().to_vec();
        let touched = Touched::by(&operation, &body);
        Self { operation, body, touched }
    }
}

/// The touched items, in the order of the request.
struct Images {
    before: Vec<Option<Item>>,
    after: Vec<Option<Item>>,
}

/// What became of a request, as far as its price goes.
enum Outcome {
    /// It took effect, with this answer.
    Done(Vec<u8>),
    /// A condition did not hold, which is billed.
    ConditionFailed,
    /// It was refused before it touched an item, which is free.
    Refused,
    /// The answer was lost: billed as if it took effect, which is the most it can cost.
    Lost,
}

impl Outcome {
    async fn of(answer: &mut Result<HttpResponse, ConnectorError>) -> Self {
        let Ok(response) = answer else {
            return Self::Lost;
        };
        let Some(body) = body_of(response).await else {
            return Self::Lost;
        };
        if response.status().is_success() {
            return Self::Done(body);
        }
        let kind = serde_json::from_slice::<Refusal>(&body).map(|refusal| refusal.kind);
        let kind = kind.unwrap_or_default();
        let conditional = kind.ends_with("#ConditionalCheckFailedException")
            || kind.ends_with("#TransactionCanceledException");
        if conditional { Self::ConditionFailed } else { Self::Refused }
    }
}

#[derive(Deserialize)]
struct Refusal {
    #[serde(rename = "__type", default)]
    kind: String,
}

/// Reads the answer and leaves it in place for the SDK.
async fn body_of(response: &mut HttpResponse) -> Option<Vec<u8>> {
    if let Some(bytes) = response.body().bytes() {
        return Some(bytes.to_vec());
    }
    let bytes = ByteStream::new(response.take_body()).collect().await.ok()?.to_vec();
    *response.body_mut() = SdkBody::from(bytes.clone());
    Some(bytes)
}

#[derive(Debug)]
struct Book {
    store: EmbeddedStore,
    indexes: Vec<IndexKeys>,
    account: Mutex<Account>,
}

#[derive(Debug, Default)]
struct Account {
    calls: Vec<Call>,
    totals: Totals,
    traces: Traces,
    bytes_by_sort_key: BTreeMap<String, u64>,
    changes_by_sort_key: BTreeMap<String, u64>,
    /// The tokens of transactions that took effect: a repeat is billed as a read.
    tokens: HashSet<String>,
}

impl Book {
    fn account(&self) -> MutexGuard<'_, Account> {
        // Every update below is complete before it can panic, so a poisoned account is whole.
        self.account.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn look_up(&self, places: Vec<Place>) -> Vec<Option<Item>> {
        if places.is_empty() {
            return Vec::new();
        }
        let (store, count) = (self.store.clone(), places.len());
        let images = move || places.into_iter().map(|place| store.image(place)).collect();
        let found = tokio::task::spawn_blocking(images).await;
        found.unwrap_or_else(|_| vec![None; count])
    }

    async fn note(&self, sent: Sent, outcome: &Outcome, images: Images) {
        let price = self.price(&sent, outcome, &images).await;
        let took_effect = match outcome {
            Outcome::Done(_) => true,
            Outcome::Lost => images.before != images.after,
            Outcome::ConditionFailed | Outcome::Refused => false,
        };
        let mut account = self.account();
        account.note_call(sent.operation, price);
        if took_effect {
            account.note_effect(sent.touched, &images, &self.indexes);
        }
    }

    async fn price(&self, sent: &Sent, outcome: &Outcome, images: &Images) -> Price {
        match (&sent.touched, outcome) {
            (Touched::Nothing, _) | (_, Outcome::Refused) => Price::default(),
            (Touched::Items(reads), _) => Price::of_reads(reads, &images.before),
            (Touched::Run(consistency), _) => {
                let bytes = self.run_bytes(sent, outcome).await;
                Price { read_half_units: read_half_units(bytes, *consistency), ..Price::default() }
            }
            (Touched::Written(writes), Outcome::ConditionFailed) => {
                Price::of_failed_writes(writes, &images.before, 1)
            }
            (Touched::Transaction { writes, .. }, Outcome::ConditionFailed) => {
                Price::of_failed_writes(writes, &images.before, 2)
            }
            (Touched::Written(_), Outcome::Done(_) | Outcome::Lost) => {
                Price::of_writes(images, &self.indexes, 1)
            }
            (Touched::Transaction { token, .. }, Outcome::Done(_) | Outcome::Lost) => {
                if self.has_seen(token.as_deref()) {
                    return Price::of_repeat(&images.after);
                }
                Price::of_writes(images, &self.indexes, 2)
            }
        }
    }

    fn has_seen(&self, token: Option<&str>) -> bool {
        token.is_some_and(|token| self.account().tokens.contains(token))
    }

    /// The bytes that a Query or Scan read, whatever part of them it answered.
    async fn run_bytes(&self, sent: &Sent, outcome: &Outcome) -> u64 {
        let Outcome::Done(body) = outcome else {
            return 0;
        };
        let Ok(answer) = serde_json::from_slice::<Run>(body) else {
            return 0;
        };
        let Some(whole) = whole_items(&sent.body, answer.scanned_count) else {
            return answer.bytes();
        };
        let again = self.store.answer(sent.operation.clone(), whole).await;
        let again = again.ok().and_then(|again| serde_json::from_str::<Run>(&again.body).ok());
        again.map_or(0, |again| again.bytes())
    }
}

impl Account {
    fn note_call(&mut self, operation: String, price: Price) {
        let Price { read_half_units, write_units, index_write_units } = price;
        let traces = &mut self.traces;
        traces.index_write_units = traces.index_write_units.saturating_add(index_write_units);
        let totals = &mut self.totals;
        totals.calls = totals.calls.saturating_add(1);
        totals.read_half_units = totals.read_half_units.saturating_add(read_half_units);
        totals.write_units = totals.write_units.saturating_add(write_units);
        self.calls.push(Call { operation, read_half_units, write_units });
    }

    fn note_effect(&mut self, touched: Touched, images: &Images, indexes: &[IndexKeys]) {
        match touched {
            Touched::Nothing | Touched::Items(_) | Touched::Run(_) => return,
            Touched::Written(_) => {}
            Touched::Transaction { token, .. } => self.tokens.extend(token),
        }
        self.note_sizes(&images.after);
        self.note_traces(images, indexes);
    }

    fn note_traces(&mut self, images: &Images, indexes: &[IndexKeys]) {
        let in_table = |item: &Option<Item>| item.as_ref().map_or(0, stored_bytes);
        let in_indexes = |item: &Option<Item>| -> u64 {
            let of = |item| indexes.iter().map(|index| stored_index_bytes(item, index)).sum();
            item.as_ref().map_or(0, of)
        };
        for (before, after) in images.before.iter().zip(&images.after) {
            let traces = &mut self.traces;
            let table = grown(in_table(before), in_table(after));
            traces.table_bytes = traces.table_bytes.saturating_add(table);
            let index = grown(in_indexes(before), in_indexes(after));
            traces.index_bytes = traces.index_bytes.saturating_add(index);
            let Some(AttributeValue::S(sort_key)) = after.as_ref().and_then(|it| it.get(SORT_KEY))
            else {
                continue;
            };
            if before != after {
                let changes = self.changes_by_sort_key.entry(sort_key.clone()).or_default();
                *changes = changes.saturating_add(1);
            }
        }
    }

    fn note_sizes(&mut self, written: &[Option<Item>]) {
        for item in written.iter().flatten() {
            if let Some(AttributeValue::S(sort_key)) = item.get(SORT_KEY) {
                let largest = self.bytes_by_sort_key.entry(sort_key.clone()).or_default();
                *largest = item_bytes(item).max(*largest);
            }
        }
    }
}

impl EmbeddedStore {
    /// The item as it is now. A request that names no real place is refused by itself.
    fn image(&self, place: Place) -> Option<Item> {
        let Place { table, key } = place;
        let request = GetItemRequest { table_name: table, key, ..GetItemRequest::default() };
        self.database.get_item(request).ok()?.item
    }
}

/// By how much a size has grown; negative where it has shrunk.
fn grown(before: u64, after: u64) -> i64 {
    let signed = |bytes| i64::try_from(bytes).unwrap_or(i64::MAX);
    signed(after).saturating_sub(signed(before))
}

#[derive(Debug, Clone, Copy, Default)]
struct Price {
    read_half_units: u64,
    /// Of the table and its indexes.
    write_units: u64,
    index_write_units: u64,
}

impl Price {
    fn of_reads(reads: &[Read], items: &[Option<Item>]) -> Self {
        let pairs = reads.iter().zip(items);
        let units = pairs.map(|(read, item)| read_half_units(bytes(item), read.consistency));
        Self { read_half_units: units.sum(), ..Self::default() }
    }

    /// A repeated transaction changes nothing and reads what it wrote.
    fn of_repeat(items: &[Option<Item>]) -> Self {
        let read = |item| read_half_units(bytes(item), Consistency::Transactional);
        Self { read_half_units: items.iter().map(read).sum(), ..Self::default() }
    }

    fn of_writes(images: &Images, indexes: &[IndexKeys], times: u64) -> Self {
        let mut price = Self::default();
        for (old, new) in images.before.iter().zip(&images.after) {
            let change = Change { old: old.as_ref(), new: new.as_ref() };
            let in_indexes: u64 =
                indexes.iter().map(|index| index_write_units(change, index)).sum();
            let units = table_write_units(change).saturating_mul(times).saturating_add(in_indexes);
            price.write_units = price.write_units.saturating_add(units);
            price.index_write_units = price.index_write_units.saturating_add(in_indexes);
        }
        price
    }

    /// A failed condition costs the larger of the stored item and the one that was to be put.
    fn of_failed_writes(writes: &[Write], items: &[Option<Item>], times: u64) -> Self {
        let units = writes.iter().zip(items).map(|(write, old)| {
            let change = Change { old: old.as_ref(), new: write.put.as_ref() };
            table_write_units(change).saturating_mul(times)
        });
        Self { write_units: units.sum(), ..Self::default() }
    }
}

fn bytes(item: &Option<Item>) -> u64 {
    item.as_ref().map_or(0, item_bytes)
}

/// The answer to a Query or Scan.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Run {
    #[serde(default)]
    items: Vec<Item>,
    #[serde(default)]
    scanned_count: u64,
}

impl Run {
    fn bytes(&self) -> u64 {
        self.items.iter().map(item_bytes).sum()
    }
}

/// The same Query or Scan for all that it read, or `None` if it answered all of that.
fn whole_items(body: &[u8], scanned_count: u64) -> Option<Vec<u8>> {
    let mut request: serde_json::Map<String, Value> = serde_json::from_slice(body).ok()?;
    let mut narrowed = false;
    for member in ["FilterExpression", "ProjectionExpression", "Select"] {
        narrowed |= request.remove(member).is_some();
    }
    if !narrowed || scanned_count == 0 {
        return None;
    }
    request.insert("Limit".to_owned(), scanned_count.into());
    drop_unused(&mut request);
    serde_json::to_vec(&request).ok()
}

/// A placeholder that no expression uses would be refused.
fn drop_unused(request: &mut serde_json::Map<String, Value>) {
    let condition = request.get("KeyConditionExpression").and_then(Value::as_str);
    let condition = condition.unwrap_or_default().to_owned();
    let is_name = |letter: char| letter.is_alphanumeric() || "_#:".contains(letter);
    let used: HashSet<&str> = condition.split(|letter| !is_name(letter)).collect();
    for member in ["ExpressionAttributeNames", "ExpressionAttributeValues"] {
        let Some(Value::Object(mut placeholders)) = request.remove(member) else {
            continue;
        };
        placeholders.retain(|name, _| used.contains(name.as_str()));
        if !placeholders.is_empty() {
            request.insert(member.to_owned(), Value::Object(placeholders));
        }
    }
}
