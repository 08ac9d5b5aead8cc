//! What every adapter does at its gateway's simulated side, whatever the wire looks like: the
//! contract that the rules lean on. A new gateway is a row below.

mod bench;

use api::request::Request as ApiRequest;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use domain::reconcile::RowKind;
use gateways::bill::BillOutcome;
use gateways::{
    Acknowledgement, CloseOutcome, CreateOutcome, Distrust, Event, PaymentRef, QueryOutcome,
    RefundOutcome, RefundRequest,
};
use http::{HeaderMap, Method, Request, Response, StatusCode};
use serde_json::{Value, json};

use crate::bench::{Bench, Kind, Paid, cny, echo, number, refund_number, refund_of};

const WECHAT_PAY: Kind = Kind {
    name: "wechat_pay",
    settings: |_| {},
    exists_once_scanned: false,
    replays_creates: false,
    signs_time: true,
    tells_disputes: false,
    takes_refunds_back: false,
    bills_carry_echo: true,
    bills_are_vouched_for: true,
};

const ALIPAY: Kind = Kind {
    name: "alipay",
    settings: |_| {},
    exists_once_scanned: true,
    replays_creates: false,
    signs_time: false,
    tells_disputes: false,
    takes_refunds_back: false,
    bills_carry_echo: false,
    bills_are_vouched_for: true,
};

const STRIPE: Kind = Kind {
    name: "stripe",
    settings: |_| {},
    exists_once_scanned: false,
    replays_creates: true,
    signs_time: true,
    tells_disputes: true,
    takes_refunds_back: true,
    bills_carry_echo: true,
    bills_are_vouched_for: false,
};

/// The same gateway and adapter, with the other kind of code.
const STRIPE_WECHAT_PAY_QR: Kind =
    Kind { settings: |settings| settings["code"] = json!("wechat_pay_qr"), ..STRIPE };

macro_rules! suite {
    ($gateway:ident, $kind:expr, [$($name:ident),* $(,)?]) => {
        mod $gateway {
            $(
                #[tokio::test(start_paused = true)]
                async fn $name() {
                    super::$name(super::Bench::start($kind)).await;
                }
            )*
        }
    };
}

macro_rules! at_every_gateway {
    ($($names:tt)*) => {
        suite!(wechat_pay, &super::WECHAT_PAY, [$($names)*]);
        suite!(alipay, &super::ALIPAY, [$($names)*]);
        suite!(stripe, &super::STRIPE, [$($names)*]);
        suite!(stripe_wechat_pay_qr, &super::STRIPE_WECHAT_PAY_QR, [$($names)*]);
    };
}

at_every_gateway! {
    a_code_that_was_created_is_payable_and_its_payment_is_one_however_often_it_is_created,
    a_changed_create_makes_nothing_payable,
    a_create_after_the_end_says_what_the_end_was,
    a_payment_is_found_in_every_state,
    a_payment_whose_own_id_was_never_heard_is_not_declared_over,
    an_unpaid_payment_is_closed_and_cannot_be_paid_any_more,
    a_paid_payment_is_not_closed_and_asking_finds_the_money,
    closing_what_does_not_exist_says_so,
    a_code_that_nobody_scanned_is_not_declared_closed_while_it_can_be_paid,
    money_goes_back_once_however_often_it_is_asked_for,
    a_refund_under_another_number_does_not_give_the_money_back_again,
    a_refund_of_too_much_or_of_nothing_gives_nothing_back,
    a_refund_that_the_gateway_gives_up_is_not_taken_for_done,
    a_refund_that_waits_for_a_person_is_not_taken_for_done,
    a_capture_is_told_with_what_the_payment_carried,
    a_refund_is_told_under_its_number,
    a_refund_by_somebody_else_is_told_and_its_owner_is_found,
    a_refund_that_is_taken_back_says_so_where_that_happens,
    a_dispute_is_told_where_there_are_disputes,
    a_notification_with_any_byte_changed_is_not_believed,
    a_notification_without_any_of_what_is_signed_is_not_believed,
    an_old_notification_is_believed_only_where_deliveries_are_not_signed_anew,
    a_notification_told_again_tells_the_same,
    a_notification_in_base64_is_the_same_notification,
    a_notification_for_another_merchant_is_not_believed,
    a_reply_that_says_nothing_decides_nothing,
    a_reply_that_broke_off_decides_nothing,
    acknowledgements_differ,
    a_bill_tells_every_capture_and_refund_of_its_day,
    a_day_without_trades_is_an_empty_bill,
    a_day_that_is_not_over_has_no_bill_yet,
    a_bill_that_was_tampered_with_or_broke_off_is_not_known,
}

