//! Makes the DynamoDB calls that were recorded of a function, and nothing else.
//!
//! `FLOOR_CALLS` names the recording: `booking` as it begins in every key, and `calls`, each an
//! operation and its body. For each event they are made again for the booking of the event's path.

use std::collections::HashMap;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::error::DisplayErrorContext;
use aws_sdk_dynamodb::types::{
    AttributeValue, ConditionCheck, Delete, KeysAndAttributes, Put, TransactWriteItem, Update,
};
use lambda_http::{Error, Request, RequestExt, run, service_fn};
use serde_json::Value;

type Item = HashMap<String, AttributeValue>;

/// One recorded call, with the SDK's own types in it.
enum Call {
    Get { table: String, key: Item, strong: bool },
    Batch { table: String, keys: Vec<Item>, strong: bool },
    Query(Query),
    Write(Vec<Write>),
}

struct Query {
    table: String,
    index: Option<String>,
    condition: String,
    values: Item,
    names: HashMap<String, String>,
    limit: Option<i32>,
    forward: Option<bool>,
    strong: bool,
}

/// One item of a transaction.
struct Write {
    kind: Kind,
    table: String,
    item: Item,
    update: Option<String>,
    condition: Option<String>,
    names: Option<HashMap<String, String>>,
    values: Option<Item>,
}

#[derive(Clone, Copy)]
enum Kind {
    Put,
    Update,
    Delete,
    Check,
}

struct Recording {
    booking: String,
    calls: Vec<Call>,
}

#[tokio::main]
async fn main() -> Result<(), Error> {
    let config = aws_config::load_from_env().await;
    let client = Client::new(&config);
    let recording = read()?;
    let (client, recording) = (&client, &recording);
    run(service_fn(move |event: Request| async move {
        let path = event.raw_http_path().to_owned();
        let booking_id = path.split('/').skip_while(|part| *part != "bookings").nth(1);
        let booking = booking_id.and_then(|id| id.get(..recording.booking.len()));
        let booking = booking.unwrap_or(&recording.booking);
        for call in &recording.calls {
            let made = make(client, call, &recording.booking, booking).await;
            // The runtime shows only the outermost error.
            made.map_err(|error| format!("{}", DisplayErrorContext(error.as_ref())))?;
        }
        Ok::<_, Error>("made")
    }))
    .await
}

async fn make(client: &Client, call: &Call, from: &str, to: &str) -> Result<(), Error> {
    let of = |item: &Item| moved(item, from, to);
    match call {
        Call::Get { table, key, strong } => {
            let get = client.get_item().table_name(table).set_key(Some(of(key)));
            get.consistent_read(*strong).send().await?;
        }
        Call::Batch { table, keys, strong } => {
            let keys = keys.iter().map(of).collect();
            let keys = KeysAndAttributes::builder().set_keys(Some(keys)).consistent_read(*strong);
            client.batch_get_item().request_items(table, keys.build()?).send().await?;
        }
        Call::Query(query) => {
            let ask = client.query().table_name(&query.table).set_index_name(query.index.clone());
            let ask = ask.key_condition_expression(&query.condition);
            let ask = ask.set_expression_attribute_values(Some(of(&query.values)));
            let names = (!query.names.is_empty()).then(|| query.names.clone());
            let ask = ask.set_expression_attribute_names(names).set_limit(query.limit);
            let ask = ask.set_scan_index_forward(query.forward);
            ask.consistent_read(query.strong).send().await?;
        }
        Call::Write(writes) => {
            let writes: Result<Vec<_>, Error> =
                writes.iter().map(|write| write.item(from, to)).collect();
            client.transact_write_items().set_transact_items(Some(writes?)).send().await?;
        }
    }
    Ok(())
}

impl Write {
    fn item(&self, from: &str, to: &str) -> Result<TransactWriteItem, Error> {
        let (table, item) = (self.table.clone(), moved(&self.item, from, to));
        let values = self.values.as_ref().map(|values| moved(values, from, to));
        let (names, condition) = (self.names.clone(), self.condition.clone());
        let write = TransactWriteItem::builder();
        let write = match self.kind {
            Kind::Put => write.put(
                Put::builder()
                    .table_name(table)
                    .set_item(Some(item))
                    .set_condition_expression(condition)
                    .set_expression_attribute_names(names)
                    .set_expression_attribute_values(values)
                    .build()?,
            ),
            Kind::Update => write.update(
                Update::builder()
                    .table_name(table)
                    .set_key(Some(item))
                    .set_update_expression(self.update.clone())
                    .set_condition_expression(condition)
                    .set_expression_attribute_names(names)
                    .set_expression_attribute_values(values)
                    .build()?,
            ),
            Kind::Delete => write.delete(
                Delete::builder()
                    .table_name(table)
                    .set_key(Some(item))
                    .set_condition_expression(condition)
                    .set_expression_attribute_names(names)
                    .set_expression_attribute_values(values)
                    .build()?,
            ),
            Kind::Check => write.condition_check(
                ConditionCheck::builder()
                    .table_name(table)
                    .set_key(Some(item))
                    .set_condition_expression(condition)
                    .set_expression_attribute_names(names)
                    .set_expression_attribute_values(values)
                    .build()?,
            ),
        };
        Ok(write.build())
    }
}

