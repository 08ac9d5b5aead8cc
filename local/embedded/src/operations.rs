//! One request in DynamoDB's JSON, answered by the embedded engine.

use dynoxide::actions::create_table::CreateTableRequest;
use dynoxide::{Database, DynoxideError, ImportOptions};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::{EmbeddedStore, Thread};

/// What goes back over HTTP.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: String,
}

impl EmbeddedStore {
    /// Runs `operation` where it may block and answers as AWS would.
    ///
    /// Unless it runs on the caller's thread, every call gives way to the other tasks before it
    /// takes effect, as a call over a network would.
    /// Moving it to another thread does not ensure that: on a busy machine its answer may be there
    /// before the caller would have waited, and a racing read-modify-write would look correct.
    ///
    /// # Errors
    /// The engine panicked; whether the operation took effect is not known.
    pub(crate) async fn answer(
        &self,
        operation: String,
        body: Vec<u8>,
    ) -> Result<Answer, tokio::task::JoinError> {
        match self.thread {
            Thread::Callers => Ok(self.answer_blocking(&operation, &body)),
            Thread::Blocking => {
                tokio::task::yield_now().await;
                let store = self.clone();
                tokio::task::spawn_blocking(move || store.answer_blocking(&operation, &body)).await
            }
        }
    }

    fn answer_blocking(&self, operation: &str, body: &[u8]) -> Answer {
        match run(&self.database, operation, body) {
            Ok(answer) => {
                // Here and not after the await: a caller may give up before the answer arrives.
                self.announce(operation, body);
                Answer { status: 200, body: answer }
            }
            Err(error) => Answer { status: error.status_code(), body: error.to_json() },
        }
    }
}

fn run(database: &Database, operation: &str, body: &[u8]) -> dynoxide::Result<String> {
    match operation {
        "CreateTable" => call(body, |request: CreateTableRequest| {
            // The engine keeps a stream's records for ever and walks them all for each write.
            // Nobody reads them here: [`EmbeddedStore::writes`] tells what they would.
            let request = CreateTableRequest { stream_specification: None, ..request };
            database.create_table(request)
        }),
        "DescribeTable" => call(body, |request| database.describe_table(request)),
        "UpdateTimeToLive" => call(body, |request| database.update_time_to_live(request)),
        "GetItem" => call(body, |request| database.get_item(request)),
        "BatchGetItem" => call(body, |request| database.batch_get_item(request)),
        "TransactGetItems" => call(body, |request| database.transact_get_items(request)),
        "Query" => call(body, |request| database.query(request)),
        "Scan" => call(body, |request| database.scan(request)),
        "PutItem" => call(body, |request| database.put_item(request)),
        "UpdateItem" => call(body, |request| database.update_item(request)),
        "DeleteItem" => call(body, |request| database.delete_item(request)),
        "TransactWriteItems" => call(body, |request| database.transact_write_items(request)),
        _ => Err(DynoxideError::UnsupportedCapability(operation.to_owned())),
    }
}

fn call<Request: DeserializeOwned, Response: Serialize>(
    body: &[u8],
    execute: impl FnOnce(Request) -> dynoxide::Result<Response>,
) -> dynoxide::Result<String> {
    let request = serde_json::from_slice(body).map_err(|error| unreadable(&error))?;
    let response = execute(request)?;
    serde_json::to_string(&response)
        .map_err(|error| DynoxideError::InternalServerError(error.to_string()))
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Found {
    #[serde(default)]
    items: Vec<Map<String, Value>>,
}

/// The items of a query's first page.
pub(crate) fn query(
    database: &Database,
    request: &Value,
) -> dynoxide::Result<Vec<Map<String, Value>>> {
    let answer = run(database, "Query", request.to_string().as_bytes())?;
    let found: Found = serde_json::from_str(&answer).map_err(|error| unreadable(&error))?;
    Ok(found.items)
}

/// Items of a table that take the place of those with their keys.
pub(crate) fn import(database: &Database, table: &str, items: Value) -> dynoxide::Result<()> {
    let items = serde_json::from_value(items).map_err(|error| unreadable(&error))?;
    database.import_items(table, items, ImportOptions::default()).map(|_| ())
}

/// The engine's decoders name the class of their error in a prefix, which must not reach callers.
fn unreadable(error: &serde_json::Error) -> DynoxideError {
    let text = error.to_string();
    match text.split_once(':') {
        Some(("VALIDATION" | "VALIDATION_REQUEST" | "VALIDATION_AS_READ", message)) => {
            DynoxideError::ValidationException(message.to_owned())
        }
        Some(("SERIALIZATION" | "SERIALIZATION_AS_READ", message)) => {
            DynoxideError::SerializationException(message.to_owned())
        }
        _ => DynoxideError::SerializationException(text),
    }
}
