//! Whatever texts go out, nothing panics and nothing leaves for another host; whatever comes in
//! without a signature is not believed.

use std::sync::LazyLock;

use gateways::alipay::Alipay;
use gateways::{
    CloseOutcome, CreateOutcome, Gateway, NewPayment, PaymentRef, QueryOutcome, RefundOutcome,
    RefundRequest, Stamp,
};
use http::HeaderMap;
use jiff::Timestamp;
use proptest::prelude::*;

use crate::peer::{NOW_S, adapter, at, payment, refund, reply, settings};

static GATEWAY: LazyLock<Alipay> = LazyLock::new(|| adapter(settings()));

fn instant() -> impl Strategy<Value = Timestamp> {
    let whole = Timestamp::MIN.as_second()..=Timestamp::MAX.as_second();
    prop_oneof![Just(at(NOW_S)), whole.prop_map(at)]
}

proptest! {
    #[test]
    fn requests_of_any_texts_do_not_panic(
        text in ".*",
        now in instant(),
        nonce in any::<[u8; 16]>(),
    ) {
        let stamp = Stamp { now, nonce };
        let payment = PaymentRef { payment_id: &text, gateway_ref: None };
        let refund = RefundRequest { number: &text, reason: &text, ..refund() };
        let body = GATEWAY.create_body(&NewPayment {
            payment_id: &text,
            description: &text,
            amount: refund.amount,
            expires_at: now,
            echo: &text,
        });
        for request in [
            GATEWAY.create(&text, &body, stamp),
            GATEWAY.create(&text, &text, stamp),
            GATEWAY.query_owner(&text, stamp),
            GATEWAY.query(&payment, stamp),
            GATEWAY.close(&payment, stamp),
            GATEWAY.refund(&refund, stamp),
            GATEWAY.query_refund(&refund, stamp),
        ] {
            prop_assert_eq!(request.uri().host(), Some("openapi.alipay.com"));
            prop_assert_eq!(request.uri().path(), "/gateway.do");
        }
    }

    #[test]
    fn replies_of_any_bytes_are_not_known(bytes in any::<Vec<u8>>()) {
        let reply = reply(200, bytes);
        let now = at(NOW_S);
        let created = GATEWAY.read_create(&reply, now);
        prop_assert!(matches!(created, CreateOutcome::Unknown(_)));
        let queried = GATEWAY.read_query(&payment(), &reply, now);
        prop_assert!(matches!(queried, QueryOutcome::Unknown(_)));
        prop_assert!(GATEWAY.read_owner(&reply, now).is_err());
        let closed = GATEWAY.read_close(&reply, now);
        prop_assert!(matches!(closed, CloseOutcome::Unknown(_)));
        let refunded = GATEWAY.read_refund(&refund(), &reply, now);
        prop_assert!(matches!(refunded, RefundOutcome::Unknown(_)));
        let found = GATEWAY.read_query_refund(&refund(), &reply, now);
        prop_assert!(matches!(found, RefundOutcome::Unknown(_)));
    }

    #[test]
    fn notifications_of_any_bytes_are_refused(bytes in any::<Vec<u8>>(), now in instant()) {
        prop_assert!(GATEWAY.verify(&HeaderMap::new(), &bytes, now).is_err());
    }
}
