//! The OpenAPI description, read once, with every schema compiled.

use std::collections::HashMap;
use std::sync::LazyLock;

use boon::{Compiler, Draft, SchemaIndex, Schemas};
use http::{HeaderName, Method};
use products::DESCRIPTION;
use serde_json::Value;

/// A name for the description among schemas; nothing is fetched.
const NAME: &str = "urn:latchpay:openapi";

/// Everything that is checked.
pub(super) struct Description {
    operations: Vec<Operation>,
    /// What may be answered where there is no route, by status.
    pub(super) refusals: HashMap<u16, Described>,
    /// Where it stands, an example, and the schema that it must fit.
    pub(super) examples: Vec<(String, Value, Schema)>,
    schemas: Schemas,
}

/// A route.
pub(super) struct Operation {
    method: Method,
    segments: Vec<String>,
    pub(super) parameters: Vec<Parameter>,
    pub(super) body: Option<Body>,
    /// By status.
    pub(super) answers: HashMap<u16, Described>,
}

/// A parameter in a path, a query or a header.
pub(super) struct Parameter {
    pub(super) name: String,
    /// `path`, `query` or `header`.
    pub(super) place: String,
    pub(super) is_required: bool,
    pub(super) schema: Schema,
}

/// What a request may carry.
pub(super) struct Body {
    pub(super) is_required: bool,
    pub(super) takes_anything: bool,
    /// By media type.
    pub(super) content: HashMap<String, Schema>,
}

/// What is said of one status.
pub(super) struct Described {
    pub(super) headers: Vec<(HeaderName, Header)>,
    /// By media type; empty where there is no body.
    pub(super) content: HashMap<String, Schema>,
}

/// What is said of one header.
pub(super) struct Header {
    pub(super) is_required: bool,
    pub(super) schema: Schema,
}

/// One schema of the description.
#[derive(Clone, Copy)]
pub(super) struct Schema(SchemaIndex);

impl Schema {
    /// Checks a value.
    pub(super) fn check(&self, value: &Value) -> Result<(), String> {
        description().schemas.validate(value, self.0).map_err(|error| error.to_string())
    }
}

/// The description; read and compiled at the first use in a process.
pub(super) fn description() -> &'static Description {
    static DESCRIBED: LazyLock<Description> = LazyLock::new(|| Reader::new().read());
    &DESCRIBED
}

impl Description {
    /// The route of a path, with the path's parameters by name.
    pub(super) fn operation(
        &self,
        method: &Method,
        path: &str,
    ) -> Option<(&Operation, Vec<(String, String)>)> {
        let parts: Vec<&str> = path.split('/').collect();
        let mut fitting = self.operations.iter().filter(|one| one.method == *method);
        fitting.find_map(|one| Some((one, one.parameters_in(&parts)?)))
    }
}

impl Operation {
    fn parameters_in(&self, parts: &[&str]) -> Option<Vec<(String, String)>> {
        if parts.len() != self.segments.len() {
            return None;
        }
        let mut found = vec![];
        for (segment, part) in self.segments.iter().zip(parts) {
            match segment.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')) {
                Some(name) => found.push((name.to_owned(), (*part).to_owned())),
                None if segment == part => {}
                None => return None,
            }
        }
        Some(found)
    }
}

/// Reads the document; a place in it is a JSON pointer (RFC 6901).
struct Reader {
    document: Value,
    compiler: Compiler,
    schemas: Schemas,
    examples: Vec<(String, Value, Schema)>,
}

impl Reader {
    fn new() -> Self {
        let document: Value = serde_json::from_str(DESCRIPTION).unwrap();
        let mut compiler = Compiler::new();
        compiler.set_default_draft(Draft::V2020_12);
        compiler.enable_format_assertions();
        compiler.add_resource(NAME, document.clone()).unwrap();
        Self { document, compiler, schemas: Schemas::new(), examples: vec![] }
    }

    fn read(mut self) -> Description {
        let mut operations = vec![];
        for (path, methods) in self.entries("/paths") {
            for (name, _) in self.entries(&methods).into_iter().filter(|(name, _)| is_method(name))
            {
                operations.push(self.operation(&path, &methods, &name));
            }
        }
        let refusals = [(404, "NotFound"), (413, "TooLarge")].map(|(status, name)| {
            (status, self.described(&format!("/components/responses/{name}")))
        });
        let Self { schemas, examples, .. } = self;
        Description { operations, refusals: refusals.into(), examples, schemas }
    }

