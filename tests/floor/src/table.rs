//! Calls to the table, with the SDK's own types in them.

use std::collections::HashMap;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::{
    AttributeValue, ConditionCheck, Delete, KeysAndAttributes, Put, ReturnValue, TransactWriteItem,
    Update,
};
use lambda_http::Error;
use serde_json::Value;

use crate::names::Names;

type Item = HashMap<String, AttributeValue>;

/// One recorded call.
pub enum Call {
    /// Reads an item.
    Get(Get),
    /// Reads several.
    Batch(Batch),
    /// Reads a page.
    Query(Query),
    /// Writes several items.
    Transact(Vec<Write>),
}

/// What reads an item.
pub struct Get {
    table: String,
    key: Item,
    strong: bool,
}

/// What reads several.
pub struct Batch {
    table: String,
    keys: Vec<Item>,
    strong: bool,
}

/// What reads a page.
pub struct Query {
    table: String,
    index: Option<String>,
    condition: String,
    values: Item,
    names: HashMap<String, String>,
    limit: Option<i32>,
    forward: Option<bool>,
    strong: bool,
}

/// What writes one item, by itself or in a transaction.
pub struct Write {
    kind: Kind,
    table: String,
    item: Item,
    update: Option<String>,
    condition: Option<String>,
    names: Option<HashMap<String, String>>,
    values: Option<Item>,
    returned: Option<ReturnValue>,
}

#[derive(Clone, Copy)]
enum Kind {
    Put,
    Update,
    Delete,
    Check,
}

