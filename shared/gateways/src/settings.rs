//! Settings are read field by field, so that an error names its field and never quotes a secret.

use serde_json::{Map, Value};

/// The longest merchant or app number.
const IDENTIFIER_LEN_MAX: usize = 32;

/// A field of the settings that is missing or wrong.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{field} {problem}")]
pub struct SettingsError {
    /// The path of the field, such as `wechat_pay.apiv3_keys[0]`.
    pub field: String,
    /// What is wrong with it. A fixed text: it cannot quote a secret.
    pub problem: &'static str,
}

impl SettingsError {
    pub(crate) fn new(field: impl Into<String>, problem: &'static str) -> Self {
        Self { field: field.into(), problem }
    }

    /// The same error, seen from the settings that `parent` is a field of.
    pub(crate) fn within(mut self, parent: &str) -> Self {
        self.field = match self.field.as_str() {
            "" => parent.to_owned(),
            field => format!("{parent}.{field}"),
        };
        self
    }
}

/// The fields of an object that have not been taken yet.
pub(crate) struct Fields(Map<String, Value>);

impl Fields {
    /// Those of `value`, which stands in the field `name` (empty at the root).
    pub(crate) fn of(value: Value, name: &str) -> Result<Self, SettingsError> {
        match value {
            Value::Object(fields) => Ok(Self(fields)),
            Value::Null
            | Value::Bool(_)
            | Value::Number(_)
            | Value::String(_)
            | Value::Array(_) => Err(SettingsError::new(name, "must be an object")),
        }
    }

    pub(crate) fn text(&mut self, name: &str) -> Result<String, SettingsError> {
        self.optional_text(name)?.ok_or_else(|| SettingsError::new(name, "is missing"))
    }

    pub(crate) fn optional_text(&mut self, name: &str) -> Result<Option<String>, SettingsError> {
        match self.0.remove(name) {
            None | Some(Value::Null) => Ok(None),
            Some(value) => text(value, name).map(Some),
        }
    }

    pub(crate) fn list(&mut self, name: &str) -> Result<Vec<Value>, SettingsError> {
        match self.0.remove(name) {
            None | Some(Value::Null) => Err(SettingsError::new(name, "is missing")),
            Some(Value::Array(values)) => Ok(values),
            Some(Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Object(_)) => {
                Err(SettingsError::new(name, "must be a list"))
            }
        }
    }

    /// Refuses what is left: a misspelt field must not pass as an absent one.
    pub(crate) fn finish(self) -> Result<(), SettingsError> {
        match self.0.into_iter().next() {
            None => Ok(()),
            Some((name, _)) => Err(SettingsError::new(name, "is not a known field")),
        }
    }
}

/// The text that stands in the field `name`.
pub(crate) fn text(value: Value, name: &str) -> Result<String, SettingsError> {
    match value {
        Value::String(text) => Ok(text),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => {
            Err(SettingsError::new(name, "must be a text"))
        }
    }
}

/// Reads each value of a list; an error names its position.
pub(crate) fn each<T>(
    values: Vec<Value>,
    list: &str,
    read: impl Fn(Value, &str) -> Result<T, SettingsError>,
) -> Result<Vec<T>, SettingsError> {
    values
        .into_iter()
        .enumerate()
        .map(|(at, value)| read(value, &format!("{list}[{at}]")))
        .collect()
}

/// A merchant or app number as it may stand in a header and a path. Both WeChat Pay and Alipay
/// have at most 32 characters.
pub(crate) fn identifier(text: &str, field: &str) -> Result<String, SettingsError> {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
    if text.is_empty() {
        return Err(SettingsError::new(field, "is empty"));
    }
    if text.len() > IDENTIFIER_LEN_MAX || !text.bytes().all(is_plain) {
        return Err(SettingsError::new(field, "is not 1 to 32 letters and digits"));
    }
    Ok(text.to_owned())
}
