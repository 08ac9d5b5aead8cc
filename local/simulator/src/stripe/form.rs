//! Parameters: form-urlencoded and nested as `a[b][0][c]=v`, read once and by name.
//!
//! <https://docs.stripe.com/api> and <https://docs.stripe.com/api/metadata> (read 2026-11-24).
//! Whoever reads a form takes every field that it knows; [`Form::finish`] refuses what is left.

use std::collections::BTreeMap;

use super::book::Metadata;
use super::refusal::Refusal;

/// How many pairs a request may have.
const PAIRS_MAX: usize = 1_000;

/// How deep a name may be nested.
const DEPTH_MAX: usize = 8;

const METADATA_MAX: usize = 50;
const METADATA_KEY_LEN_MAX: usize = 40;
const METADATA_VALUE_LEN_MAX: usize = 500;

/// The longest text that any parameter takes.
const TEXT_LEN_MAX: usize = 5_000;

/// The decoded pairs, in the order in which they came.
pub(super) type Pairs = Vec<(String, String)>;

/// Fields below one name; below none is the whole request.
#[derive(Debug, Default)]
pub(super) struct Form {
    path: String,
    fields: BTreeMap<String, Field>,
}

#[derive(Debug)]
enum Field {
    Text(String),
    Nested(BTreeMap<String, Field>),
}

/// Decodes a body or a query.
pub(super) fn pairs(encoded: &[u8]) -> Result<Pairs, Refusal> {
    let decoded = form_urlencoded::parse(encoded).into_owned();
    let pairs: Pairs = decoded.take(PAIRS_MAX.saturating_add(1)).collect();
    if pairs.len() > PAIRS_MAX {
        return Err(Refusal::invalid(format!("A request has at most {PAIRS_MAX} parameters")));
    }
    Ok(pairs)
}

impl Form {
    /// Nests the pairs by their names.
    pub(super) fn new(pairs: &[(String, String)]) -> Result<Self, Refusal> {
        let mut form = Self::default();
        for (name, value) in pairs {
            let malformed = || Refusal::invalid(format!("Invalid parameter name: {name}"));
            let segments = segments(name).ok_or_else(malformed)?;
            insert(&mut form.fields, &segments, value).ok_or_else(malformed)?;
        }
        Ok(form)
    }

    /// The full name of this form; empty for the whole request.
    pub(super) fn path(&self) -> &str {
        &self.path
    }

    /// The full name of a field of this form.
    pub(super) fn name(&self, field: &str) -> String {
        if self.path.is_empty() { field.to_owned() } else { format!("{}[{field}]", self.path) }
    }

    /// A text that is not empty.
    pub(super) fn text(&mut self, field: &str) -> Result<Option<String>, Refusal> {
        let name = self.name(field);
        match self.fields.remove(field) {
            None => Ok(None),
            Some(Field::Nested(_)) => Err(Refusal::invalid("Invalid string").param(name)),
            Some(Field::Text(text)) if text.is_empty() => {
                let message = format!("You passed an empty string for '{name}'.");
                Err(Refusal::invalid(message).code("parameter_invalid_empty").param(name))
            }
            Some(Field::Text(text)) => {
                check_length(&text, TEXT_LEN_MAX, &name)?;
                Ok(Some(text))
            }
        }
    }

    /// A text of at most so many characters.
    pub(super) fn short_text(
        &mut self,
        field: &str,
        max: usize,
    ) -> Result<Option<String>, Refusal> {
        let text = self.text(field)?;
        text.map_or(Ok(None), |text| {
            check_length(&text, max, &self.name(field)).map(|()| Some(text))
        })
    }

    /// A whole number, without a sign or spaces.
    pub(super) fn integer(&mut self, field: &str) -> Result<Option<i64>, Refusal> {
        let Some(text) = self.text(field)? else {
            return Ok(None);
        };
        let digits = text.bytes().all(|byte| byte.is_ascii_digit());
        let number = digits.then(|| text.parse().ok()).flatten();
        let refusal = || {
            Refusal::invalid(format!("Invalid integer: {text}"))
                .code("parameter_invalid_integer")
                .param(self.name(field))
        };
        number.map(Some).ok_or_else(refusal)
    }

    /// A whole number of 1 or more.
    pub(super) fn positive(&mut self, field: &str) -> Result<Option<i64>, Refusal> {
        match self.integer(field)? {
            Some(number) if number < 1 => Err(Refusal::invalid("Invalid positive integer")
                .code("parameter_invalid_integer")
                .param(self.name(field))),
            number => Ok(number),
        }
    }