async fn a_code_that_was_created_is_payable_and_its_payment_is_one_however_often_it_is_created(
    bench: Bench,
) {
    let made = bench.unpaid(1).await;
    for _ in 0..3 {
        let again = bench.create(&made.payment_id, &made.body).await;
        let CreateOutcome::Payable { code_url, gateway_ref } = again else { panic!("{again:?}") };
        assert!(!code_url.is_empty());
        assert_eq!(gateway_ref, made.gateway_ref, "the same payment");
    }
    let entry = bench.ledger(&made.payment_id).await;
    assert_eq!(entry["captured"]["amount"], 0);
    assert_eq!(entry["amount"], json!({ "amount": 1280, "currency": "CNY" }));
    let (status, told) = bench.pay(&json!({ "code_url": made.code_url })).await;
    assert_eq!(status, 200, "the first code still pays: {told}");
    let (status, _) = bench.pay(&json!({ "code_url": made.code_url })).await;
    assert_eq!(status, 409, "once");
}

async fn a_changed_create_makes_nothing_payable(bench: Bench) {
    let made = bench.unpaid(1).await;
    let changed = bench.create_body(&made.payment_id, cny(1_290));
    assert_ne!(changed, made.body);
    match bench.create(&made.payment_id, &changed).await {
        CreateOutcome::Unknown(_) | CreateOutcome::Refused(_) => {}
        other => panic!("{other:?}"),
    }
}

async fn a_create_after_the_end_says_what_the_end_was(bench: Bench) {
    let paid = bench.paid(1).await.made;
    let closed = bench.unpaid(2).await;
    assert_eq!(bench.close(&closed.reference()).await, CloseOutcome::Closed);
    let after_paid = bench.create(&paid.payment_id, &paid.body).await;
    let after_close = bench.create(&closed.payment_id, &closed.body).await;
    if bench.kind.replays_creates {
        for (again, made) in [(after_paid, paid), (after_close, closed)] {
            let CreateOutcome::Payable { gateway_ref, .. } = again else { panic!("{again:?}") };
            assert_eq!(gateway_ref, made.gateway_ref);
        }
    } else {
        assert_eq!(after_paid, CreateOutcome::AlreadyPaid);
        assert_eq!(after_close, CreateOutcome::Closed);
    }
}

async fn a_payment_is_found_in_every_state(bench: Bench) {
    let unpaid = bench.unpaid(1).await;
    assert_eq!(bench.query(&unpaid.reference()).await, QueryOutcome::Unpaid);
    let paid = bench.paid(2).await;
    assert_eq!(bench.query(&paid.made.reference()).await, QueryOutcome::Paid(paid.capture.clone()));
    let closed = bench.unpaid(3).await;
    assert_eq!(bench.close(&closed.reference()).await, CloseOutcome::Closed);
    assert_eq!(bench.query(&closed.reference()).await, QueryOutcome::Closed);
    let unscanned = bench.unscanned(4).await;
    let expected = match bench.kind.exists_once_scanned {
        true => QueryOutcome::NotFound,
        false => QueryOutcome::Unpaid,
    };
    assert_eq!(bench.query(&unscanned.reference()).await, expected);
    let never = number(5);
    let never = PaymentRef { payment_id: &never, gateway_ref: None };
    assert_eq!(bench.query(&never).await, QueryOutcome::NotFound);
    // Money that went back was captured all the same.
    let refund = refund_number(1);
    bench.refund(&refund_of(&paid, &refund)).await;
    bench.finished_refund(&refund_of(&paid, &refund)).await;
    assert_eq!(bench.query(&paid.made.reference()).await, QueryOutcome::Returned(paid.capture));
}

