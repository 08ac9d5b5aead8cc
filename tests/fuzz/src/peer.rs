//! The gateways' side of their protocols, with the simulator's throw-away keys.

mod alipay;
mod stripe;
mod wechat_pay;

use std::sync::LazyLock;

use domain::money::{Currency, Money};
use gateways::stripe::StripeCode;
use gateways::{
    CloseOutcome, CreateOutcome, Event, Gateway, Owner, PaymentRef, QueryOutcome, RefundOutcome,
    RefundRequest, Refusal,
};
use http::HeaderMap;
use jiff::Timestamp;
use serde_json::Value;

use crate::message::Message;

/// What a gateway's side can do.
pub(crate) trait Peer: Send + Sync {
    /// What the mark `gateway` calls it.
    fn name(&self) -> &'static str;

    /// Our adapter, which trusts this peer's keys.
    fn gateway(&self) -> &dyn Gateway;

    /// The body of a notification of a kind, around contents that the payer's side can influence.
    fn seal(&self, kind: &str, contents: &[u8]) -> Vec<u8>;

    /// The notification of this body as the gateway sends it, at a second of Unix time; `None`
    /// where it can sign no such body.
    fn sign(&self, at_s: i64, body: &[u8]) -> Option<Sent>;

    /// Whether a notification is, in all that is signed, what the gateway signs, near enough to
    /// `now` where it signs anew for each delivery.
    fn has_signed(&self, notification: &Sent, now: Timestamp) -> bool;

    /// Panics unless an event says what the sealed contents say.
    fn check_event(&self, kind: &str, contents: &[u8], event: &Event);

    /// The reply with these contents, under a name where the gateway gives them one, as it signs
    /// it; `None` where it signs no replies, or can sign none with these.
    fn sign_reply(&self, at_s: i64, name: &str, contents: &[u8]) -> Option<Sent>;

    /// Whether a reply is, in all that is signed, what the gateway signs.
    fn has_signed_reply(&self, reply: &Sent, now: Timestamp) -> bool;

    /// Panics unless a reply says what was read from it, and may be believed for that: the table
    /// at the head of the adapter's `reply.rs`, row by row.
    fn check_reply(&self, asked: &Asked<'_>, reply: &Reply<'_>, told: &Told);
}

/// Every gateway's peer. Adding a gateway means adding a row here.
static PEERS: LazyLock<Vec<Box<dyn Peer>>> = LazyLock::new(|| {
    vec![
        Box::new(wechat_pay::WechatPayPeer::new()),
        Box::new(alipay::AlipayPeer::new()),
        Box::new(stripe::StripePeer::new(StripeCode::CheckoutSession)),
        Box::new(stripe::StripePeer::new(StripeCode::WechatPayQr)),
    ]
});

/// The peer that the mark `gateway` names; the first one where it names none.
pub(crate) fn named(message: &Message<'_>) -> &'static dyn Peer {
    let peers = PEERS.iter().map(Box::as_ref);
    let wanted = message.mark("gateway");
    let named = peers.clone().find(|peer| Some(peer.name()) == wanted);
    named.or_else(|| peers.clone().next()).expect("there is a gateway")
}

/// A notification or a reply, as it comes.
pub(crate) struct Sent {
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
}

/// A reply as its readers got it.
pub(crate) struct Reply<'a> {
    pub(crate) status: u16,
    pub(crate) body: &'a [u8],
    pub(crate) is_signed: bool,
}

impl Reply<'_> {
    pub(crate) fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    pub(crate) fn is_refusal(&self) -> bool {
        (400..500).contains(&self.status)
    }
}

/// What replies are read for.
pub(crate) struct Asked<'a> {
    pub(crate) payment: PaymentRef<'a>,
    pub(crate) refund: RefundRequest<'a>,
}

impl<'a> Asked<'a> {
    /// One payment, under the gateway's own id that the mark `ref` says, and its refund.
    pub(crate) fn in_message(message: &Message<'a>) -> Self {
        let payment_id = "8f14e45fceea167a5a36dedd4bea2543";
        Self {
            payment: PaymentRef { payment_id, gateway_ref: message.mark("ref") },
            refund: RefundRequest {
                payment_id,
                transaction_id: "4200002026010100000000000001",
                number: "c9f0f895fb98ab9159f51fd0297e236d8f14e45fceea167a5a36de00000001",
                amount: Money::new(1_280, Currency::parse("CNY").expect("a currency")),
                reason: "superseded",
            },
        }
    }
}

/// What all readers of an adapter make of one reply.
pub(crate) struct Told {
    pub(crate) created: CreateOutcome,
    pub(crate) queried: QueryOutcome,
    pub(crate) owner: Result<Option<Owner>, Refusal>,
    pub(crate) closed: CloseOutcome,
    pub(crate) refunded: RefundOutcome,
    pub(crate) refund_found: RefundOutcome,
}

/// Panics where something changes on the word of a reply that should have been signed: it leads
/// to asking, to the same attempt again, or nowhere.
fn check_unsigned(told: &Told) {
    assert!(matches!(told.created, CreateOutcome::Unknown(_) | CreateOutcome::AlreadyPaid));
    assert!(matches!(told.queried, QueryOutcome::Unknown(_) | QueryOutcome::TooOften(_)));
    assert!(told.owner.is_err());
    assert!(matches!(
        told.closed,
        CloseOutcome::Unknown(_) | CloseOutcome::TooOften(_) | CloseOutcome::Ask(_)
    ));
    assert!(matches!(
        told.refunded,
        RefundOutcome::Unknown(_) | RefundOutcome::TooOften(_) | RefundOutcome::Later(_)
    ));
    assert!(matches!(
        told.refund_found,
        RefundOutcome::Unknown(_) | RefundOutcome::TooOften(_) | RefundOutcome::NotFound
    ));
}

/// The JSON object that a text is. There is no second opinion on what only a laxer reader takes:
/// another text, or a list where an object belongs.
fn object(text: &[u8]) -> Option<Value> {
    serde_json::from_slice(text).ok().filter(Value::is_object)
}

fn text(echo: Option<&String>) -> &str {
    echo.map_or("", String::as_str)
}
