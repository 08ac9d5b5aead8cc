//! The command for what waits for a person: it speaks to the laptop's stack and to a deployment
//! alike, by HTTP.

#![expect(clippy::indexing_slicing, reason = "indexing a JSON value answers null, never panics")]

use clap::{Args, Subcommand};
use form_urlencoded::byte_serialize;
use runtime::transport::NoReply;
use serde_json::{Value, json};

use crate::client::{Client, Reply};

/// Where to look, and what to do there.
#[derive(Args)]
pub struct Options {
    /// The API
    #[arg(long, default_value = "http://127.0.0.1:8080")]
    url: String,
    /// A bearer token with the scope attention:write
    #[arg(long, env = "LATCHPAY_TOKEN", hide_env_values = true, default_value = "dev:admin")]
    token: String,
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand)]
enum What {
    /// Lists a page of what waits, the longest waiting first
    List {
        /// Where the page starts, as the page before it said
        #[arg(long)]
        cursor: Option<String>,
    },
    /// Shows what waits on a booking, and what people did about it
    Show {
        /// The booking's id
        booking_id: String,
    },
    /// Has something tried again at once
    Retry {
        /// The booking's id
        booking_id: String,
        /// What waits, such as refund-0875939c…
        attention_id: String,
        /// What you say to it
        #[arg(long)]
        note: Option<String>,
    },
    /// Takes something off the list that was dealt with elsewhere
    Resolve {
        /// The booking's id
        booking_id: String,
        /// What waits, such as refund-0875939c…
        attention_id: String,
        /// How it was dealt with
        #[arg(long)]
        note: String,
    },
}

/// Why the command did not do what it was asked for.
#[derive(Debug, thiserror::Error)]
pub enum CommandError {
    /// The API did not answer.
    #[error("the API did not answer")]
    Silent(#[from] NoReply),
    /// The API said no.
    #[error("{title} ({status}): {detail}")]
    Problem {
        /// The status.
        status: u16,
        /// The problem's title.
        title: String,
        /// The problem's detail.
        detail: String,
    },
}

/// Does what the options say; `tell` gets the answer line by line.
///
/// # Errors
/// [`CommandError`]; nothing was changed if it is a problem.
pub async fn run(options: Options, mut tell: impl FnMut(&str)) -> Result<(), CommandError> {
    let client = Client::new(options.url.trim_end_matches('/')).with_token(&options.token);
    match options.what {
        What::List { cursor } => {
            let start = cursor.map(|cursor| byte_serialize(cursor.as_bytes()).collect::<String>());
            let query = start.map(|start| format!("?cursor={start}")).unwrap_or_default();
            let page = expect(client.get(format!("/v1/attention{query}")).await?)?;
            tell_waiting(&page["attention"], &mut tell);
            if let Some(cursor) = page["next_cursor"].as_str() {
                tell(&format!("There is more: --cursor {cursor}"));
            }
        }
        What::Show { booking_id } => {
            let shown = expect(client.get(format!("/v1/attention/{}", part(&booking_id))).await?)?;
            tell_waiting(&shown["attention"], &mut tell);
            for audit in shown["audit"].as_array().into_iter().flatten() {
                tell(&audit_line(audit));
            }
        }
        What::Retry { booking_id, attention_id, note } => {
            let path = release_path(&booking_id, &attention_id, "retry");
            let body = note.map_or(json!({}), |note| json!({ "note": note }));
            tell(&audit_line(&expect(client.post(path, &body).await?)?));
        }
        What::Resolve { booking_id, attention_id, note } => {
            let path = release_path(&booking_id, &attention_id, "resolve");
            let done = expect(client.post(path, &json!({ "note": note })).await?)?;
            tell(&audit_line(&done));
        }
    }
    Ok(())
}

fn release_path(booking_id: &str, attention_id: &str, action: &str) -> String {
    format!("/v1/attention/{}/{}/{action}", part(booking_id), part(attention_id))
}

/// A part of a path: ids need no escape, and whatever else was typed must not become a path.
fn part(typed: &str) -> String {
    byte_serialize(typed.as_bytes()).collect()
}

fn expect(reply: Reply) -> Result<Value, CommandError> {
    if reply.status == 200 {
        return Ok(reply.body);
    }
    let body = &reply.body;
    // API Gateway's own answers, such as those to an expired token, carry a message alone.
    let said = |name: &str| body[name].as_str().or_else(|| body["message"].as_str());
    Err(CommandError::Problem {
        status: reply.status,
        title: said("title").unwrap_or("Refused").to_owned(),
        detail: said("detail").unwrap_or("the answer says nothing more").to_owned(),
    })
}

fn tell_waiting(waiting: &Value, tell: &mut impl FnMut(&str)) {
    let waiting = waiting.as_array().map(Vec::as_slice).unwrap_or_default();
    if waiting.is_empty() {
        tell("Nothing waits for a person.");
        return;
    }
    tell(&row(["since", "booking", "waiting", "reason", "amount"]));
    for one in waiting {
        let amount = match one["amount"]["amount"].as_i64() {
            Some(minor) => format!("{minor} {}", text(&one["amount"]["currency"])),
            None => "-".to_owned(),
        };
        let [since, booking, name, reason] =
            ["since", "booking_id", "attention_id", "reason"].map(|field| text(&one[field]));
        tell(&row([since, booking, name, reason, &amount]));
    }
}

fn row([since, booking, name, reason, amount]: [&str; 5]) -> String {
    format!("{since:<24}  {booking:<32}  {name:<40}  {reason:<20}  {amount}")
}

fn audit_line(audit: &Value) -> String {
    let [at, action, name, by] =
        ["at", "action", "attention_id", "by"].map(|field| text(&audit[field]));
    let note = audit["note"].as_str().map(|note| format!(": {note}")).unwrap_or_default();
    format!("{at:<24}  {action} {name} by {by}{note}")
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or("-")
}