async fn a_payment_whose_own_id_was_never_heard_is_not_declared_over(bench: Bench) {
    let made = bench.unpaid(1).await;
    let unheard = PaymentRef { payment_id: &made.payment_id, gateway_ref: None };
    match bench.query(&unheard).await {
        QueryOutcome::Unpaid | QueryOutcome::NotFound => {}
        other => panic!("{other:?}"),
    }
    // Long enough for whatever index a gateway looks into.
    bench.clock.advance_s(60);
    let paid = bench.pay(&json!({ "code_url": made.code_url })).await.1;
    bench.clock.advance_s(60);
    match bench.query(&unheard).await {
        QueryOutcome::Paid(capture) => {
            assert_eq!(paid["transaction_id"], capture.transaction_id);
            assert_eq!(capture.captured, cny(1_280));
        }
        other => panic!("{other:?}"),
    }
    match bench.close(&unheard).await {
        CloseOutcome::Ask(_) => {}
        CloseOutcome::Named(id) => {
            let named = PaymentRef { gateway_ref: Some(&id), ..unheard };
            assert!(matches!(bench.close(&named).await, CloseOutcome::Ask(_)));
        }
        other => panic!("{other:?}"),
    }
}

async fn an_unpaid_payment_is_closed_and_cannot_be_paid_any_more(bench: Bench) {
    let made = bench.unpaid(1).await;
    assert_eq!(bench.close(&made.reference()).await, CloseOutcome::Closed);
    assert_eq!(bench.ledger(&made.payment_id).await["closed"], true);
    let (status, problem) = bench.pay(&json!({ "code_url": made.code_url })).await;
    assert_eq!((status, &problem["code"]), (409, &json!("code_closed")));
    match bench.close(&made.reference()).await {
        CloseOutcome::Closed => {}
        CloseOutcome::Ask(_) => {
            assert_eq!(bench.query(&made.reference()).await, QueryOutcome::Closed);
        }
        other => panic!("{other:?}"),
    }
}

async fn a_paid_payment_is_not_closed_and_asking_finds_the_money(bench: Bench) {
    let paid = bench.paid(1).await;
    match bench.close(&paid.made.reference()).await {
        CloseOutcome::Ask(_) => {}
        other => panic!("{other:?}"),
    }
    assert_eq!(bench.query(&paid.made.reference()).await, QueryOutcome::Paid(paid.capture.clone()));
    let entry = bench.ledger(&paid.made.payment_id).await;
    assert_eq!(entry["refunded"]["amount"], 0, "closing gives nothing back");
}

async fn closing_what_does_not_exist_says_so(bench: Bench) {
    let never = number(1);
    let never = PaymentRef { payment_id: &never, gateway_ref: None };
    assert_eq!(bench.close(&never).await, CloseOutcome::NotFound);
}

async fn a_code_that_nobody_scanned_is_not_declared_closed_while_it_can_be_paid(bench: Bench) {
    let made = bench.unscanned(1).await;
    let outcome = bench.close(&made.reference()).await;
    let (status, _) = bench.pay(&json!({ "code_url": made.code_url })).await;
    if bench.kind.exists_once_scanned {
        assert_eq!(outcome, CloseOutcome::NotFound);
        assert_eq!(status, 200, "it was payable all the time");
        assert!(bench.gateway.not_found_grace_s() >= 7_200, "the life of its code");
    } else {
        assert_eq!((outcome, status), (CloseOutcome::Closed, 409));
    }
}

async fn money_goes_back_once_however_often_it_is_asked_for(bench: Bench) {
    let paid = bench.paid(1).await;
    let number = refund_number(1);
    let refund = refund_of(&paid, &number);
    assert_eq!(bench.query_refund(&refund).await, RefundOutcome::NotFound);
    for _ in 0..3 {
        match bench.refund(&refund).await {
            RefundOutcome::Succeeded | RefundOutcome::Processing => {}
            // Where a repeat moves no money, only asking tells.
            RefundOutcome::Unknown(_) => {}
            other => panic!("{other:?}"),
        }
        assert_eq!(bench.finished_refund(&refund).await, RefundOutcome::Succeeded);
        // Some gateways want a moment between two refunds of one payment.
        bench.clock.advance_s(61);
    }
    let entry = bench.ledger(&paid.made.payment_id).await;
    assert_eq!(entry["refunded"], json!({ "amount": 1280, "currency": "CNY" }));
    assert_eq!(entry["refunds"].as_array().unwrap().len(), 1);
}