impl Call {
    /// Reads it.
    ///
    /// # Errors
    /// A line, if it is none that can be made here.
    pub fn read(recorded: &Value) -> Result<Self, Error> {
        let body = &recorded["body"];
        let table = text_of(&body["TableName"]);
        let strong = body["ConsistentRead"].as_bool().unwrap_or_default();
        match recorded["operation"].as_str() {
            Some("GetItem") => Ok(Self::Get(Get { table, key: item(&body["Key"]), strong })),
            Some("BatchGetItem") => {
                let tables = body["RequestItems"].as_object().ok_or("no tables")?;
                let (table, asked) = tables.iter().next().ok_or("no table")?;
                let keys = asked["Keys"].as_array().into_iter().flatten().map(item).collect();
                let strong = asked["ConsistentRead"].as_bool().unwrap_or_default();
                Ok(Self::Batch(Batch { table: table.clone(), keys, strong }))
            }
            Some("Query") => Ok(Self::Query(Query {
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
                Ok(Self::Transact(writes.iter().map(part).collect::<Result<_, _>>()?))
            }
            other => Err(format!("{other:?} is not known here").into()),
        }
    }

    /// Makes it again.
    ///
    /// # Errors
    /// What the SDK says.
    pub async fn make(&self, client: &Client, names: &Names<'_>) -> Result<(), Error> {
        let of = |item: &Item| renamed(item, names);
        match self {
            Self::Get(Get { table, key, strong }) => {
                let get = client.get_item().table_name(table).set_key(Some(of(key)));
                get.consistent_read(*strong).send().await?;
            }
            Self::Batch(Batch { table, keys, strong }) => {
                let keys = keys.iter().map(of).collect();
                let keys = KeysAndAttributes::builder().set_keys(Some(keys));
                let keys = keys.consistent_read(*strong).build()?;
                client.batch_get_item().request_items(table, keys).send().await?;
            }
            Self::Query(query) => query.make(client, names).await?,
            Self::Transact(writes) => {
                let writes: Result<Vec<_>, Error> =
                    writes.iter().map(|write| write.part(names)).collect();
                client.transact_write_items().set_transact_items(Some(writes?)).send().await?;
            }
        }
        Ok(())
    }
}

impl Query {
    async fn make(&self, client: &Client, names: &Names<'_>) -> Result<(), Error> {
        let ask = client.query().table_name(&self.table).set_index_name(self.index.clone());
        let ask = ask.key_condition_expression(&self.condition);
        let ask = ask.set_expression_attribute_values(Some(renamed(&self.values, names)));
        let names = (!self.names.is_empty()).then(|| self.names.clone());
        let ask = ask.set_expression_attribute_names(names).set_limit(self.limit);
        let ask = ask.set_scan_index_forward(self.forward);
        ask.consistent_read(self.strong).send().await?;
        Ok(())
    }
}

impl Write {
    /// Reads one that is made by itself; nothing, if the call is another.
    #[must_use]
    pub fn read_alone(recorded: &Value) -> Option<Self> {
        match recorded["operation"].as_str() {
            Some("UpdateItem") => Some(write(Kind::Update, &recorded["body"])),
            Some("DeleteItem") => Some(write(Kind::Delete, &recorded["body"])),
            Some(_) | None => None,
        }
    }

    /// Makes it by itself.
    ///
    /// # Errors
    /// What the SDK says.
    pub async fn make_alone(&self, client: &Client, of_event: &Names<'_>) -> Result<(), Error> {
        let (table, item) = (self.table.clone(), renamed(&self.item, of_event));
        let values = self.values.as_ref().map(|values| renamed(values, of_event));
        let (names, condition) = (self.names.clone(), self.condition.clone());
        match self.kind {
            Kind::Update => {
                client
                    .update_item()
                    .table_name(table)
                    .set_key(Some(item))
                    .set_update_expression(self.update.clone())
                    .set_condition_expression(condition)
                    .set_expression_attribute_names(names)
                    .set_expression_attribute_values(values)
                    .set_return_values(self.returned.clone())
                    .send()
                    .await?;
            }
            Kind::Delete => {
                client
                    .delete_item()
                    .table_name(table)
                    .set_key(Some(item))
                    .set_condition_expression(condition)
                    .set_expression_attribute_names(names)
                    .set_expression_attribute_values(values)
                    .send()
                    .await?;
            }
            Kind::Put | Kind::Check => return Err("it is part of a transaction".into()),
        }
        Ok(())
    }

    /// The part of a transaction that writes it.
    fn part(&self, of_event: &Names<'_>) -> Result<TransactWriteItem, Error> {
        let (table, item) = (self.table.clone(), renamed(&self.item, of_event));
        let values = self.values.as_ref().map(|values| renamed(values, of_event));
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

/// An item with an event's names, wherever they stand.
fn renamed(item: &Item, names: &Names<'_>) -> Item {
    item.iter().map(|(name, value)| (name.clone(), renamed_value(value, names))).collect()
}

fn renamed_value(value: &AttributeValue, names: &Names<'_>) -> AttributeValue {
    match value {
        AttributeValue::S(text) => AttributeValue::S(names.within(text)),
        AttributeValue::N(number) => AttributeValue::N(names.within(number)),
        AttributeValue::M(map) => AttributeValue::M(renamed(map, names)),
        AttributeValue::L(list) => {
            AttributeValue::L(list.iter().map(|one| renamed_value(one, names)).collect())
        }
        other => other.clone(),
    }
}

/// A part of a transaction.
fn part(recorded: &Value) -> Result<Write, Error> {
    let kinds = [
        ("Put", Kind::Put),
        ("Update", Kind::Update),
        ("Delete", Kind::Delete),
        ("ConditionCheck", Kind::Check),
    ];
    let found = kinds.into_iter().find(|(name, _)| recorded.get(name).is_some());
    let (name, kind) = found.ok_or("an item of no kind")?;
    Ok(write(kind, &recorded[name]))
}

fn write(kind: Kind, body: &Value) -> Write {
    let of = if matches!(kind, Kind::Put) { "Item" } else { "Key" };
    Write {
        kind,
        table: text_of(&body["TableName"]),
        item: item(&body[of]),
        update: body["UpdateExpression"].as_str().map(str::to_owned),
        condition: body["ConditionExpression"].as_str().map(str::to_owned),
        names: names(&body["ExpressionAttributeNames"]),
        values: body["ExpressionAttributeValues"]
            .as_object()
            .map(|_| item(&body["ExpressionAttributeValues"])),
        returned: body["ReturnValues"].as_str().map(ReturnValue::from),
    }
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
