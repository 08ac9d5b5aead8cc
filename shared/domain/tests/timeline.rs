//! A booking's timeline, from what is stored.

use domain::attention::{Action, Attention, AttentionId, Audit, Subject};
use domain::booking::{
    Booking, EndReason, Order, OrderStatus, PaymentStatus, Refund, RefundReason, RefundStatus,
    Unmatched,
};
use domain::product::Kind;
use domain::task::{Record, TaskId};
use domain::timeline::{Entry, Stored, What, timeline};

use crate::support::*;

const NOTHING: Stored<'static> =
    Stored { booking: None, orders: &[], unmatched: &[], attention: &[], audits: &[] };

/// What happened and when, in milliseconds of [`t`], newest first.
fn told(stored: Stored<'_>) -> Vec<(What, Option<i64>)> {
    let entries = timeline(stored);
    entries.iter().map(|entry| (entry.what, entry.at.map(ms))).collect()
}

fn ms(moment: jiff::Timestamp) -> i64 {
    moment.as_millisecond() - t(0).as_millisecond()
}

fn of_orders(orders: &[Order]) -> Vec<(What, Option<i64>)> {
    told(Stored { orders, ..NOTHING })
}

/// An order that was made at a moment and ended so.
fn made_at(at_ms: i64, number: u8, status: OrderStatus) -> Order {
    Order { created_at: t(at_ms), ..ended(order(number, Kind::First), status) }
}

/// A paid payment of an order, captured at that moment if it is known.
fn captured(order: Order, paid_at_ms: Option<i64>) -> Order {
    let mut order = with_payments(order, &[(&WECHAT, PaymentStatus::Paid)]);
    order.payments[0].paid_at = paid_at_ms.map(t);
    order
}

fn refund_of(order: &Order, status: RefundStatus, updated_ms: i64) -> Refund {
    let payment_id = &order.payments[0].payment_id;
    let refund = refund(payment_id, "tx-wechat_pay", order.amount);
    Refund { status, updated_at: t(updated_ms), reason: RefundReason::Superseded, ..refund }
}

fn attention(since_ms: i64) -> Attention {
    let order = captured(order(1, Kind::First), None);
    let refund = refund_of(&order, RefundStatus::Due, 0);
    Attention {
        attention_id: AttentionId::of_task(&TaskId::refund(&refund.refund_id)),
        booking_id: pending().booking_id,
        subject: Subject::Refund,
        record: Record::Order { order_id: order.order_id.clone(), order_seq: order.seq },
        payment_id: refund.payment_id,
        transaction_id: Some(refund.transaction_id),
        amount: Some(order.amount),
        reason: "ABNORMAL".to_owned(),
        since: t(since_ms),
    }
}

fn audit(action: Action, since_ms: i64, at_ms: i64) -> Audit {
    let attention = attention(since_ms);
    Audit {
        booking_id: attention.booking_id,
        attention_id: attention.attention_id,
        action,
        by: "olga".to_owned(),
        note: Some("topped up".to_owned()),
        reason: attention.reason,
        since: attention.since,
        at: t(at_ms),
    }
}

#[test]
fn a_booking_was_opened_and_began_with_its_first_payment() {
    let begins = ms(active().term.unwrap().starts_at);
    for (booking, expected) in [
        (pending(), vec![(What::BookingOpened, Some(-DAY_MS))]),
        (
            Booking { created_at: t(begins - 1), ..active() },
            vec![(What::TermStarted, Some(begins)), (What::BookingOpened, Some(begins - 1))],
        ),
    ] {
        assert_eq!(told(Stored { booking: Some(&booking), ..NOTHING }), expected);
    }
    assert_eq!(told(NOTHING), []);
}