async fn a_refund_under_another_number_does_not_give_the_money_back_again(bench: Bench) {
    let paid = bench.paid(1).await;
    let (one, other) = (refund_number(1), refund_number(2));
    bench.refund(&refund_of(&paid, &one)).await;
    assert_eq!(bench.finished_refund(&refund_of(&paid, &one)).await, RefundOutcome::Succeeded);
    bench.clock.advance_s(61);
    match bench.refund(&refund_of(&paid, &other)).await {
        RefundOutcome::Unknown(_) | RefundOutcome::Refused(_) | RefundOutcome::Later(_) => {}
        outcome => panic!("{outcome:?}"),
    }
    assert_eq!(bench.query_refund(&refund_of(&paid, &other)).await, RefundOutcome::NotFound);
    let entry = bench.ledger(&paid.made.payment_id).await;
    assert_eq!(entry["refunded"]["amount"], 1280);
}

async fn a_refund_of_too_much_or_of_nothing_gives_nothing_back(bench: Bench) {
    let paid = bench.paid(1).await;
    let unpaid = bench.unpaid(2).await;
    let number = refund_number(1);
    let too_much = RefundRequest { amount: cny(1_281), ..refund_of(&paid, &number) };
    let of_nothing = RefundRequest {
        payment_id: &unpaid.payment_id,
        transaction_id: "4200002026010100000000000009",
        ..refund_of(&paid, &number)
    };
    for refund in [too_much, of_nothing] {
        match bench.refund(&refund).await {
            RefundOutcome::Refused(_) | RefundOutcome::Unknown(_) => {}
            other => panic!("{other:?}"),
        }
        assert!(!matches!(bench.query_refund(&refund).await, RefundOutcome::Succeeded));
        bench.clock.advance_s(61);
    }
    for payment_id in [&paid.made.payment_id, &unpaid.payment_id] {
        assert_eq!(bench.ledger(payment_id).await["refunded"]["amount"], 0);
    }
}

/// A refund that is accepted under a plan, and what the gateway says of it in the end.
async fn refund_under(bench: &Bench, outcome: &str) -> (RefundOutcome, RefundOutcome, Value) {
    let paid = bench.paid(1).await;
    bench.faults(json!({ "refund_outcome": outcome })).await;
    let number = refund_number(1);
    let refund = refund_of(&paid, &number);
    let made = bench.refund(&refund).await;
    let ended = bench.finished_refund(&refund).await;
    let entry = bench.ledger(&paid.made.payment_id).await;
    (made, ended, entry)
}

async fn a_refund_that_the_gateway_gives_up_is_not_taken_for_done(bench: Bench) {
    let (made, ended, entry) = refund_under(&bench, "closed").await;
    assert_ne!(made, RefundOutcome::Succeeded);
    match ended {
        // A new number, or the same number again: never the end.
        RefundOutcome::Failed(_) | RefundOutcome::NotFound => {}
        other => panic!("{other:?}"),
    }
    assert_eq!(entry["refunded"]["amount"], 0);
}

async fn a_refund_that_waits_for_a_person_is_not_taken_for_done(bench: Bench) {
    let (made, ended, entry) = refund_under(&bench, "abnormal").await;
    assert_ne!(made, RefundOutcome::Succeeded);
    assert_ne!(ended, RefundOutcome::Succeeded);
    assert_eq!(entry["refunded"]["amount"], 0);
}

async fn a_capture_is_told_with_what_the_payment_carried(bench: Bench) {
    let paid = bench.paid(1).await;
    let (_, events) = bench.told(|event| matches!(event, Event::Paid { .. })).await;
    let [Event::Paid { payment_id, echo: carried, capture, .. }] = events.as_slice() else {
        panic!("{events:?}");
    };
    assert_eq!(*payment_id, paid.made.payment_id);
    assert_eq!(carried.as_deref(), Some(echo(payment_id).as_str()));
    assert_eq!(*capture, paid.capture, "as asking tells it");
}

