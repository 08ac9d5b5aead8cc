//! Whatever comes in, nothing panics, and nothing is believed that is not signed.

use std::sync::LazyLock;

use bytes::Bytes;
use gateways::wechat_pay::WechatPay;
use gateways::{CloseOutcome, CreateOutcome, Gateway, QueryOutcome, RefundOutcome};
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode};
use jiff::Timestamp;
use proptest::prelude::*;

use crate::peer::{
    Mode, NEW_KEY, NOW_S, PUBLIC_KEY_ID, adapter, at, payment, problem, refund, sealed, settings,
    transaction,
};

static GATEWAY: LazyLock<WechatPay> = LazyLock::new(|| adapter(settings()));

const HEADERS: [&str; 4] =
    ["wechatpay-timestamp", "wechatpay-nonce", "wechatpay-serial", "wechatpay-signature"];

fn header_value() -> impl Strategy<Value = Option<HeaderValue>> {
    let text = prop_oneof![
        Just(Vec::new()),
        Just(NOW_S.to_string().into_bytes()),
        Just(PUBLIC_KEY_ID.as_bytes().to_vec()),
        Just(b"AAAA".to_vec()),
        any::<i64>().prop_map(|number| number.to_string().into_bytes()),
        prop::collection::vec(any::<u8>(), 0..64),
    ];
    text.prop_map(|bytes| HeaderValue::from_bytes(&bytes).ok())
}

fn headers() -> impl Strategy<Value = HeaderMap> {
    prop::array::uniform4(header_value()).prop_map(|values| {
        let pairs = HEADERS.into_iter().zip(values);
        let pairs = pairs.filter_map(|(name, value)| Some((name, value?)));
        pairs.map(|(name, value)| (HeaderName::from_static(name), value)).collect()
    })
}

fn body() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        prop::collection::vec(any::<u8>(), 0..256),
        Just(transaction().to_string().into_bytes()),
        Just(sealed(NEW_KEY, "TRANSACTION.SUCCESS", &transaction()).into_bytes()),
        "[A-Z_]{1,20}".prop_map(|code| problem(&code, "m").into_bytes()),
        ".*".prop_map(String::into_bytes),
    ]
}

fn instant() -> impl Strategy<Value = Timestamp> {
    let whole = Timestamp::MIN.as_second()..=Timestamp::MAX.as_second();
    prop_oneof![Just(at(NOW_S)), whole.prop_map(at)]
}

fn reply(status: u16, headers: HeaderMap, body: Vec<u8>) -> Response<Bytes> {
    let mut reply = Response::new(Bytes::from(body));
    *reply.status_mut() = StatusCode::from_u16(status).unwrap();
    *reply.headers_mut() = headers;
    reply
}

proptest! {
    #[test]
    fn an_unsigned_message_is_never_believed(
        status in 100..1000_u16,
        headers in headers(),
        body in body(),
        now in instant(),
    ) {
        prop_assert!(GATEWAY.verify(&headers, &body, now).is_err());
        let reply = reply(status, headers, body);
        let created = GATEWAY.read_create(&reply, now);
        prop_assert!(matches!(created, CreateOutcome::Unknown(_) | CreateOutcome::AlreadyPaid));
        let queried = GATEWAY.read_query(&payment(), &reply, now);
        prop_assert!(matches!(queried, QueryOutcome::Unknown(_)));
        let closed = GATEWAY.read_close(&reply, now);
        prop_assert!(matches!(closed, CloseOutcome::Unknown(_) | CloseOutcome::Ask(_)));
        let refunded = GATEWAY.read_refund(&refund(), &reply, now);
        prop_assert!(matches!(refunded, RefundOutcome::Unknown(_) | RefundOutcome::Later(_)));
        let found = GATEWAY.read_query_refund(&refund(), &reply, now);
        prop_assert!(matches!(found, RefundOutcome::Unknown(_) | RefundOutcome::NotFound));
        prop_assert!(GATEWAY.read_echo(&reply, now).is_err());
    }

    #[test]
    fn a_signed_message_of_any_contents_does_not_panic(
        status in 100..1000_u16,
        body in body(),
        now in instant(),
    ) {
        let headers = Mode::PublicKey.headers(&body);
        let _ = GATEWAY.verify(&headers, &body, now);
        let reply = reply(status, headers, body);
        let _ = GATEWAY.read_create(&reply, now);
        let _ = GATEWAY.read_query(&payment(), &reply, now);
        let _ = GATEWAY.read_close(&reply, now);
        let _ = GATEWAY.read_refund(&refund(), &reply, now);
        let _ = GATEWAY.read_query_refund(&refund(), &reply, now);
        let _ = GATEWAY.read_echo(&reply, now);
    }

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
            GATEWAY.create(&body, stamp),
            GATEWAY.query(&payment, stamp),
            GATEWAY.close(&payment, stamp),
            GATEWAY.refund(&refund, stamp),
            GATEWAY.query_refund(&refund, stamp),
        ] {
            prop_assert_eq!(request.uri().host(), Some("api.mch.weixin.qq.com"));
        }
    }
}
