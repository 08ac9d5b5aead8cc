//! What the rules have to know of each gateway's wire: which call makes a code, which one gives
//! money back, which one nobody may make, and what its notifications tell.
//!
//! This shares no code with the adapters: it is what they are held against.

use std::collections::BTreeMap;

use http::{Method, Uri};
use serde_json::Value;

/// A call to a gateway as it is sent.
#[derive(Clone, Debug)]
pub struct Sent<'a> {
    /// Its method.
    pub method: &'a Method,
    /// Where to, with the query.
    pub uri: &'a Uri,
    /// Its body.
    pub body: &'a [u8],
}

/// What a call asks of a gateway, as far as the rules look at it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Asked {
    /// To make a code for a payment of ours.
    Create {
        /// The payment.
        payment_id: String,
    },
    /// To give the money of a transaction back.
    Refund {
        /// The transaction.
        transaction_id: String,
    },
    /// Something that nobody may ask for.
    Forbidden(String),
    /// Anything else.
    Other,
}

/// Which of a gateway's acknowledged notifications have to be stored.
#[derive(Clone, Copy)]
pub enum Told {
    /// Every one: each tells of its subject, and the ledger counts them.
    Everything,
    /// Those that name something, by its id: the gateway also sends what changes nothing.
    Named(fn(&[u8]) -> Option<String>),
}

/// One gateway's wire.
struct Wire {
    gateway: &'static str,
    /// What the path of each of its calls begins with.
    mount: &'static str,
    asked: fn(&Sent<'_>) -> Asked,
    told: Told,
    /// How long after `pay_by` a code that the gateway does not know may still be paid, in seconds.
    outlives_s: u32,
}

/// Every gateway there is. Adding a gateway means adding a row here.
const WIRES: &[Wire] = &[
    Wire {
        gateway: "alipay",
        mount: "/simulator/alipay/",
        asked: asked_of_alipay,
        told: Told::Everything,
        // A code can be scanned for two hours, and when a trade begins that nobody knew is open.
        outlives_s: 7_200,
    },
    Wire {
        gateway: "stripe",
        mount: "/simulator/stripe/",
        asked: asked_of_stripe,
        told: Told::Named(told_by_stripe),
        // A session that comes later would live for less than half an hour, and is refused.
        outlives_s: 60,
    },
    Wire {
        gateway: "wechat_pay",
        mount: "/simulator/wechat_pay/",
        asked: asked_of_wechat_pay,
        told: Told::Everything,
        // A request counts for five minutes after it was signed.
        outlives_s: 300,
    },
];

/// Whether a gateway has its row.
#[must_use]
pub fn is_known(gateway: &str) -> bool {
    WIRES.iter().any(|wire| wire.gateway == gateway)
}

/// What a call asks for. A call to nobody's address is one that nobody may make.
#[must_use]
pub fn asked(sent: &Sent<'_>) -> Asked {
    let wire = WIRES.iter().find(|wire| sent.uri.path().starts_with(wire.mount));
    wire.map_or_else(|| Asked::Forbidden(sent.uri.to_string()), |wire| (wire.asked)(sent))
}

/// Which of a gateway's notifications have to be stored.
#[must_use]
pub fn told(gateway: &str) -> Told {
    wire(gateway).told
}

/// How long after `pay_by` a code that the gateway does not know may still be paid, in seconds.
#[must_use]
pub fn outlives_s(gateway: &str) -> u32 {
    wire(gateway).outlives_s
}

fn wire(gateway: &str) -> &'static Wire {
    let wire = WIRES.iter().find(|wire| wire.gateway == gateway);
    wire.expect("every gateway has a row")
}

fn asked_of_wechat_pay(sent: &Sent<'_>) -> Asked {
    let body: Value = serde_json::from_slice(sent.body).unwrap_or_default();
    match (sent.method.as_str(), below(sent, "/simulator/wechat_pay")) {
        ("POST", "/v3/pay/transactions/native") => {
            Asked::Create { payment_id: text(&body, "out_trade_no") }
        }
        ("POST", "/v3/refund/domestic/refunds") => {
            Asked::Refund { transaction_id: text(&body, "transaction_id") }
        }
        _ => Asked::Other,
    }
}