    fn operation(&mut self, path: &str, methods: &str, name: &str) -> Operation {
        let at = format!("{methods}/{name}");
        let mut parameters = vec![];
        for list in [format!("{methods}/parameters"), format!("{at}/parameters")] {
            let count = self.value(&list).and_then(Value::as_array).map_or(0, Vec::len);
            parameters.extend((0..count).map(|index| self.parameter(&format!("{list}/{index}"))));
        }
        let mut answers = HashMap::new();
        for (status, place) in self.entries(&format!("{at}/responses")) {
            answers.insert(status.parse().unwrap(), self.described(&place));
        }
        Operation {
            method: name.to_uppercase().parse().unwrap(),
            segments: path.split('/').map(str::to_owned).collect(),
            parameters,
            body: self.body(&format!("{at}/requestBody")),
            answers,
        }
    }

    fn parameter(&mut self, at: &str) -> Parameter {
        let at = self.resolved(at);
        let schema = self.schema(&format!("{at}/schema"));
        self.keep_examples(&at, schema);
        Parameter {
            name: self.text(&format!("{at}/name")),
            place: self.text(&format!("{at}/in")),
            is_required: self.is_true(&format!("{at}/required")),
            schema,
        }
    }

    fn body(&mut self, at: &str) -> Option<Body> {
        self.value(at)?;
        let content = format!("{at}/content");
        Some(Body {
            is_required: self.is_true(&format!("{at}/required")),
            takes_anything: self.value(&format!("{content}/*~1*")).is_some(),
            content: self.content(&content),
        })
    }

    fn described(&mut self, at: &str) -> Described {
        let at = self.resolved(at);
        let mut headers = vec![];
        for (name, place) in self.entries(&format!("{at}/headers")) {
            let place = self.resolved(&place);
            let is_required = self.is_true(&format!("{place}/required"));
            let schema = self.schema(&format!("{place}/schema"));
            headers.push((name.parse().unwrap(), Header { is_required, schema }));
        }
        Described { headers, content: self.content(&format!("{at}/content")) }
    }

    /// The schemas of a `content`, by media type; one that is not described takes anything.
    fn content(&mut self, at: &str) -> HashMap<String, Schema> {
        let mut content = HashMap::new();
        for (kind, place) in self.entries(at) {
            if self.value(&format!("{place}/schema")).is_some() {
                let schema = self.schema(&format!("{place}/schema"));
                self.keep_examples(&place, schema);
                content.insert(kind, schema);
            }
        }
        content
    }

    fn keep_examples(&mut self, at: &str, schema: Schema) {
        if let Some(example) = self.value(&format!("{at}/example")) {
            self.examples.push((at.to_owned(), example.clone(), schema));
        }
        for (_, place) in self.entries(&format!("{at}/examples")) {
            let place = self.resolved(&place);
            let example = self.value(&format!("{place}/value")).unwrap().clone();
            self.examples.push((place, example, schema));
        }
    }

    fn schema(&mut self, at: &str) -> Schema {
        let compiled = self.compiler.compile(&format!("{NAME}#{at}"), &mut self.schemas);
        Schema(compiled.unwrap_or_else(|error| panic!("{at}: {error:#}")))
    }

    /// The place that a place refers to, or itself.
    fn resolved(&self, at: &str) -> String {
        match self.value(&format!("{at}/$ref")).and_then(Value::as_str) {
            Some(reference) => reference.strip_prefix('#').unwrap().to_owned(),
            None => at.to_owned(),
        }
    }

    /// The names in an object, each with its place; none where there is no object.
    fn entries(&self, at: &str) -> Vec<(String, String)> {
        let object = self.value(at).and_then(Value::as_object);
        let place = |name: &String| format!("{at}/{}", name.replace('~', "~0").replace('/', "~1"));
        object
            .into_iter()
            .flat_map(|object| object.keys())
            .map(|name| (name.clone(), place(name)))
            .collect()
    }

    fn value(&self, at: &str) -> Option<&Value> {
        self.document.pointer(at)
    }

    fn text(&self, at: &str) -> String {
        self.value(at)
            .and_then(Value::as_str)
            .unwrap_or_else(|| panic!("no text at {at}"))
            .to_owned()
    }

    fn is_true(&self, at: &str) -> bool {
        self.value(at).and_then(Value::as_bool).unwrap_or(false)
    }
}

fn is_method(name: &str) -> bool {
    ["get", "put", "post", "delete", "patch", "head", "options"].contains(&name)
}