#[test]
fn an_order_was_superseded_when_the_one_that_replaced_it_was_made() {
    let newer = Order { created_at: t(70), ..order(2, Kind::First) };
    let older = Order {
        superseded_by: Some(newer.order_id.clone()),
        ..made_at(50, 1, OrderStatus::Superseded)
    };
    let expected = [
        (What::OrderMade, Some(70)),
        (What::OrderSuperseded, Some(70)),
        (What::OrderMade, Some(50)),
    ];
    let both = [newer.clone(), older.clone()];
    assert_eq!(of_orders(&both), expected);
    let entries = timeline(Stored { orders: &both, ..NOTHING });
    let superseded = entries.iter().find(|it| it.what == What::OrderSuperseded).unwrap();
    assert_eq!(superseded.order_id, Some(older.order_id.clone()));
    assert_eq!(superseded.replaced_by, Some(newer.order_id.clone()));
    // The one that replaced it is on another page.
    let expected = [(What::OrderSuperseded, None), (What::OrderMade, Some(50))];
    assert_eq!(of_orders(std::slice::from_ref(&older)), expected);
}

#[test]
fn how_an_order_ended_has_no_time_and_a_place_where_it_can_have_been() {
    for (status, what) in
        [(OrderStatus::Stale, What::OrderStale), (OrderStatus::Cancelled, What::OrderCancelled)]
    {
        let ended = made_at(50, 1, status);
        assert_eq!(of_orders(&[ended]), [(what, None), (What::OrderMade, Some(50))]);
    }
    let expired = made_at(50, 1, OrderStatus::Expired);
    let expired = with_payments(expired, &[(&WECHAT, PaymentStatus::Closed)]);
    let entries = timeline(Stored { orders: &[expired], ..NOTHING });
    assert_eq!((entries[0].what, entries[0].at), (What::OrderExpired, None));
    assert_eq!(entries[0].not_before, t(PAY_BY_MS));
    assert_eq!(entries[0].reason.as_deref(), Some("unpaid"));
    assert_eq!(of_orders(&[order(1, Kind::First)]), [(What::OrderMade, Some(0))]);
}

#[test]
fn a_paid_order_was_captured_by_the_gateways_clock_and_then_paid() {
    let paid = |paid_at_ms| captured(made_at(50, 1, OrderStatus::Paid), paid_at_ms);
    // A gateway's clock may count seconds only.
    for (paid_at_ms, place_ms) in [(Some(60), 60), (Some(40), 50), (None, 50)] {
        let order = paid(paid_at_ms);
        let entries = timeline(Stored { orders: std::slice::from_ref(&order), ..NOTHING });
        let whats: Vec<_> = entries.iter().map(|it| (it.what, it.at.map(ms))).collect();
        let expected = [
            (What::OrderPaid, None),
            (What::PaymentCaptured, paid_at_ms),
            (What::OrderMade, Some(50)),
        ];
        assert_eq!(whats, expected);
        let capture = &entries[1];
        assert_eq!(capture.not_before, t(place_ms));
        assert_eq!(capture.gateway.as_ref(), Some(&*WECHAT));
        assert_eq!(capture.payment_id.as_ref(), Some(&order.payments[0].payment_id));
        assert_eq!((capture.amount, entries[0].amount), (Some(order.amount), Some(order.amount)));
    }
}

#[test]
fn money_that_goes_back_was_captured_and_has_its_refunds_status() {
    for (status, flag, what) in [
        (RefundStatus::Due, None, What::RefundDue),
        (RefundStatus::Submitted, None, What::RefundSubmitted),
        (RefundStatus::Submitted, Some("ABNORMAL"), What::RefundNeedsAttention),
        (RefundStatus::Succeeded, Some("ABNORMAL"), What::RefundSucceeded),
        (RefundStatus::NeedsAttention, Some("x"), What::RefundNeedsAttention),
    ] {
        let mut order = captured(made_at(50, 1, OrderStatus::Superseded), Some(60));
        let attention = flag.map(str::to_owned);
        let refund = Refund { attention, amount: cny(5), ..refund_of(&order, status, 80) };
        order.refunds = vec![refund.clone()];
        let entries = timeline(Stored { orders: &[order.clone()], ..NOTHING });
        assert_eq!((entries[0].what, entries[0].at), (what, Some(t(80))));
        assert_eq!(entries[0].refund_id, Some(refund.refund_id));
        assert_eq!(entries[0].order_id, Some(order.order_id));
        assert_eq!(entries[0].reason.as_deref(), Some("superseded"));
        assert_eq!(entries[1].what, What::PaymentCaptured);
        assert_eq!(entries[1].amount, Some(cny(5)), "what was captured, and not the order's");
    }
}

