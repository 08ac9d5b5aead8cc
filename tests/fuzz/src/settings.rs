//! A deployment's secrets and its gateways' settings, which come as one JSON document.
//!
//! - An error names a field and quotes no value: each value in turn is marked, and no mark is ever
//!   found in what the error says, to people or in logs.
//! - What opens shows no secret either; the ids of keys are none.

use std::error::Error;

use runtime::config::{ConfigError, Opened, open_secrets};
use serde_json::Value;

/// Marks a text; a document that has it already is not looked at.
const MARK: &str = "s3cr3t";
/// Marks a number, likewise.
const MARK_NUMBER: i64 = 5_150_123_550;
/// How many values of one document are marked.
const VALUES_MAX: usize = 24;

/// Checks the properties above.
pub fn check(bytes: &[u8]) {
    let Ok(text) = str::from_utf8(bytes) else { return };
    if text.contains(MARK) || text.contains(&MARK_NUMBER.to_string()) {
        return;
    }
    let opened = open_secrets(text);
    let Ok(document) = serde_json::from_str::<Value>(text) else {
        let error = opened.expect_err("no JSON");
        assert!(matches!(error, ConfigError::Secrets { .. }), "{error:?}");
        return;
    };
    let mut pointers = vec![];
    values(&document, String::new(), &mut pointers);
    for pointer in pointers.iter().take(VALUES_MAX) {
        let mut marked = document.clone();
        let value = marked.pointer_mut(pointer).expect("a value");
        *value = match value {
            Value::String(text) => Value::from(format!("{text}{MARK}")),
            Value::Null
            | Value::Bool(_)
            | Value::Number(_)
            | Value::Array(_)
            | Value::Object(_) => Value::from(MARK_NUMBER),
        };
        check_shows_nothing(open_secrets(&marked.to_string()), pointer);
    }
}

/// Where the texts and numbers of a document are.
fn values(value: &Value, at: String, pointers: &mut Vec<String>) {
    match value {
        Value::String(_) | Value::Number(_) => pointers.push(at),
        Value::Array(list) => {
            for (index, one) in list.iter().enumerate() {
                values(one, format!("{at}/{index}"), pointers);
            }
        }
        Value::Object(fields) => {
            for (name, one) in fields {
                let name = name.replace('~', "~0").replace('/', "~1");
                values(one, format!("{at}/{name}"), pointers);
            }
        }
        Value::Null | Value::Bool(_) => {}
    }
}

fn check_shows_nothing(opened: Result<Opened, ConfigError>, pointer: &str) {
    let shown = match &opened {
        Ok(_) if pointer.ends_with("/id") => return,
        Ok(opened) => format!("{opened:?}"),
        Err(error) => said(error),
    };
    assert!(!shown.contains(MARK) && !shown.contains(&MARK_NUMBER.to_string()), "{shown}");
}

/// All that an error says, to people and in logs.
fn said(error: &ConfigError) -> String {
    let mut text = format!("{error} / {error:?}");
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(&format!(" / {cause} / {cause:?}"));
        source = cause.source();
    }
    text
}