async fn a_refund_is_told_under_its_number(bench: Bench) {
    let paid = bench.paid(1).await;
    let number = refund_number(1);
    bench.refund(&refund_of(&paid, &number)).await;
    let (_, events) = bench
        .told(|event| {
            matches!(event, Event::Refund { outcome, .. } if *outcome == RefundOutcome::Succeeded)
        })
        .await;
    let told = events.iter().find_map(|event| match event {
        Event::Refund { payment, number, amount, .. } => Some((payment, number, amount)),
        Event::Paid { .. } | Event::PaidUndated { .. } | Event::Dispute { .. } => None,
    });
    let (payment, told_number, amount) = told.unwrap();
    assert_eq!(*told_number, number);
    assert_eq!(payment.payment_id.as_deref(), Some(paid.made.payment_id.as_str()));
    assert_eq!(payment.transaction_id, paid.capture.transaction_id);
    assert_eq!(*amount, paid.capture.captured);
}

async fn a_refund_by_somebody_else_is_told_and_its_owner_is_found(bench: Bench) {
    let paid = bench.paid(1).await;
    let transaction_id = &paid.capture.transaction_id;
    let by_hand = json!({ "transaction_id": transaction_id });
    let (status, body) = bench.control(Method::POST, "/simulator/refund", &by_hand).await;
    assert_eq!(status, 200, "{body}");
    let (_, events) = bench.told(|event| matches!(event, Event::Refund { .. })).await;
    let refunded = events.iter().find_map(|event| match event {
        Event::Refund { payment, .. } => Some(payment),
        Event::Paid { .. } | Event::PaidUndated { .. } | Event::Dispute { .. } => None,
    });
    let payment = refunded.unwrap();
    assert_eq!(payment.transaction_id, *transaction_id);
    if let (Some(payment_id), Some(carried)) = (&payment.payment_id, &payment.echo) {
        assert_eq!(*payment_id, paid.made.payment_id);
        assert_eq!(*carried, echo(payment_id));
    } else {
        let owner = bench.owner(transaction_id).await.unwrap().expect("it carries it back");
        assert_eq!(owner.payment_id, paid.made.payment_id);
        assert_eq!(owner.echo, echo(&paid.made.payment_id));
    }
}

async fn a_refund_that_is_taken_back_says_so_where_that_happens(bench: Bench) {
    let paid = bench.paid(1).await;
    let (status, _) = bench
        .control(Method::PUT, "/simulator/faults", &json!({ "refund_outcome": "failed_later" }))
        .await;
    assert_eq!(status, 200);
    if !bench.kind.takes_refunds_back {
        return;
    }
    let number = refund_number(1);
    let refund = refund_of(&paid, &number);
    bench.refund(&refund).await;
    bench
        .told(|event| {
            matches!(event, Event::Refund { outcome: RefundOutcome::Failed(_), number: told, .. }
                if *told == number)
        })
        .await;
    match bench.query_refund(&refund).await {
        RefundOutcome::Failed(_) => {}
        other => panic!("{other:?}"),
    }
    assert_eq!(bench.ledger(&paid.made.payment_id).await["refunded"]["amount"], 0);
}

async fn a_dispute_is_told_where_there_are_disputes(bench: Bench) {
    let paid = bench.paid(1).await;
    let transaction_id = &paid.capture.transaction_id;
    let dispute = json!({ "transaction_id": transaction_id });
    let (status, body) = bench.control(Method::POST, "/simulator/dispute", &dispute).await;
    if !bench.kind.tells_disputes {
        assert!((400..500).contains(&status), "{status} {body}");
        return;
    }
    assert_eq!(status, 200, "{body}");
    let (_, events) = bench.told(|event| matches!(event, Event::Dispute { .. })).await;
    let [Event::Dispute { payment, number, amount }] = events.as_slice() else {
        panic!("{events:?}");
    };
    assert_eq!(payment.transaction_id, *transaction_id);
    assert!(!number.is_empty());
    assert_eq!(*amount, paid.capture.captured);
}

/// A genuine notification of a capture.
async fn genuine(bench: &Bench) -> Request<Bytes> {
    bench.paid(1).await;
    bench.told(|event| matches!(event, Event::Paid { .. })).await.0
}

