//! Reading a deployment's secrets field by field, so that an error names its field and quotes no
//! value.

use serde_json::{Map, Value};

use crate::config::ConfigError;

/// What a deployment keeps secret.
pub(crate) struct Secrets {
    /// Derives every id, and never changes.
    pub(crate) id_secret: String,
    /// Sign quote tokens, as ids and keys; the newest first.
    pub(crate) token_keys: Vec<(String, Vec<u8>)>,
    /// Each gateway's settings, by its name.
    pub(crate) gateways: Value,
}

impl Secrets {
    /// Reads the document.
    ///
    /// # Errors
    /// [`ConfigError`]: it is no JSON, or a field is missing, unknown or of another kind.
    pub(crate) fn read(json: &str) -> Result<Self, ConfigError> {
        let document: Value = serde_json::from_str(json)
            .map_err(|error| ConfigError::Secrets { line: error.line(), column: error.column() })?;
        let mut fields = Fields::of(document, String::new())?;
        let id_secret = fields.text("id_secret")?;
        let token_keys = match fields.take("token_keys")? {
            Value::Array(keys) => keys.into_iter().enumerate().map(token_key).collect(),
            Value::Null
            | Value::Bool(_)
            | Value::Number(_)
            | Value::String(_)
            | Value::Object(_) => Err(fields.wrong("token_keys", "must be a list")),
        };
        let gateways = fields.take("gateways")?;
        match gateways.as_object() {
            None => return Err(fields.wrong("gateways", "must be an object")),
            Some(rows) if rows.is_empty() => {
                return Err(fields.wrong("gateways", "names no gateway"));
            }
            Some(_) => {}
        }
        fields.finish()?;
        Ok(Self { id_secret, token_keys: token_keys?, gateways })
    }
}

fn token_key((at, key): (usize, Value)) -> Result<(String, Vec<u8>), ConfigError> {
    let mut fields = Fields::of(key, format!("token_keys[{at}]"))?;
    let key = (fields.text("id")?, fields.text("key")?.into_bytes());
    fields.finish()?;
    Ok(key)
}

/// The fields of an object that have not been taken yet.
struct Fields {
    /// Where the object stands; empty at the root.
    at: String,
    rest: Map<String, Value>,
}

impl Fields {
    fn of(value: Value, at: String) -> Result<Self, ConfigError> {
        match value {
            Value::Object(rest) => Ok(Self { at, rest }),
            Value::Null
            | Value::Bool(_)
            | Value::Number(_)
            | Value::String(_)
            | Value::Array(_) => {
                let fields = Self { at, rest: Map::new() };
                Err(fields.wrong("", "must be an object"))
            }
        }
    }

    fn take(&mut self, name: &str) -> Result<Value, ConfigError> {
        self.rest.remove(name).ok_or_else(|| self.wrong(name, "is missing"))
    }

    fn text(&mut self, name: &str) -> Result<String, ConfigError> {
        match self.take(name)? {
            Value::String(text) => Ok(text),
            Value::Null
            | Value::Bool(_)
            | Value::Number(_)
            | Value::Array(_)
            | Value::Object(_) => Err(self.wrong(name, "must be a text")),
        }
    }

    /// Refuses what is left: a misspelt field must not pass as an absent one.
    fn finish(self) -> Result<(), ConfigError> {
        match self.rest.keys().next() {
            None => Ok(()),
            Some(name) => Err(self.wrong(name, "is not a known field")),
        }
    }

    fn wrong(&self, name: &str, problem: &'static str) -> ConfigError {
        let parts = [self.at.as_str(), name];
        let parts: Vec<&str> = parts.into_iter().filter(|part| !part.is_empty()).collect();
        let field = if parts.is_empty() { "the document".to_owned() } else { parts.join(".") };
        ConfigError::Setting { field, problem }
    }
}
