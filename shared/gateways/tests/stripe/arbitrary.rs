//! Whatever texts go out, nothing panics and nothing leaves for another host. What comes in is the
//! business of `tests/fuzz`.

use std::sync::LazyLock;

use gateways::Gateway;
use gateways::stripe::Stripe;
use jiff::Timestamp;
use proptest::prelude::*;

use crate::peer::{NOW_S, adapter, at, qr_settings, refund, settings};

static GATEWAYS: LazyLock<[Stripe; 2]> =
    LazyLock::new(|| [adapter(settings()), adapter(qr_settings())]);

fn instant() -> impl Strategy<Value = Timestamp> {
    let whole = Timestamp::MIN.as_second()..=Timestamp::MAX.as_second();
    prop_oneof![Just(at(NOW_S)), whole.prop_map(at)]
}

/// Ids of the gateway's own, and texts that are none.
fn gateway_ref() -> impl Strategy<Value = Option<String>> {
    prop::option::of(prop_oneof![".*", "cs_.*", "pi_.*"])
}

proptest! {
    #[test]
    fn requests_of_any_texts_do_not_panic(
        text in ".*",
        gateway_ref in gateway_ref(),
        now in instant(),
        nonce in any::<[u8; 16]>(),
    ) {
        let stamp = gateways::Stamp { now, nonce };
        let gateway_ref = gateway_ref.as_deref();
        let payment = gateways::PaymentRef { payment_id: &text, gateway_ref };
        let refund = gateways::RefundRequest { number: &text, reason: &text, ..refund() };
        for gateway in GATEWAYS.iter() {
            let body = gateway.create_body(&gateways::NewPayment {
                payment_id: &text,
                description: &text,
                amount: refund.amount,
                expires_at: now,
                echo: &text,
            });
            for request in [
                gateway.create(&text, &body, stamp),
                gateway.create(&text, &text, stamp),
                gateway.query_owner(&text, stamp),
                gateway.query(&payment, stamp),
                gateway.close(&payment, stamp),
                gateway.refund(&refund, stamp),
                gateway.query_refund(&refund, stamp),
            ] {
                prop_assert_eq!(request.uri().host(), Some("api.stripe.com"));
            }
        }
    }
}