    /// One of these words.
    pub(super) fn choice(
        &mut self,
        field: &str,
        choices: &[&str],
    ) -> Result<Option<String>, Refusal> {
        let Some(text) = self.text(field)? else {
            return Ok(None);
        };
        if choices.contains(&text.as_str()) {
            return Ok(Some(text));
        }
        let name = self.name(field);
        let message = format!("Invalid {name}: must be one of {}", choices.join(", "));
        Err(Refusal::invalid(message).param(name))
    }

    /// The fields below a name; an empty form where there are none.
    pub(super) fn nested(&mut self, field: &str) -> Result<Self, Refusal> {
        let path = self.name(field);
        match self.fields.remove(field) {
            None => Ok(Self { path, fields: BTreeMap::new() }),
            Some(Field::Nested(fields)) => Ok(Self { path, fields }),
            Some(Field::Text(_)) => Err(Refusal::invalid("Invalid object").param(path)),
        }
    }

    /// The forms of a list, by their index.
    pub(super) fn forms(&mut self, field: &str) -> Result<Vec<Self>, Refusal> {
        let mut list = self.nested(field)?;
        let indices = list.indices()?;
        indices.iter().map(|index| list.nested(index)).collect()
    }

    /// The texts of a list, by their index.
    pub(super) fn texts(&mut self, field: &str) -> Result<Vec<String>, Refusal> {
        let mut list = self.nested(field)?;
        let indices = list.indices()?;
        let texts: Result<Vec<_>, _> = indices.iter().map(|index| list.text(index)).collect();
        Ok(texts?.into_iter().flatten().collect())
    }

    /// The merchant's own pairs; an empty value stands for none.
    pub(super) fn metadata(&mut self) -> Result<Metadata, Refusal> {
        let Self { path, fields } = self.nested("metadata")?;
        if fields.len() > METADATA_MAX {
            let message = format!("An object has at most {METADATA_MAX} metadata keys");
            return Err(Refusal::invalid(message).param(path));
        }
        let mut metadata = Metadata::new();
        for (key, value) in fields {
            let name = format!("{path}[{key}]");
            let Field::Text(value) = value else {
                return Err(Refusal::invalid("Metadata values are strings").param(name));
            };
            check_length(&key, METADATA_KEY_LEN_MAX, &name)?;
            check_length(&value, METADATA_VALUE_LEN_MAX, &name)?;
            if !value.is_empty() {
                metadata.insert(key, value);
            }
        }
        Ok(metadata)
    }

    /// Refuses whatever nobody has taken.
    pub(super) fn finish(self) -> Result<(), Refusal> {
        let Some(first) = self.fields.keys().next() else {
            return Ok(());
        };
        let names: Vec<String> = self.fields.keys().map(|field| self.name(field)).collect();
        let plural = if names.len() == 1 { "" } else { "s" };
        let message = format!("Received unknown parameter{plural}: {}", names.join(", "));
        let first = self.name(first);
        Err(Refusal::invalid(message).code("parameter_unknown").param(first))
    }

    /// The indices of a list, in the order of their numbers.
    fn indices(&self) -> Result<Vec<String>, Refusal> {
        let mut indices = Vec::with_capacity(self.fields.len());
        for key in self.fields.keys() {
            let index: Option<usize> = key.parse().ok();
            let malformed = || Refusal::invalid("Invalid array").param(self.path.clone());
            indices.push((index.ok_or_else(malformed)?, key.clone()));
        }
        indices.sort();
        Ok(indices.into_iter().map(|(_, key)| key).collect())
    }
}

/// Refuses a text of more than so many characters.
fn check_length(text: &str, max: usize, name: &str) -> Result<(), Refusal> {
    if text.chars().count() <= max {
        return Ok(());
    }
    let message = format!("Invalid string: {name} must be at most {max} characters");
    Err(Refusal::invalid(message).param(name))
}

/// `a[b][][c]` as `a`, `b`, nothing, `c`.
fn segments(name: &str) -> Option<Vec<&str>> {
    let Some((first, rest)) = name.split_once('[') else {
        return (!name.is_empty() && !name.contains(']')).then(|| vec![name]);
    };
    let mut segments = vec![first];
    segments.extend(rest.strip_suffix(']')?.split("]["));
    let clean = segments.iter().all(|segment| !segment.contains(['[', ']']));
    (clean && !first.is_empty() && segments.len() <= DEPTH_MAX).then_some(segments)
}