/// The method is in the query and its contents are in the form. `alipay.trade.cancel` gives back
/// what was paid, without a refund that anybody would know of.
fn asked_of_alipay(sent: &Sent<'_>) -> Asked {
    let query = form(sent.uri.query().unwrap_or_default().as_bytes());
    let contents = form(sent.body).remove("biz_content").unwrap_or_default();
    let contents: Value = serde_json::from_str(&contents).unwrap_or_default();
    match query.get("method").map(String::as_str).unwrap_or_default() {
        "alipay.trade.precreate" => Asked::Create { payment_id: text(&contents, "out_trade_no") },
        "alipay.trade.refund" => Asked::Refund { transaction_id: text(&contents, "trade_no") },
        "alipay.trade.query" | "alipay.trade.close" | "alipay.trade.fastpay.refund.query" => {
            Asked::Other
        }
        other => Asked::Forbidden(other.to_owned()),
    }
}

fn asked_of_stripe(sent: &Sent<'_>) -> Asked {
    let mut body = form(sent.body);
    let mut field = |name: &str| body.remove(name).unwrap_or_default();
    match (sent.method.as_str(), below(sent, "/simulator/stripe")) {
        ("POST", "/v1/checkout/sessions") => {
            Asked::Create { payment_id: field("client_reference_id") }
        }
        ("POST", "/v1/payment_intents") => {
            Asked::Create { payment_id: field("metadata[payment_id]") }
        }
        ("POST", "/v1/refunds") => Asked::Refund { transaction_id: field("payment_intent") },
        _ => Asked::Other,
    }
}

/// A payment by its PaymentIntent, a refund and a dispute by its own id. Charges tell what the
/// others tell as well, and a session that was completed without its money tells of none.
fn told_by_stripe(body: &[u8]) -> Option<String> {
    let event: Value = serde_json::from_slice(body).ok()?;
    let object = &event["data"]["object"];
    let id = match event["type"].as_str()? {
        "payment_intent.succeeded" => &object["id"],
        "checkout.session.completed" | "checkout.session.async_payment_succeeded"
            if object["payment_status"] == "paid" =>
        {
            &object["payment_intent"]
        }
        kind if kind.starts_with("refund.") || kind.starts_with("charge.dispute.") => &object["id"],
        _ => return None,
    };
    id.as_str().map(str::to_owned)
}

fn below<'a>(sent: &Sent<'a>, mount: &str) -> &'a str {
    sent.uri.path().strip_prefix(mount).unwrap_or_default()
}

fn form(text: &[u8]) -> BTreeMap<String, String> {
    form_urlencoded::parse(text).into_owned().collect()
}

fn text(object: &Value, name: &str) -> String {
    object[name].as_str().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_wire_says_what_is_made_given_back_and_forbidden() {
        let create = |id: &str| Asked::Create { payment_id: id.to_owned() };
        let refund = |id: &str| Asked::Refund { transaction_id: id.to_owned() };
        let alipay =
            |method: &str| format!("/simulator/alipay/gateway.do?charset=utf-8&method={method}");
        let cancel = Asked::Forbidden("alipay.trade.cancel".to_owned());
        for (path, body, expected) in [
            (
                "/simulator/wechat_pay/v3/pay/transactions/native".to_owned(),
                r#"{"out_trade_no":"p"}"#,
                create("p"),
            ),
            (
                "/simulator/wechat_pay/v3/refund/domestic/refunds".to_owned(),
                r#"{"transaction_id":"t"}"#,
                refund("t"),
            ),
            (
                alipay("alipay.trade.precreate"),
                "biz_content=%7B%22out_trade_no%22%3A%22p%22%7D&sign=x",
                create("p"),
            ),
            (
                alipay("alipay.trade.refund"),
                "biz_content=%7B%22trade_no%22%3A%22t%22%7D&sign=x",
                refund("t"),
            ),
            (alipay("alipay.trade.query"), "", Asked::Other),
            (alipay("alipay.trade.cancel"), "", cancel),
            (
                "/simulator/stripe/v1/checkout/sessions".to_owned(),
                "mode=payment&client_reference_id=p",
                create("p"),
            ),
            (
                "/simulator/stripe/v1/payment_intents".to_owned(),
                "metadata%5Bpayment_id%5D=p",
                create("p"),
            ),
            ("/simulator/stripe/v1/refunds".to_owned(), "payment_intent=t", refund("t")),
            ("/simulator/stripe/v1/payment_intents/t/cancel".to_owned(), "", Asked::Other),
            ("/nowhere".to_owned(), "", Asked::Forbidden("/nowhere".to_owned())),
        ] {
            let uri: Uri = path.parse().unwrap();
            let sent = Sent { method: &Method::POST, uri: &uri, body: body.as_bytes() };
            assert_eq!(asked(&sent), expected, "{path}");
        }
    }
}