async fn a_notification_with_any_byte_changed_is_not_believed(bench: Bench) {
    let notification = genuine(&bench).await;
    let body = notification.body().to_vec();
    assert!(!body.is_empty());
    for at in 0..body.len() {
        let mut changed = body.clone();
        changed[at] ^= 1;
        let mut request = notification.clone();
        *request.body_mut() = Bytes::from(changed);
        // Escapes may be spelt in two ways: then it is the same notification, and tells the same.
        if let Ok(events) = bench.verify(&request) {
            assert_eq!(Ok(events), bench.verify(&notification), "byte {at}");
            let spelt = [body[at], body[at] ^ 1].map(|byte| byte.to_ascii_lowercase());
            assert_eq!(spelt[0], spelt[1], "byte {at}");
        }
    }
}

async fn a_notification_without_any_of_what_is_signed_is_not_believed(bench: Bench) {
    let notification = genuine(&bench).await;
    let signing = |name: &str| {
        let is_wechat = name.starts_with("wechatpay-") && name != "wechatpay-signature-type";
        is_wechat || name == "stripe-signature"
    };
    let names: Vec<_> = notification.headers().keys().cloned().collect();
    let mut tried = 0;
    for name in names.into_iter().filter(|name| signing(name.as_str())) {
        tried += 1;
        let mut without = notification.clone();
        without.headers_mut().remove(&name);
        assert!(bench.verify(&without).is_err(), "without {name}");
        let mut twice = notification.clone();
        twice.headers_mut().append(&name, "x".parse().unwrap());
        assert!(bench.verify(&twice).is_err(), "two of {name}");
    }
    if tried == 0 {
        // The signature stands in the form.
        let body = String::from_utf8(notification.body().to_vec()).unwrap();
        let without: Vec<_> = body.split('&').filter(|pair| !pair.starts_with("sign=")).collect();
        let mut request = notification.clone();
        *request.body_mut() = Bytes::from(without.join("&"));
        assert!(bench.verify(&request).is_err(), "without a signature");
        *request.body_mut() = Bytes::from(format!("{body}&total_amount=0.01"));
        assert!(bench.verify(&request).is_err(), "two of one field");
    }
}

async fn an_old_notification_is_believed_only_where_deliveries_are_not_signed_anew(bench: Bench) {
    let notification = genuine(&bench).await;
    bench.clock.advance_s(299);
    assert!(bench.verify(&notification).is_ok());
    bench.clock.advance_s(3);
    if bench.kind.signs_time {
        assert_eq!(bench.verify(&notification), Err(Distrust::StaleTimestamp));
    } else {
        bench.clock.advance_s(25 * 3_600);
        assert!(bench.verify(&notification).is_ok(), "its last repeat comes after a day");
    }
}

async fn a_notification_told_again_tells_the_same(bench: Bench) {
    let notification = genuine(&bench).await;
    let events = bench.verify(&notification);
    assert_eq!(bench.verify(&notification), events);
    for caught in bench.caught() {
        assert!(bench.verify(&caught).is_ok());
    }
}

/// An API Gateway event whose body is in base64, as our code receives it.
fn from_api_gateway(bench: &Bench, notification: &Request<Bytes>) -> ApiRequest {
    let headers = notification.headers().iter();
    let headers: Value = headers
        .map(|(name, value)| (name.as_str().to_owned(), json!(value.to_str().unwrap())))
        .collect::<serde_json::Map<_, _>>()
        .into();
    let path = format!("/v1/callbacks/{}", bench.kind.name);
    let event = json!({
        "version": "2.0",
        "routeKey": "POST /v1/callbacks/{gateway}",
        "rawPath": path,
        "rawQueryString": "",
        "headers": headers,
        "requestContext": {
            "accountId": "123456789012",
            "apiId": "api",
            "domainName": "pay.example.com",
            "http": {
                "method": "POST",
                "path": path,
                "protocol": "HTTP/1.1",
                "sourceIp": "192.0.2.1",
                "userAgent": "gateway",
            },
            "requestId": "id",
            "stage": "$default",
            "timeEpoch": 1_767_225_600_000_i64,
        },
        "body": STANDARD.encode(notification.body()),
        "isBase64Encoded": true,
    });
    let event = lambda_http::request::from_str(&event.to_string()).unwrap();
    runtime::lambda::request(event)
}