/// Puts a value where its name says; nothing where the name was used in another way.
fn insert(fields: &mut BTreeMap<String, Field>, segments: &[&str], value: &str) -> Option<()> {
    let (first, rest) = segments.split_first()?;
    // An empty index is the next one of its list.
    let key = if first.is_empty() { fields.len().to_string() } else { (*first).to_owned() };
    if rest.is_empty() {
        let replaced = fields.insert(key, Field::Text(value.to_owned()));
        return (!matches!(replaced, Some(Field::Nested(_)))).then_some(());
    }
    match fields.entry(key).or_insert_with(|| Field::Nested(BTreeMap::new())) {
        Field::Nested(below) => insert(below, rest, value),
        Field::Text(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn form(encoded: &str) -> Result<Form, Refusal> {
        Form::new(&pairs(encoded.as_bytes())?)
    }

    fn refused(refusal: Refusal) -> serde_json::Value {
        refusal.body()["error"].clone()
    }

    #[test]
    fn names_nest_and_lists_keep_the_order_of_their_numbers() {
        let mut form = form("a[10]=x&a[9]=y&b[]=1&b[]=2&c[0][d][e]=%2B+%26&f=1").unwrap();
        assert_eq!(form.texts("a").unwrap(), ["y", "x"]);
        assert_eq!(form.texts("b").unwrap(), ["1", "2"]);
        let mut first = form.forms("c").unwrap().remove(0);
        let mut nested = first.nested("d").unwrap();
        assert_eq!(nested.name("e"), "c[0][d][e]");
        assert_eq!(nested.text("e").unwrap().as_deref(), Some("+ &"));
        assert_eq!(form.integer("f").unwrap(), Some(1));
        assert_eq!(form.text("g").unwrap(), None);
        assert!(form.finish().is_ok());
    }

    #[test]
    fn what_nobody_takes_is_unknown() {
        let mut one = form("a[b]=1&a[c]=2").unwrap();
        let mut nested = one.nested("a").unwrap();
        nested.integer("b").unwrap();
        let error = refused(nested.finish().unwrap_err());
        assert_eq!(error["code"], "parameter_unknown");
        assert_eq!(error["param"], "a[c]");
        assert_eq!(error["message"], "Received unknown parameter: a[c]");
        let error = refused(form("x=1&y=2").unwrap().finish().unwrap_err());
        assert_eq!(error["message"], "Received unknown parameters: x, y");
    }

    #[test]
    fn a_malformed_name_is_refused() {
        for encoded in [
            "=1",
            "a[=1",
            "a]=1",
            "a[b=1",
            "[b]=1",
            "a[b]c=1",
            "a[b]]=1",
            "a=1&a[b]=2",
            "a[b]=2&a=1",
            "a[1][2][3][4][5][6][7][8]=1",
        ] {
            assert!(form(encoded).is_err(), "{encoded}");
        }
        assert!(form("a[1][2][3][4][5][6][7]=1").is_ok());
    }

    #[test]
    fn a_number_is_digits_only() {
        for (text, number) in [
            ("0", Some(0)),
            ("12", Some(12)),
            ("-1", None),
            ("%2B1", None),
            ("1.0", None),
            ("1e3", None),
            ("+1", None),
            ("9223372036854775807", Some(i64::MAX)),
            ("9223372036854775808", None),
        ] {
            let read = form(&format!("n={text}")).unwrap().integer("n");
            assert_eq!(read.ok().flatten(), number, "{text}");
        }
    }

    #[test]
    fn metadata_keeps_to_its_lengths() {
        let pair = |key: usize, value: usize| {
            let (key, value) = ("k".repeat(key), "v".repeat(value));
            form(&format!("metadata[{key}]={value}")).unwrap().metadata().is_ok()
        };
        assert!(pair(40, 500));
        assert!(!pair(41, 500));
        assert!(!pair(40, 501));
        let many = |count: usize| {
            let pairs: Vec<String> = (0..count).map(|n| format!("metadata[k{n}]=v")).collect();
            form(&pairs.join("&")).unwrap().metadata().is_ok()
        };
        assert!(many(50));
        assert!(!many(51));
        let empty = form("metadata[k]=&metadata[l]=v").unwrap().metadata().unwrap();
        assert_eq!(empty, Metadata::from([("l".to_owned(), "v".to_owned())]));
    }

    #[test]
    fn a_request_has_a_thousand_parameters_at_most() {
        let many = |count: usize| pairs("a=1&".repeat(count).as_bytes()).is_ok();
        assert!(many(1_000));
        assert!(!many(1_001));
    }
}
