//! Whatever texts go out, nothing panics and nothing leaves for another host. What comes in is the
//! business of `tests/fuzz`.

use std::sync::LazyLock;

use gateways::Gateway;
use gateways::wechat_pay::WechatPay;
use jiff::Timestamp;
use proptest::prelude::*;

use crate::peer::{NOW_S, adapter, at, refund, settings};

static GATEWAY: LazyLock<WechatPay> = LazyLock::new(|| adapter(settings()));

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
        let stamp = gateways::Stamp { now, nonce };
        let payment = gateways::PaymentRef { payment_id: &text, gateway_ref: None };
        let refund = gateways::RefundRequest { number: &text, reason: &text, ..refund() };
        let body = GATEWAY.create_body(&gateways::NewPayment {
            payment_id: &text,
            description: &text,
            amount: refund.amount,
            expires_at: now,
            echo: &text,
        });
        for request in [
            GATEWAY.create(&text, &body, stamp),
            GATEWAY.query_owner(&text, stamp),
            GATEWAY.query(&payment, stamp),
            GATEWAY.close(&payment, stamp),
            GATEWAY.refund(&refund, stamp),
            GATEWAY.query_refund(&refund, stamp),
        ] {
            prop_assert_eq!(request.uri().host(), Some("api.mch.weixin.qq.com"));
        }
    }
}