async fn a_notification_in_base64_is_the_same_notification(bench: Bench) {
    let notification = genuine(&bench).await;
    let received = from_api_gateway(&bench, &notification);
    let now = bench.clock.now();
    let events = bench.gateway.verify(&received.headers, &received.body, now);
    assert!(events.is_ok());
    assert_eq!(events, bench.verify(&notification));
}

async fn a_notification_for_another_merchant_is_not_believed(bench: Bench) {
    for (mode, distrust) in
        [("wrong_merchant", Distrust::WrongMerchant), ("bad_signature", Distrust::BadSignature)]
    {
        let before = bench.caught().len();
        let hand_made = json!({
            "gateway": bench.kind.name,
            "out_trade_no": number(7),
            "attach": echo(&number(7)),
            "amount": { "amount": 1280, "currency": "CNY" },
            "success_time": bench.clock.now(),
            "mode": mode,
        });
        let (status, body) = bench.control(Method::POST, "/simulator/notify", &hand_made).await;
        assert_eq!(status, 200, "{body}");
        let caught = bench.caught();
        assert_eq!(bench.verify(&caught[before]), Err(distrust), "{mode}");
    }
}

/// Every reader's word on one reply must be that nothing is known.
fn check_decides_nothing(bench: &Bench, reply: &Response<Bytes>, what: &str) {
    let (gateway, now) = (&bench.gateway, bench.clock.now());
    let payment_id = number(1);
    let payment = PaymentRef { payment_id: &payment_id, gateway_ref: None };
    let number = refund_number(1);
    let refund = RefundRequest {
        payment_id: &payment_id,
        transaction_id: "4200002026010100000000000001",
        number: &number,
        amount: cny(1_280),
        reason: "superseded",
    };
    let created = gateway.read_create(reply, now);
    assert!(matches!(created, CreateOutcome::Unknown(_)), "{what}: {created:?}");
    let queried = gateway.read_query(&payment, reply, now);
    assert!(
        matches!(queried, QueryOutcome::Unknown(_) | QueryOutcome::TooOften(_)),
        "{what}: {queried:?}"
    );
    let closed = gateway.read_close(reply, now);
    assert!(
        matches!(
            closed,
            CloseOutcome::Unknown(_) | CloseOutcome::TooOften(_) | CloseOutcome::Ask(_)
        ),
        "{what}: {closed:?}"
    );
    let refunded = gateway.read_refund(&refund, reply, now);
    assert!(
        matches!(
            refunded,
            RefundOutcome::Unknown(_) | RefundOutcome::TooOften(_) | RefundOutcome::Later(_)
        ),
        "{what}: {refunded:?}"
    );
    let asked = gateway.read_query_refund(&refund, reply, now);
    assert!(
        matches!(asked, RefundOutcome::Unknown(_) | RefundOutcome::TooOften(_)),
        "{what}: {asked:?}"
    );
    assert!(gateway.read_owner(reply, now).is_err(), "{what}");
}

async fn a_reply_that_says_nothing_decides_nothing(bench: Bench) {
    for status in [200, 204, 302, 400, 401, 403, 404, 409, 429, 500, 502, 503, 504] {
        for body in ["", "{}", "[]", "null", "<html>Bad Gateway</html>", "{\"code\":", "\u{feff}"] {
            let mut reply = Response::new(Bytes::from(body));
            *reply.status_mut() = StatusCode::from_u16(status).unwrap();
            *reply.headers_mut() = HeaderMap::new();
            check_decides_nothing(&bench, &reply, &format!("{status} {body:?}"));
        }
    }
}

async fn a_reply_that_broke_off_decides_nothing(bench: Bench) {
    let made = bench.unpaid(1).await;
    let whole = bench.send(bench.gateway.query(&made.reference(), bench.stamp())).await;
    // White space at the end is no part of what is said.
    let whole = whole.map(|body| body.slice(..body.trim_ascii_end().len()));
    for len in 0..whole.body().len() {
        let part = whole.clone().map(|body| body.slice(..len));
        check_decides_nothing(&bench, &part, &format!("{len} bytes"));
    }
}

