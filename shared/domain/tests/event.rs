//! What a change tells, and what it does not.

use domain::booking::{Order, OrderStatus, PaymentStatus, RefundStatus, Unmatched};
use domain::change::{Change, Ending};
use domain::decide::record_payment::{Recording, record_payment};
use domain::decide::record_refund::{RefundNews, RefundOf, record_refund, record_unmatched_refund};
use domain::event::{Event, EventType};
use domain::product::Kind;

use crate::support::*;

#[test]
fn only_an_order_that_was_paid_or_made_way_for_another_tells_that_it_ended() {
    for kind in [Kind::First, Kind::Renewal] {
        for status in ENDED {
            let booking = with_live(booking_for(kind), order(1, kind));
            let mut change = Change::of(&booking);
            change.end_live_order(Ending { status, reason: None, superseded_by: None }, t(9));
            let expected = match (status, kind) {
                (OrderStatus::Paid, Kind::First) => Some(EventType::BookingActivated),
                (OrderStatus::Paid, Kind::Renewal) => Some(EventType::BookingRenewed),
                (OrderStatus::Superseded, _) => Some(EventType::OrderSuperseded),
                (_, _) => None,
            };
            let told: Vec<_> = change.events.iter().map(|event| event.event_type).collect();
            assert_eq!(told, expected.into_iter().collect::<Vec<_>>(), "{status:?} {kind:?}");
        }
    }
}

#[test]
fn a_paid_order_tells_by_which_payment_and_until_when() {
    let open = [(&*ALIPAY, PaymentStatus::Closed), (&*WECHAT, PaymentStatus::Payable)];
    let paid = with_payments(order(1, Kind::First), &open);
    let payment_id = paid.payments[1].payment_id.clone();
    let booking = with_live(pending(), paid.clone());
    let capture = capture("tx", paid.amount, 8);
    let live = booking.live_order.as_ref();
    let recorded = record_payment(&booking, live, &payment_id, &capture, &DESK, env(9));
    let Recording::Applied(change) = recorded else { panic!("{recorded:?}") };
    let event = change.event_of(&change.ended[0]).unwrap();
    assert_eq!(change.events.len(), 1);
    assert_eq!(event.id, format!("order-{}", paid.order_id));
    assert_eq!(event.payment_id, Some(payment_id));
    assert_eq!(event.valid_until, change.booking.valid_until());
    assert!(event.valid_until.is_some());
    assert_eq!((event.amount, event.quantity), (Some(paid.amount), Some(paid.quantity)));
    assert_eq!(event.timestamp, t(9));
}

#[test]
fn a_voided_order_names_the_one_that_replaced_it() {
    let other = order(2, Kind::First).order_id;
    let mut change = Change::of(&with_live(pending(), order(1, Kind::First)));
    change.end_live_order(Ending::superseded_by(other.clone()), t(9));
    let event = change.event_of(&change.ended[0]).unwrap();
    assert_eq!(event.superseded_by, Some(other));
    assert_eq!((event.valid_until, &event.payment_id), (None, &None));
}

#[test]
fn a_refund_tells_when_its_money_is_back_and_at_no_other_news() {
    let code = || "code".to_owned();
    let payments = [(&*WECHAT, PaymentStatus::Paid)];
    let paid = with_payments(order(1, Kind::First), &payments);
    let payment_id = paid.payments[0].payment_id.clone();
    let due = refund(&payment_id, "tx-wechat_pay", cny(7));
    let of = RefundOf { payment_id: &payment_id, transaction_id: "tx-wechat_pay", attempt: 1 };
    for status in [RefundStatus::Due, RefundStatus::Submitted, RefundStatus::NeedsAttention] {
        for (news, tells) in [
            (RefundNews::Succeeded, true),
            (RefundNews::SucceededBeside, false),
            (RefundNews::Accepted, false),
            (RefundNews::Failed { code: code() }, false),
            (RefundNews::Refused { code: code() }, false),
            (RefundNews::Flagged { code: code() }, false),
        ] {
            let mut refund = due.clone();
            refund.status = status;
            let unmatched = Unmatched {
                booking_id: pending().booking_id,
                version: 1,
                gateway: WECHAT.clone(),
                refund: refund.clone(),
                own_task: None,
            };
            let order = Order { refunds: vec![refund], ..paid.clone() };
            let booking = with_live(pending(), order.clone());
            let change = record_refund(&booking, &order, of, &news, env(9));
            let events = change.map(|change| change.events).unwrap_or_default();
            assert_eq!(events.len(), usize::from(tells), "{status:?} {news:?}");
            let beside = record_unmatched_refund(&unmatched, 1, &news, env(9));
            let beside = beside.and_then(|change| change.event);
            assert_eq!(beside.is_some(), tells, "{status:?} {news:?}");
            for (event, order_id) in events
                .iter()
                .map(|event| (event, Some(&order.order_id)))
                .chain(beside.iter().map(|event| (event, None)))
            {
                assert_eq!(event.event_type, EventType::PaymentRefunded);
                assert_eq!(event.id, format!("refund-{}", due.refund_id));
                assert_eq!((event.order_id.as_ref(), event.amount), (order_id, Some(cny(7))));
            }
        }
    }
}

#[test]
fn a_success_that_fails_and_is_made_again_tells_each_success_under_an_id_of_its_own() {
    let payments = [(&*WECHAT, PaymentStatus::Paid)];
    let mut order = with_payments(order(1, Kind::First), &payments);
    let payment_id = order.payments[0].payment_id.clone();
    order.refunds.push(refund(&payment_id, "tx-wechat_pay", cny(7)));
    let mut booking = with_live(pending(), order);
    let mut told: Vec<Event> = vec![];
    for (attempt, news) in [
        (1, RefundNews::Succeeded),
        (1, RefundNews::Succeeded),
        (1, RefundNews::Failed { code: "returned".to_owned() }),
        (1, RefundNews::Succeeded),
        (2, RefundNews::Succeeded),
    ] {
        let of = RefundOf { payment_id: &payment_id, transaction_id: "tx-wechat_pay", attempt };
        let order = booking.live_order.clone().unwrap();
        if let Some(change) = record_refund(&booking, &order, of, &news, env(9)) {
            told.extend(change.events);
            booking = change.booking;
        }
    }
    assert_eq!(told.len(), 2);
    assert_ne!(told[0].id, told[1].id);
}
