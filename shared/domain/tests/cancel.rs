//! Dropping a pending order, or a booking that was not paid for.

use domain::booking::{Booking, BookingStatus, EndReason, Order, OrderStatus, PaymentStatus};
use domain::change::Change;
use domain::decide::Rejection;
use domain::decide::cancel::{Cancelling, cancel_booking, cancel_order};
use domain::product::Kind;
use rules::to_close;

use crate::support::*;

fn cancelled_by(cancelling: Result<Cancelling, Rejection>) -> Change {
    match cancelling {
        Ok(Cancelling::Cancelled(change)) => *change,
        other => panic!("not cancelled: {other:?}"),
    }
}

fn check_dropped(before: &Booking, change: &Change, reason: EndReason) {
    check_change(before, change);
    let order = before.live_order.as_ref().unwrap();
    assert_eq!(change.booking.live_order, None);
    let after = change.order(&order.order_id).unwrap();
    assert_eq!((after.status, after.reason), (OrderStatus::Cancelled, Some(reason)));
    let open = order.payments.iter().filter(|payment| payment.is_open());
    let open: Vec<_> = open.map(|payment| payment.payment_id.clone()).collect();
    assert_eq!(to_close(change), open);
    assert_eq!(change.tasks.len(), open.len(), "and nothing else is to be done");
}

fn live(kind: Kind, payments: &[PaymentStatus]) -> Booking {
    let payments: Vec<_> = payments.iter().map(|status| (&*WECHAT, *status)).collect();
    with_live(booking_for(kind), with_payments(order(1, kind), &payments))
}

#[test]
fn dropping_a_pending_order_closes_its_code_and_leaves_its_booking_as_it_is() {
    const PAYMENTS: [&[PaymentStatus]; 6] = [
        &[],
        &[PaymentStatus::Creating],
        &[PaymentStatus::Payable],
        &[PaymentStatus::Closing, PaymentStatus::Payable],
        &[PaymentStatus::Closed, PaymentStatus::Failed],
        &[PaymentStatus::Paid],
    ];
    for payments in PAYMENTS {
        for kind in [Kind::First, Kind::Renewal] {
            let booking = live(kind, payments);
            let order_id = booking.live_order.clone().unwrap().order_id;
            let got = decided(&booking, |b| cancel_order(b, &order_id, None, env(1)));
            let change = cancelled_by(got);
            check_dropped(&booking, &change, EndReason::OrderCancelled);
            assert_eq!(change.booking.status, booking.status);
            assert_eq!(change.booking.term, booking.term);
        }
    }
}

#[test]
fn an_order_that_is_not_there_cannot_be_dropped() {
    let another = order(9, Kind::First).order_id;
    for booking in [pending(), live(Kind::First, &[])] {
        let got = cancel_order(&booking, &another, None, env(1));
        assert_eq!(got, Err(Rejection::NotFound));
    }
}

#[test]
fn an_order_that_has_ended_is_dropped_again_or_says_how_it_ended() {
    let booking = live(Kind::First, &[PaymentStatus::Payable]);
    let live = booking.live_order.clone().map(Box::new);
    let closed = |status| Err(Rejection::OrderClosed { status, offer: None });
    for (status, expected) in [
        (OrderStatus::Cancelled, Ok(Cancelling::Again)),
        (OrderStatus::Paid, Err(Rejection::OrderAlreadyPaid)),
        (OrderStatus::Superseded, Err(Rejection::OrderSuperseded { live })),
        (OrderStatus::Stale, closed(OrderStatus::Stale)),
        (OrderStatus::Expired, closed(OrderStatus::Expired)),
    ] {
        let order = ended(order(0, Kind::First), status);
        let got = cancel_order(&booking, &order.order_id, Some(&order), env(1));
        assert_eq!(got, expected, "{status:?}");
    }
}

#[test]
fn an_order_dropped_with_its_booking_is_dropped_again() {
    let booking = live(Kind::First, &[PaymentStatus::Payable]);
    let change = cancelled_by(cancel_booking(&booking, env(1)));
    let [order] = &change.ended[..] else {
        panic!("one order ended: {change:?}");
    };
    let got = cancel_order(&change.booking, &order.order_id, Some(order), env(2));
    assert_eq!(got, Ok(Cancelling::Again));
}

#[test]
fn a_booking_is_cancelled_with_its_live_order_while_it_was_not_paid_for() {
    for payments in [&[][..], &[PaymentStatus::Payable], &[PaymentStatus::Creating]] {
        let booking = live(Kind::First, payments);
        let change = cancelled_by(decided(&booking, |b| cancel_booking(b, env(1))));
        check_dropped(&booking, &change, EndReason::BookingCancelled);
        assert_eq!(change.booking.status, BookingStatus::Cancelled);
    }
    let change = cancelled_by(cancel_booking(&pending(), env(1)));
    check_change(&pending(), &change);
    let expected =
        Booking { status: BookingStatus::Cancelled, version: pending().version + 1, ..pending() };
    assert_eq!(change.booking, expected);
    assert_eq!((change.ended, change.tasks), (Vec::<Order>::new(), vec![]));
}

#[test]
fn a_booking_that_was_cancelled_is_cancelled_again_and_one_that_was_paid_for_is_not() {
    assert_eq!(cancel_booking(&cancelled(), env(1)), Ok(Cancelling::Again));
    for now_ms in [1, TERM_ENDS_MS - 1, TERM_ENDS_MS, TERM_ENDS_MS + 1] {
        let got = cancel_booking(&active(), env(now_ms));
        assert_eq!(got, Err(Rejection::BookingNotPayable), "{now_ms}");
    }
}
