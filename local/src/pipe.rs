//! The template's pipe, on the laptop: what it lets through of the table's writes, and what it
//! makes of them. It is read from `template.yaml` itself, so that what runs here is what is
//! deployed.
//!
//! Only as much of the two languages is known as the template uses. Everything else is refused when
//! the pipe is read, because a guess would show events that a deployment does not send.

use embedded::writes::WriteEvent;
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::{Map, Value, json};

/// The template that is deployed.
pub const TEMPLATE: &str = include_str!("../../template.yaml");
/// What stands for the name of the stack.
const STAGE: &str = "${Stage}";

/// Why a pipe cannot be read, or makes nothing of a record.
#[derive(Debug, thiserror::Error)]
pub enum PipeError {
    /// The template has no such pipe, or it has properties that are not known here.
    #[error("the template's pipe cannot be read: {0}")]
    Template(String),
    /// A filter pattern or the input template is not JSON.
    #[error("a pattern or the input template is not JSON")]
    Json(#[from] serde_json::Error),
    /// A filter pattern has something other than objects and lists of texts.
    #[error("this is not known in a filter pattern: {0}")]
    Pattern(Value),
    /// The input template has something other than objects, numbers, texts and whole paths.
    #[error("this is not known in an input template: {0}")]
    Input(Value),
    /// A path that should lead to a text of a record does not.
    #[error("the record has no text at {0}")]
    NoText(String),
}

/// An event as the bus gets it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct BusEvent {
    /// The deployment that it is from.
    pub source: String,
    /// What happened.
    pub detail_type: String,
    /// The event itself.
    pub detail: Value,
}