async fn acknowledgements_differ(bench: Bench) {
    let answer = |acknowledgement| bench.gateway.acknowledge(acknowledgement);
    assert!(answer(Acknowledgement::Done).status().is_success());
    assert!(!answer(Acknowledgement::Retry).status().is_success());
    for distrust in [
        Distrust::BadSignature,
        Distrust::StaleTimestamp,
        Distrust::UnknownKey,
        Distrust::MissingHeader,
        Distrust::Unreadable,
        Distrust::WrongMerchant,
    ] {
        assert!(answer(Acknowledgement::Refused(distrust)).status().is_client_error());
    }
    // The simulated gateway takes the first for an acknowledgement and no other.
    let paid = bench.paid(1).await;
    bench.told(|event| matches!(event, Event::Paid { .. })).await;
    let entry = bench.ledger(&paid.made.payment_id).await;
    assert!(entry["notifications"]["acknowledged"].as_u64().unwrap() >= 1);
    assert_eq!(entry["notifications"]["sent"], entry["notifications"]["acknowledged"]);
}

async fn a_bill_tells_every_capture_and_refund_of_its_day(bench: Bench) {
    let day = bench.at_noon();
    let paid = [bench.paid(1).await, bench.paid(2).await];
    bench.unpaid(3).await;
    let number = refund_number(1);
    bench.refund(&refund_of(&paid[0], &number)).await;
    assert_eq!(
        bench.finished_refund(&refund_of(&paid[0], &number)).await,
        RefundOutcome::Succeeded
    );
    bench.at_noon();
    bench.paid(4).await;
    let rows = bench.bill(day).await.unwrap();
    assert_eq!(rows.len(), 3, "what was captured or went back on another day is not there");
    for Paid { made, capture } in &paid {
        let kind = RowKind::Payment;
        let row = rows.iter().find(|row| row.kind == kind && row.payment_id == made.payment_id);
        let row = row.unwrap_or_else(|| panic!("{rows:#?}"));
        assert_eq!(row.transaction_id, capture.transaction_id);
        assert_eq!((row.amount, row.at), (capture.captured, capture.paid_at));
        let carried = Some(echo(&made.payment_id)).filter(|_| bench.kind.bills_carry_echo);
        assert_eq!(row.echo, carried);
    }
    let row = rows.iter().find(|row| row.kind == RowKind::Refund { number: number.clone() });
    let row = row.unwrap_or_else(|| panic!("{rows:#?}"));
    assert_eq!(row.payment_id, paid[0].made.payment_id);
    assert_eq!(row.transaction_id, paid[0].capture.transaction_id);
    assert_eq!(row.amount, paid[0].capture.captured);
}

async fn a_day_without_trades_is_an_empty_bill(bench: Bench) {
    let day = bench.at_noon();
    bench.unpaid(1).await;
    bench.at_noon();
    assert_eq!(bench.bill(day).await, Ok(vec![]));
}

async fn a_day_that_is_not_over_has_no_bill_yet(bench: Bench) {
    let day = bench.at_noon();
    bench.paid(1).await;
    let outcome = bench.bill(day).await;
    assert!(matches!(outcome, Err(BillOutcome::NotReady(_))), "{outcome:?}");
}

async fn a_bill_that_was_tampered_with_or_broke_off_is_not_known(bench: Bench) {
    let day = bench.at_noon();
    bench.paid(1).await;
    bench.at_noon();
    let (step, whole) = bench.last_of_bill(day).await;
    let read = |body: Bytes| bench.bills().read(&step, &Response::new(body), bench.clock.now());
    let body = whole.body();
    let told = read(body.clone());
    assert!(matches!(&told, BillOutcome::Read { rows, next: None } if rows.len() == 1));
    // White space at the end is no part of what is said.
    for len in 0..body.trim_ascii_end().len() {
        let outcome = read(body.slice(..len));
        assert!(matches!(outcome, BillOutcome::Unknown(_)), "{len} bytes: {outcome:?}");
    }
    if !bench.kind.bills_are_vouched_for {
        return;
    }
    for at in 0..body.len() {
        let mut changed = body.to_vec();
        changed[at] ^= 1;
        let outcome = read(changed.into());
        // Of an archive some bytes say nothing about what is in it.
        let is_harmless = matches!(outcome, BillOutcome::Unknown(_)) || outcome == told;
        assert!(is_harmless, "byte {at}: {outcome:?}");
    }
}
