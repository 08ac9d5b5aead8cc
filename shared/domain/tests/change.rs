//! What is shown of an order and of a change.

use domain::booking::{Order, OrderStatus, PaymentStatus, RefundReason};
use domain::change::{Change, Ending};
use domain::product::Kind;

use crate::support::*;

const CREATING: PaymentStatus = PaymentStatus::Creating;
const PAYABLE: PaymentStatus = PaymentStatus::Payable;
const CLOSING: PaymentStatus = PaymentStatus::Closing;
const PAID: PaymentStatus = PaymentStatus::Paid;
const CLOSED: PaymentStatus = PaymentStatus::Closed;
const FAILED: PaymentStatus = PaymentStatus::Failed;

/// An order with these payments at WeChat Pay; money of the refunded ones went back.
fn order_with(status: OrderStatus, payments: &[PaymentStatus], refunded: &[usize]) -> Order {
    let payments: Vec<_> = payments.iter().map(|status| (&*WECHAT, *status)).collect();
    let mut order = with_payments(order(1, Kind::First), &payments);
    order.status = status;
    for at in refunded {
        let payment = &order.payments[*at];
        let transaction = payment.transaction_id.as_deref().unwrap();
        let refund = refund(&payment.payment_id, transaction, order.amount);
        order.refunds.push(refund);
    }
    order
}

#[test]
fn the_current_payment_is_the_open_one_of_a_live_order_or_the_one_that_bought_a_paid_one() {
    type Row = (&'static [PaymentStatus], &'static [usize], Option<usize>, Option<usize>);
    let rows: [Row; 12] = [
        // Payments, those refunded; the current one while pending, and when paid.
        (&[], &[], None, None),
        (&[CREATING], &[], Some(0), None),
        (&[PAYABLE], &[], Some(0), None),
        (&[CLOSING], &[], None, None),
        (&[CLOSED], &[], None, None),
        (&[FAILED], &[], None, None),
        (&[PAID], &[0], None, None),
        (&[PAID], &[], None, Some(0)),
        (&[CLOSING, PAYABLE], &[], Some(1), None),
        (&[CLOSED, FAILED, CREATING], &[], Some(2), None),
        (&[PAID, PAID], &[0], None, Some(1)),
        (&[PAID, PAID], &[1], None, Some(0)),
    ];
    for (payments, refunded, while_pending, when_paid) in rows {
        let current = |status| {
            let order = order_with(status, payments, refunded);
            let at =
                order.payments.iter().position(|payment| Some(payment) == order.current_payment());
            assert_eq!(at.is_some(), order.current_payment().is_some());
            at
        };
        assert_eq!(current(OrderStatus::Pending), while_pending, "{payments:?} {refunded:?}");
        assert_eq!(current(OrderStatus::Paid), when_paid, "{payments:?} {refunded:?}");
        for status in [
            OrderStatus::Superseded,
            OrderStatus::Stale,
            OrderStatus::Expired,
            OrderStatus::Cancelled,
        ] {
            assert_eq!(current(status), None, "{status:?}");
        }
    }
}

#[test]
fn a_payment_is_applied_if_its_own_transaction_was_captured_and_does_not_go_back() {
    let order = order_with(OrderStatus::Paid, &[PAID, PAID, CLOSED], &[1]);
    let applied = order.payments.iter().map(|payment| order.is_applied(payment));
    assert_eq!(applied.collect::<Vec<_>>(), [true, false, false]);
}

#[test]
fn a_refund_of_another_transaction_or_by_somebody_else_leaves_a_payment_applied() {
    let order = order_with(OrderStatus::Paid, &[PAID], &[]);
    let payment = &order.payments[0];
    let another = IDS.payment(&order.order_id, &STRIPE, 1);
    let transaction = payment.transaction_id.as_deref().unwrap();
    let mut foreign = refund(&payment.payment_id, transaction, order.amount);
    foreign.reason = RefundReason::ForeignRefund;
    for refund in [
        refund(&payment.payment_id, "another transaction", order.amount),
        refund(&another, transaction, order.amount),
        foreign,
    ] {
        let order = Order { refunds: vec![refund], ..order.clone() };
        assert!(order.is_applied(payment), "{order:?}");
        assert_eq!(order.current_payment(), Some(payment));
    }
}

#[test]
fn an_order_is_unsettled_while_a_code_may_still_be_paid() {
    for (status, unsettled) in [
        (CREATING, true),
        (PAYABLE, true),
        (CLOSING, true),
        (PAID, false),
        (CLOSED, false),
        (FAILED, false),
    ] {
        let order = order_with(OrderStatus::Pending, &[status], &[]);
        assert_eq!(order.has_unsettled_payment(), unsettled, "{status:?}");
        let order = order_with(OrderStatus::Pending, &[status, CLOSED], &[]);
        assert_eq!(order.has_unsettled_payment(), unsettled, "{status:?} and a closed one");
    }
}

#[test]
fn a_change_shows_the_current_payment_of_its_live_order_and_no_other() {
    let live = order_with(OrderStatus::Pending, &[CLOSING, PAYABLE], &[]);
    let mut change = Change::of(&with_live(pending(), live.clone()));
    let shown = live.payments.iter().map(|payment| change.shows(&payment.payment_id));
    assert_eq!(shown.collect::<Vec<_>>(), [false, true]);
    change.end_live_order(Ending::PAID, t(1));
    for payment in &live.payments {
        assert!(!change.shows(&payment.payment_id), "its order has ended");
    }
    assert_eq!(change.order(&live.order_id).unwrap().payments[1].status, CLOSING);
}

#[test]
fn an_order_is_put_back_where_its_status_belongs() {
    for status in ENDED {
        let booking = with_live(pending(), order(2, Kind::First));
        let mut change = Change::of(&booking);
        let order = ended(order(1, Kind::First), status);
        change.put_back(order.clone());
        assert_eq!(change.booking.live_order, booking.live_order, "{status:?}");
        assert_eq!(change.order(&order.order_id), Some(&order));
        check_change(&booking, &change);
    }
    let mut change = Change::of(&pending());
    change.put_back(order(1, Kind::First));
    assert_eq!(change.booking.live_order, Some(order(1, Kind::First)));
}
