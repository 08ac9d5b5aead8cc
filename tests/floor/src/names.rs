//! Names that stand in the recording, and those that an event has in their place.

use lambda_http::Request;
use serde_json::Value;

/// The header of a request, and the field of another event, that says its names.
const NAMES: &str = "x-names";

/// What is written in place of the recording's names.
pub struct Names<'a>(Vec<(&'a str, &'a str)>);

impl<'a> Names<'a> {
    /// The recording's names, each with the event's; all its own where the event says none.
    pub fn new(recorded: &'a [String], said: Option<&'a str>) -> Self {
        let said = said.into_iter().flat_map(|said| said.split(','));
        Self(recorded.iter().map(String::as_str).zip(said).collect())
    }

    /// A text with the event's names.
    #[must_use]
    pub fn within(&self, text: &str) -> String {
        self.0.iter().fold(text.to_owned(), |text, (from, to)| text.replace(from, to))
    }
}

/// What a request says.
#[must_use]
pub fn of_request(request: &Request) -> Option<&str> {
    request.headers().get(NAMES)?.to_str().ok()
}

/// What another event says.
#[must_use]
pub fn of_event(event: &Value) -> Option<&str> {
    event.get(NAMES)?.as_str()
}
