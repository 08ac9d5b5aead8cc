//! The gateways' side of their protocols, with the simulator's throw-away keys.

mod wechat_pay;

use std::sync::LazyLock;

use domain::money::{Currency, Money};
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
    /// Our adapter, which trusts this peer's keys.
    fn gateway(&self) -> &dyn Gateway;

    /// The headers that the gateway signs a body with, at a second of Unix time.
    fn sign(&self, at_s: i64, body: &[u8]) -> HeaderMap;

    /// Whether these headers are, in all that is signed, what the gateway signs this body with,
    /// near enough to `now` where it signs anew for each delivery.
    fn has_signed(&self, headers: &HeaderMap, body: &[u8], now: Timestamp) -> bool;

    /// The body of a notification of a kind, around contents that the payer's side can influence.
    fn seal(&self, kind: &str, contents: &[u8]) -> Vec<u8>;

    /// Panics unless an event says what the sealed contents say.
    fn check_event(&self, kind: &str, contents: &Value, event: &Event);

    /// Panics unless a signed reply says what was read from it.
    fn check_reply(&self, status: u16, body: &Value, told: &Told);
}

/// Every gateway's peer. Adding a gateway means adding a row here.
static PEERS: LazyLock<Vec<Box<dyn Peer>>> =
    LazyLock::new(|| vec![Box::new(wechat_pay::WechatPayPeer::new())]);

/// The peer that the mark `gateway` names; the first one where it names none.
pub(crate) fn named(message: &Message<'_>) -> &'static dyn Peer {
    let peers = PEERS.iter().map(Box::as_ref);
    let wanted = message.mark("gateway");
    let named = peers.clone().find(|peer| Some(peer.gateway().name().as_str()) == wanted);
    named.or_else(|| peers.clone().next()).expect("there is a gateway")
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

/// The payment that replies are read for.
pub(crate) const PAYMENT: PaymentRef<'static> =
    PaymentRef { payment_id: "8f14e45fceea167a5a36dedd4bea2543", gateway_ref: None };

/// The refund that replies are read for.
pub(crate) fn refund() -> RefundRequest<'static> {
    RefundRequest {
        payment_id: PAYMENT.payment_id,
        transaction_id: "4200002026010100000000000001",
        number: "c9f0f895fb98ab9159f51fd0297e236d8f14e45fceea167a5a36de00000001",
        amount: Money::new(1_280, Currency::parse("CNY").expect("a currency")),
        reason: "superseded",
    }
}
