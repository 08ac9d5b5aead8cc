//! Replies as text, because it is the text that is signed.

use serde_json::Value;

/// A JSON object that keeps the order of its fields.
#[derive(Debug, Default)]
pub(super) struct Object(Vec<(&'static str, Value)>);

impl Object {
    /// What every successful reply begins with.
    pub(super) fn success() -> Self {
        Self::default().with("code", "10000").with("msg", "Success")
    }

    pub(super) fn with(mut self, name: &'static str, value: impl Into<Value>) -> Self {
        self.0.push((name, value.into()));
        self
    }

    /// The field where there is a value for it.
    pub(super) fn with_some(self, name: &'static str, value: Option<impl Into<Value>>) -> Self {
        match value {
            Some(value) => self.with(name, value),
            None => self,
        }
    }

    /// JSON with escaped slashes, as the real gateway writes it. A slash stands nowhere but in
    /// strings, so that replacing all of them is right.
    pub(super) fn text(&self) -> String {
        let fields = self.0.iter().map(|(name, value)| format!("\"{name}\":{value}"));
        format!("{{{}}}", fields.collect::<Vec<_>>().join(",")).replace('/', "\\/")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_keep_their_order_and_slashes_are_escaped() {
        let object =
            Object::success().with("qr_code", "https://a/\"b").with_some("none", None::<&str>);
        let text = r#"{"code":"10000","msg":"Success","qr_code":"https:\/\/a\/\"b"}"#;
        assert_eq!(object.text(), text);
    }
}
