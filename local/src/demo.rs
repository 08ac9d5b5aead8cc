//! The story that the product exists for: two windows, two codes, both paid, one booking, one
//! refund.

#![expect(clippy::indexing_slicing, reason = "indexing a JSON value answers null, never panics")]

use std::fmt::Write as _;
use std::time::Duration;

use runtime::transport::NoReply;
use serde_json::{Value, json};

use crate::client::{Call, Client, Reply};

/// How long the demo waits for something that happens by itself.
const PATIENCE: Duration = Duration::from_secs(15);
/// How often it looks.
const GLANCE: Duration = Duration::from_millis(100);

/// Why the story did not come to its end.
#[derive(Debug, thiserror::Error)]
pub enum DemoError {
    /// The stack did not answer.
    #[error("the stack did not answer")]
    Silent(#[from] NoReply),
    /// The stack answered something else than the story says.
    #[error("{step}: the stack answered {status} {body}")]
    Unexpected {
        /// Where the story stood.
        step: &'static str,
        /// The status.
        status: u16,
        /// The body.
        body: Value,
    },
    /// Something did not happen in time.
    #[error("{0} did not happen in time")]
    TooSlow(&'static str),
}

/// Plays the story against a running stack; `tell` gets it line by line.
///
/// # Errors
/// [`DemoError`] says where the story broke off.
pub async fn play(base_url: &str, mut tell: impl FnMut(&str)) -> Result<(), DemoError> {
    let nobody = Client::new(base_url);
    let alice = nobody.as_customer("alice");
    tell("Alice opens a booking of desk-order and looks at it in two windows.");
    let open = Call::new(http::Method::POST, "/v1/bookings")
        .header("idempotency-key", "demo")
        .json(&json!({ "product_id": "desk-order" }));
    let booking = expect("open", 201, alice.send(open).await?)?;
    let path = format!("/v1/bookings/{}", text(&booking, "/booking_id"));
    let first = show_code(&alice, &path, 1, "Window 1", &mut tell).await?;
    let second = show_code(&alice, &path, 3, "Window 2", &mut tell).await?;
    let seen = expect("look", 200, alice.get(&path).await?)?;
    tell("Window 1 asks how its order stands:");
    tell(&format!(
        "  it is {}, replaced by {}",
        text(&seen, "/orders/1/status"),
        short(&text(&seen, "/orders/1/superseded_by"))
    ));
    tell("Both codes are scanned all the same, the old one first.");
    let paid = json!({ "code_url": first, "force": true });
    expect("pay window 1", 200, nobody.post("/simulator/pay", &paid).await?)?;
    let paid = json!({ "code_url": second });
    expect("pay window 2", 200, nobody.post("/simulator/pay", &paid).await?)?;
    let done = until_settled(&alice, &path).await?;
    tell(&format!(
        "The booking is {}, valid from {} until {}.",
        text(&done, "/status"),
        text(&done, "/term/starts_at"),
        text(&done, "/term/valid_until")
    ));
    for order in done["orders"].as_array().into_iter().flatten() {
        tell(&line_of(order));
    }
    let ledger = expect("ledger", 200, nobody.get("/simulator/ledger").await?)?;
    tell("What the gateway says (fen):");
    for payment in ledger["payments"].as_array().into_iter().flatten() {
        tell(&format!(
            "  payment {}  captured {:>5}  refunded {:>5}",
            short(&text(payment, "/payment_id")),
            payment["captured"]["amount"],
            payment["refunded"]["amount"]
        ));
    }
    tell("Money was applied once, and the other payment went back by itself.");
    Ok(())
}

/// One window: a quote makes the order, a click makes its code.
async fn show_code(
    alice: &Client,
    path: &str,
    quantity: u32,
    window: &str,
    tell: &mut impl FnMut(&str),
) -> Result<Value, DemoError> {
    let asked = alice.post(format!("{path}/quotes"), &json!({ "quantity": quantity })).await?;
    let quoted = expect("quote", 201, asked)?;
    let click = json!({
        "order_id": quoted["order"]["order_id"],
        "quote_token": quoted["quote"]["token"],
        "gateway": "wechat_pay",
    });
    let made = alice.post(format!("{path}/payments"), &click).await?;
    let made = expect("click", 201, made)?;
    tell(&format!(
        "{window}: {quantity} day(s) for {} fen, order {}, code {}",
        quoted["quote"]["amount"]["amount"],
        short(&text(&quoted, "/order/order_id")),
        text(&made, "/payment/code_url")
    ));
    Ok(made["payment"]["code_url"].clone())
}

async fn until_settled(alice: &Client, path: &str) -> Result<Value, DemoError> {
    let glances = PATIENCE.as_millis().checked_div(GLANCE.as_millis()).unwrap_or_default();
    for _ in 0..glances {
        let seen = expect("look", 200, alice.get(path).await?)?;
        let refunds = seen["orders"].as_array().into_iter().flatten();
        let mut refunds =
            refunds.flat_map(|order| order["refunds"].as_array().into_iter().flatten());
        if seen["status"] == "active" && refunds.any(|one| one["status"] == "succeeded") {
            return Ok(seen);
        }
        tokio::time::sleep(GLANCE).await;
    }
    Err(DemoError::TooSlow("applying one payment and refunding the other"))
}

fn line_of(order: &Value) -> String {
    let mut line = format!(
        "  order {}  {} day(s)  {:>5} fen  {}",
        short(&text(order, "/order_id")),
        order["quantity"],
        order["amount"]["amount"],
        text(order, "/status")
    );
    for refund in order["refunds"].as_array().into_iter().flatten() {
        // Writing to a String cannot fail.
        let _ = write!(
            line,
            ", {} fen refunded ({}, {})",
            refund["amount"]["amount"],
            text(refund, "/reason"),
            text(refund, "/status")
        );
    }
    line
}

fn expect(step: &'static str, status: u16, reply: Reply) -> Result<Value, DemoError> {
    if reply.status == status {
        return Ok(reply.body);
    }
    Err(DemoError::Unexpected { step, status: reply.status, body: reply.body })
}

fn text(value: &Value, pointer: &str) -> String {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or("-").to_owned()
}

fn short(id: &str) -> String {
    id.chars().take(8).collect()
}