/// The pipe of a template.
#[derive(Clone, Debug)]
pub struct Pipe {
    filters: Vec<Pattern>,
    source: String,
    detail_type: Path,
    input: Input,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Template {
    resources: Resources,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Resources {
    event_pipe: Resource,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Resource {
    #[serde(rename = "Type")]
    _type: IgnoredAny,
    properties: Properties,
}

/// What changes an event has to be known; where it comes from and goes to does not.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Properties {
    #[serde(rename = "Description")]
    _description: IgnoredAny,
    #[serde(rename = "RoleArn")]
    _role_arn: IgnoredAny,
    #[serde(rename = "Source")]
    _source: IgnoredAny,
    source_parameters: SourceParameters,
    #[serde(rename = "Target")]
    _target: IgnoredAny,
    target_parameters: TargetParameters,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct SourceParameters {
    filter_criteria: FilterCriteria,
    #[serde(rename = "DynamoDBStreamParameters")]
    _stream: IgnoredAny,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct FilterCriteria {
    filters: Vec<Filter>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Filter {
    pattern: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct TargetParameters {
    event_bridge_event_bus_parameters: BusParameters,
    input_template: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct BusParameters {
    source: String,
    detail_type: String,
}

impl Pipe {
    /// Reads the pipe of a template, for a stage.
    ///
    /// # Errors
    /// [`PipeError`]: the template has none, or it uses what is not known here.
    pub fn of_template(template: &str, stage: &str) -> Result<Self, PipeError> {
        let template: Template = serde_saphyr::from_str(template)
            .map_err(|error| PipeError::Template(error.to_string()))?;
        let Properties { source_parameters, target_parameters, .. } =
            template.resources.event_pipe.properties;
        let filters = source_parameters.filter_criteria.filters.iter();
        let bus = target_parameters.event_bridge_event_bus_parameters;
        Ok(Self {
            filters: filters
                .map(|filter| Pattern::read(serde_json::from_str(&filter.pattern)?))
                .collect::<Result<_, _>>()?,
            source: bus.source.replace(STAGE, stage),
            detail_type: Path::parse(&bus.detail_type)
                .ok_or_else(|| PipeError::Input(json!(bus.detail_type)))?,
            input: Input::read(serde_json::from_str(&target_parameters.input_template)?)?,
        })
    }

    /// The event that a write is passed on as; `None` if no filter lets it through.
    ///
    /// # Errors
    /// [`PipeError::NoText`] if the record lacks what the template takes from it.
    pub fn pass(&self, write: &WriteEvent) -> Result<Option<BusEvent>, PipeError> {
        let record = json!({ "dynamodb": { "NewImage": write.image } });
        if !self.filters.iter().any(|filter| filter.fits(&record)) {
            return Ok(None);
        }
        Ok(Some(BusEvent {
            source: self.source.clone(),
            detail_type: self.detail_type.text_in(&record)?.to_owned(),
            detail: self.input.fill(&record)?,
        }))
    }
}

/// A filter pattern: every field has to fit, and one of its texts fits a field.
/// (EventBridge user guide, "Comparison operators", read 2026-11-25.)
#[derive(Clone, Debug)]
enum Pattern {
    Fields(Vec<(String, Self)>),
    OneOf(Vec<String>),
}

impl Pattern {
    fn read(pattern: Value) -> Result<Self, PipeError> {
        match pattern {
            Value::Object(fields) => {
                let fields = fields.into_iter();
                let read = fields.map(|(name, below)| Ok((name, Self::read(below)?)));
                Ok(Self::Fields(read.collect::<Result<_, PipeError>>()?))
            }
            Value::Array(texts) => {
                let texts = texts.into_iter().map(|one| match one.as_str() {
                    Some(text) => Ok(text.to_owned()),
                    None => Err(PipeError::Pattern(one)),
                });
                Ok(Self::OneOf(texts.collect::<Result<_, _>>()?))
            }
            other @ (Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_)) => {
                Err(PipeError::Pattern(other))
            }
        }
    }

    fn fits(&self, value: &Value) -> bool {
        match self {
            Self::Fields(fields) => fields
                .iter()
                .all(|(name, below)| value.get(name).is_some_and(|value| below.fits(value))),
            Self::OneOf(texts) => texts.iter().any(|text| value.as_str() == Some(text)),
        }
    }
}

/// An input template. A path stands in quotes and takes the place of a whole text.
/// (EventBridge user guide, "Pipes input transformation", read 2026-11-25.)
#[derive(Clone, Debug)]
enum Input {
    Fields(Vec<(String, Self)>),
    Literal(Value),
    Path(Path),
}

impl Input {
    fn read(template: Value) -> Result<Self, PipeError> {
        match template {
            Value::Object(fields) => {
                let fields = fields.into_iter();
                let read = fields.map(|(name, below)| Ok((name, Self::read(below)?)));
                Ok(Self::Fields(read.collect::<Result<_, PipeError>>()?))
            }
            Value::String(text) if text.contains(['<', '>', '$']) => {
                let path = text.strip_prefix('<').and_then(|rest| rest.strip_suffix('>'));
                let path = path.and_then(Path::parse);
                path.map(Self::Path).ok_or(PipeError::Input(Value::String(text)))
            }
            literal @ (Value::Number(_) | Value::String(_)) => Ok(Self::Literal(literal)),
            other @ (Value::Null | Value::Bool(_) | Value::Array(_)) => {
                Err(PipeError::Input(other))
            }
        }
    }

    fn fill(&self, record: &Value) -> Result<Value, PipeError> {
        match self {
            Self::Fields(fields) => {
                let filled = fields.iter();
                let filled = filled.map(|(name, below)| Ok((name.clone(), below.fill(record)?)));
                Ok(Value::Object(filled.collect::<Result<Map<_, _>, PipeError>>()?))
            }
            Self::Literal(literal) => Ok(literal.clone()),
            Self::Path(path) => Ok(Value::String(path.text_in(record)?.to_owned())),
        }
    }
}

/// `$.a.b`: names one below the other.
#[derive(Clone, Debug)]
struct Path(Vec<String>);

impl Path {
    fn parse(text: &str) -> Option<Self> {
        let names: Vec<String> = text.strip_prefix("$.")?.split('.').map(str::to_owned).collect();
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
        let is_name = |name: &String| !name.is_empty() && name.bytes().all(is_plain);
        names.iter().all(is_name).then_some(Self(names))
    }

    fn text_in<'a>(&self, record: &'a Value) -> Result<&'a str, PipeError> {
        let found = self.0.iter().try_fold(record, |value, name| value.get(name));
        found
            .and_then(Value::as_str)
            .ok_or_else(|| PipeError::NoText(format!("$.{}", self.0.join("."))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn template(change: impl Fn(&str) -> String) -> Result<Pipe, PipeError> {
        Pipe::of_template(&change(TEMPLATE), "laptop")
    }

    fn written(event: &Value) -> WriteEvent {
        let image = json!({ "sk": { "S": "order#0000000000" }, "event": { "M": event } });
        let image = image.as_object().cloned().unwrap_or_default();
        let (table, pk, sk) = Default::default();
        WriteEvent { table, pk, sk, image }
    }

    fn event_of_type(event_type: &str) -> Value {
        let fields = [
            "id",
            "timestamp",
            "booking_id",
            "order_id",
            "superseded_by",
            "payment_id",
            "refund_id",
            "attention_id",
            "quantity",
            "amount",
            "currency",
            "reason",
            "valid_until",
        ];
        let mut event: Map<String, Value> =
            fields.iter().map(|name| ((*name).to_owned(), json!({ "S": name }))).collect();
        event.insert("type".to_owned(), json!({ "S": event_type }));
        Value::Object(event)
    }

    #[test]
    fn the_deployed_pipe_is_known_in_all_its_parts() {
        let pipe = template(str::to_owned).unwrap();
        let passed = pipe.pass(&written(&event_of_type("booking.renewed"))).unwrap().unwrap();
        assert_eq!(passed.source, "latchpay.laptop");
        assert_eq!(passed.detail_type, "booking.renewed");
        assert_eq!(passed.detail["version"], 1);
        assert_eq!(passed.detail["data"]["order_id"], "order_id");
    }

    #[test]
    fn what_no_filter_names_and_what_tells_nothing_does_not_pass() {
        let pipe = template(str::to_owned).unwrap();
        assert_eq!(pipe.pass(&written(&event_of_type("booking.cancelled"))).unwrap(), None);
        let (table, pk, sk) = Default::default();
        let silent = WriteEvent { table, pk, sk, image: Map::new() };
        assert_eq!(pipe.pass(&silent).unwrap(), None);
    }

    #[test]
    fn a_record_that_lacks_what_the_template_takes_is_an_error() {
        let pipe = template(str::to_owned).unwrap();
        let mut event = event_of_type("needs_attention");
        event.as_object_mut().unwrap().remove("reason");
        let passed = pipe.pass(&written(&event));
        assert!(matches!(passed, Err(PipeError::NoText(path)) if path.ends_with("reason.S")));
    }

    #[test]
    fn what_is_not_known_of_patterns_templates_and_properties_is_refused() {
        for (known, unknown) in [
            ("\"needs_attention\"\n", "{\"prefix\": \"needs_\"}\n"),
            ("\"version\": 1,", "\"version\": [1],"),
            (
                "\"<$.dynamodb.NewImage.event.M.id.S>\"",
                "\"no. <$.dynamodb.NewImage.event.M.id.S>\"",
            ),
            ("\"<$.dynamodb.NewImage.event.M.id.S>\"", "\"<aws.pipes.pipe-name>\""),
            ("DetailType: $.dynamodb.NewImage.event.M.type.S", "DetailType: booking"),
            ("          Source: !Sub", "          Time: $.time\n          Source: !Sub"),
            ("      SourceParameters:\n", "      Enrichment: x\n      SourceParameters:\n"),
        ] {
            assert!(TEMPLATE.contains(known), "{known}");
            let read = template(|text| text.replacen(known, unknown, 1));
            assert!(read.is_err(), "{unknown}");
        }
    }
}
