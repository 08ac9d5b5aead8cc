//! What was recorded of a function.

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::error::DisplayErrorContext;
use lambda_http::Error;
use serde_json::Value;

use crate::floors::Floor;
use crate::names::Names;
use crate::{gateway, table};

/// Names the file of the recording.
const FLOOR_CALLS: &str = "FLOOR_CALLS";

/// One call of the function: what every floor can make, and what only some can.
enum Call {
    Table(table::Call),
    Alone(table::Write),
    Gateway(gateway::Call),
}

/// What a function did for one event.
pub struct Recording {
    names: Vec<String>,
    calls: Vec<Call>,
    /// What it answered.
    pub answer: Value,
    /// Who it is to its gateway.
    pub merchant: Value,
}

impl Recording {
    /// Reads the file that the environment names: `names`, which other events have others for,
    /// `calls`, in their order, `answer` and `merchant`.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn read() -> Result<Self, Error> {
        let text = std::fs::read(std::env::var(FLOOR_CALLS)?)?;
        let mut recorded: Value = serde_json::from_slice(&text)?;
        let names = recorded["names"].as_array().into_iter().flatten();
        let calls = recorded["calls"].as_array().ok_or("no calls")?;
        Ok(Self {
            names: names.filter_map(Value::as_str).map(str::to_owned).collect(),
            calls: calls.iter().map(call).collect::<Result<_, _>>()?,
            answer: recorded["answer"].take(),
            merchant: recorded["merchant"].take(),
        })
    }

    /// Whether the function answered a request, with what API Gateway takes for an answer.
    #[must_use]
    pub fn answers_requests(&self) -> bool {
        self.answer.get("statusCode").is_some()
    }

    /// Makes the calls again, one after the other, with the names that an event says.
    ///
    /// # Errors
    /// What came of the first that failed.
    pub async fn play(
        &self,
        client: &Client,
        floor: &impl Floor,
        said: Option<&str>,
    ) -> Result<(), Error> {
        let names = Names::new(&self.names, said);
        for call in &self.calls {
            let made = match call {
                Call::Table(call) => call.make(client, &names).await,
                Call::Alone(write) => floor.write_alone(client, write, &names).await,
                Call::Gateway(call) => floor.call_gateway(call, &names).await,
            };
            // The runtime shows only the outermost error.
            made.map_err(|error| format!("{}", DisplayErrorContext(error.as_ref())))?;
        }
        Ok(())
    }
}

fn call(recorded: &Value) -> Result<Call, Error> {
    if recorded.get("operation").is_none() {
        return gateway::Call::read(recorded).map(Call::Gateway);
    }
    match table::Write::read_alone(recorded) {
        Some(write) => Ok(Call::Alone(write)),
        None => table::Call::read(recorded).map(Call::Table),
    }
}