#[test]
fn a_second_capture_of_a_payment_is_told_by_its_refund() {
    let mut order = captured(made_at(50, 1, OrderStatus::Paid), Some(60));
    let second = refund(&order.payments[0].payment_id, "tx-2", cny(7));
    order.refunds = vec![Refund { paid_at: Some(t(65)), updated_at: t(66), ..second }];
    let entries = timeline(Stored { orders: &[order], ..NOTHING });
    let capture = entries.iter().find(|it| it.at == Some(t(65))).unwrap();
    assert_eq!(capture.what, What::PaymentCaptured);
    assert_eq!(capture.transaction_id.as_deref(), Some("tx-2"));
    assert_eq!(capture.gateway.as_ref(), Some(&*WECHAT));
    assert_eq!((capture.amount, capture.order_id.is_some()), (Some(cny(7)), true));
}

#[test]
fn money_without_a_payment_is_told_without_an_order() {
    let payment_id = IDS.payment(&order(1, Kind::First).order_id, &ALIPAY, 1);
    let refund = Refund { paid_at: Some(t(1)), ..refund(&payment_id, "tx", cny(7)) };
    let booking_id = pending().booking_id;
    let unmatched =
        Unmatched { booking_id, version: 1, gateway: ALIPAY.clone(), refund, own_task: None };
    let entries = timeline(Stored { unmatched: &[unmatched], ..NOTHING });
    let whats: Vec<_> = entries.iter().map(|it| it.what).collect();
    assert_eq!(whats, [What::PaymentCaptured, What::RefundDue]);
    assert_eq!(entries[0].gateway.as_ref(), Some(&*ALIPAY));
    assert!(entries.iter().all(|it| it.order_id.is_none()));
}

#[test]
fn what_waits_was_raised_and_what_was_released_was_raised_before() {
    let waits = [attention(90)];
    let audits = [audit(Action::Resolve, 60, 70), audit(Action::Retry, 30, 40)];
    let stored = Stored { attention: &waits, audits: &audits, ..NOTHING };
    let expected = [
        (What::AttentionRaised, Some(90)),
        (What::AttentionResolved, Some(70)),
        (What::AttentionRaised, Some(60)),
        (What::AttentionRetried, Some(40)),
        (What::AttentionRaised, Some(30)),
    ];
    assert_eq!(told(stored), expected);
    let entries = timeline(stored);
    let who = |entry: &Entry| (entry.by.clone(), entry.note.clone());
    let olga = (Some("olga".to_owned()), Some("topped up".to_owned()));
    assert_eq!((who(&entries[1]), who(&entries[2])), (olga, (None, None)));
    for entry in &entries {
        assert_eq!(entry.reason.as_deref(), Some("ABNORMAL"));
        assert_eq!(entry.attention_id, Some(waits[0].attention_id.clone()));
    }
}

#[test]
fn what_an_end_says_beside_its_status_is_told() {
    for reason in [EndReason::LatePayment, EndReason::BookingCancelled] {
        let order = Order { reason: Some(reason), ..made_at(0, 1, OrderStatus::Expired) };
        let entries = timeline(Stored { orders: &[order], ..NOTHING });
        assert_eq!(entries[0].reason.as_deref(), Some(reason.as_str()));
    }
}