/// An item with one text in place of another, wherever it stands.
fn moved(item: &Item, from: &str, to: &str) -> Item {
    item.iter().map(|(name, value)| (name.clone(), moved_value(value, from, to))).collect()
}

fn moved_value(value: &AttributeValue, from: &str, to: &str) -> AttributeValue {
    match value {
        AttributeValue::S(text) => AttributeValue::S(text.replace(from, to)),
        AttributeValue::M(map) => AttributeValue::M(moved(map, from, to)),
        AttributeValue::L(list) => {
            AttributeValue::L(list.iter().map(|one| moved_value(one, from, to)).collect())
        }
        other => other.clone(),
    }
}

fn read() -> Result<Recording, Error> {
    let text = std::fs::read(std::env::var("FLOOR_CALLS")?)?;
    let recorded: Value = serde_json::from_slice(&text)?;
    let booking = text_of(&recorded["booking"]);
    let calls = recorded["calls"].as_array().ok_or("no calls")?;
    Ok(Recording { booking, calls: calls.iter().map(call).collect::<Result<_, _>>()? })
}

fn call(recorded: &Value) -> Result<Call, Error> {
    let body = &recorded["body"];
    let table = text_of(&body["TableName"]);
    let strong = body["ConsistentRead"].as_bool().unwrap_or_default();
    match recorded["operation"].as_str() {
        Some("GetItem") => Ok(Call::Get { table, key: item(&body["Key"]), strong }),
        Some("BatchGetItem") => {
            let tables = body["RequestItems"].as_object().ok_or("no tables")?;
            let (table, asked) = tables.iter().next().ok_or("no table")?;
            let keys = asked["Keys"].as_array().into_iter().flatten().map(item).collect();
            let strong = asked["ConsistentRead"].as_bool().unwrap_or_default();
            Ok(Call::Batch { table: table.clone(), keys, strong })
        }
        Some("Query") => Ok(Call::Query(Query {
            table,
            index: body["IndexName"].as_str().map(str::to_owned),
            condition: text_of(&body["KeyConditionExpression"]),
            values: item(&body["ExpressionAttributeValues"]),
            names: names(&body["ExpressionAttributeNames"]).unwrap_or_default(),
            limit: body["Limit"].as_i64().and_then(|limit| i32::try_from(limit).ok()),
            forward: body["ScanIndexForward"].as_bool(),
            strong,
        })),
        Some("TransactWriteItems") => {
            let writes = body["TransactItems"].as_array().ok_or("no items")?;
            Ok(Call::Write(writes.iter().map(write).collect::<Result<_, _>>()?))
        }
        other => Err(format!("{other:?} is not known here").into()),
    }
}

fn write(recorded: &Value) -> Result<Write, Error> {
    let kinds = [
        ("Put", Kind::Put),
        ("Update", Kind::Update),
        ("Delete", Kind::Delete),
        ("ConditionCheck", Kind::Check),
    ];
    let found = kinds.into_iter().find(|(name, _)| recorded.get(name).is_some());
    let (name, kind) = found.ok_or("an item of no kind")?;
    let body = &recorded[name];
    let of = if matches!(kind, Kind::Put) { "Item" } else { "Key" };
    Ok(Write {
        kind,
        table: text_of(&body["TableName"]),
        item: item(&body[of]),
        update: body["UpdateExpression"].as_str().map(str::to_owned),
        condition: body["ConditionExpression"].as_str().map(str::to_owned),
        names: names(&body["ExpressionAttributeNames"]),
        values: body["ExpressionAttributeValues"]
            .as_object()
            .map(|_| item(&body["ExpressionAttributeValues"])),
    })
}

fn names(value: &Value) -> Option<HashMap<String, String>> {
    let names = value.as_object()?;
    Some(names.iter().map(|(name, value)| (name.clone(), text_of(value))).collect())
}

fn item(value: &Value) -> Item {
    let fields = value.as_object().into_iter().flatten();
    fields.map(|(name, value)| (name.clone(), attribute(value))).collect()
}

fn attribute(value: &Value) -> AttributeValue {
    let typed = value.as_object().and_then(|typed| typed.iter().next());
    match typed.map(|(kind, value)| (kind.as_str(), value)) {
        Some(("S", text)) => AttributeValue::S(text_of(text)),
        Some(("N", number)) => AttributeValue::N(text_of(number)),
        Some(("BOOL", is)) => AttributeValue::Bool(is.as_bool().unwrap_or_default()),
        Some(("M", map)) => AttributeValue::M(item(map)),
        Some(("L", list)) => {
            AttributeValue::L(list.as_array().into_iter().flatten().map(attribute).collect())
        }
        _ => AttributeValue::Null(true),
    }
}

fn text_of(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}
