//! The gateway's word that a code is closed, and the end of an order's time.

use domain::booking::{Booking, EndReason, Order, OrderStatus, PaymentStatus};
use domain::decide::close_payment::{expire_order, payment_closed};
use domain::product::Kind;

use crate::support::*;

fn live(payments: &[PaymentStatus]) -> (Booking, Order) {
    let gateways = [&*WECHAT, &*ALIPAY, &*STRIPE];
    let payments: Vec<_> = gateways.into_iter().zip(payments.iter().copied()).collect();
    let order = with_payments(order(1, Kind::First), &payments);
    (with_live(pending(), order.clone()), order)
}

#[test]
fn only_what_may_still_be_paid_can_be_closed() {
    for (status, closes) in [
        (PaymentStatus::Creating, true),
        (PaymentStatus::Payable, true),
        (PaymentStatus::Closing, true),
        (PaymentStatus::Paid, false),
        (PaymentStatus::Closed, false),
        (PaymentStatus::Failed, false),
    ] {
        let (booking, order) = live(&[status]);
        let payment_id = &order.payments[0].payment_id;
        let change = decided(&booking, |b| payment_closed(b, &order, payment_id, t(1)));
        assert_eq!(change.is_some(), closes, "{status:?}");
        for order_status in ENDED {
            let order = Order { status: order_status, ..order.clone() };
            let change = payment_closed(&pending(), &order, payment_id, t(1));
            assert_eq!(change.is_some(), closes, "{order_status:?} {status:?}");
        }
    }
}

#[test]
fn a_payment_that_is_not_stored_closes_nothing() {
    let (booking, order) = live(&[PaymentStatus::Payable]);
    let payment_id = IDS.payment(&order.order_id, &WECHAT, 2);
    assert_eq!(payment_closed(&booking, &order, &payment_id, t(PAY_BY_MS)), None);
}

#[test]
fn an_order_expires_with_its_last_open_code_at_pay_by_and_not_before() {
    const OTHERS: [(&[PaymentStatus], bool); 7] = [
        (&[], true),
        (&[PaymentStatus::Closed], true),
        (&[PaymentStatus::Failed], true),
        (&[PaymentStatus::Paid], true),
        (&[PaymentStatus::Closing], false),
        (&[PaymentStatus::Payable], false),
        (&[PaymentStatus::Creating], false),
    ];
    for (others, is_last) in OTHERS {
        for (now_ms, is_over) in [(PAY_BY_MS - 1, false), (PAY_BY_MS, true), (PAY_BY_MS + 1, true)]
        {
            let (booking, order) = live(&[&[PaymentStatus::Closing], others].concat());
            let payment_id = &order.payments[0].payment_id;
            let change = payment_closed(&booking, &order, payment_id, t(now_ms)).unwrap();
            check_change(&booking, &change);
            let after = change.order(&order.order_id).unwrap();
            let (status, reason) = if is_last && is_over {
                (OrderStatus::Expired, Some(EndReason::Unpaid))
            } else {
                (OrderStatus::Pending, None)
            };
            assert_eq!((after.status, after.reason), (status, reason), "{others:?} {now_ms}");
            assert_eq!(after.payments[0].status, PaymentStatus::Closed);
            assert_eq!(after.payments[1..], order.payments[1..]);
            assert_eq!(change.tasks, []);
        }
    }
}

#[test]
fn closing_a_code_of_an_ended_order_leaves_its_end_and_the_live_order_alone() {
    for status in ENDED {
        let (booking, live) = live(&[PaymentStatus::Payable]);
        let payments = [(&*WECHAT, PaymentStatus::Closing)];
        let before = ended(with_payments(order(0, Kind::First), &payments), status);
        let payment_id = &before.payments[0].payment_id;
        let change = payment_closed(&booking, &before, payment_id, t(PAY_BY_MS)).unwrap();
        check_change(&booking, &change);
        assert_eq!(change.booking.live_order, Some(live));
        let mut expected = before.clone();
        expected.payments[0].status = PaymentStatus::Closed;
        assert_eq!(change.ended, [expected], "{status:?}");
    }
}

#[test]
fn an_order_without_open_codes_is_expired_from_pay_by_on() {
    const PAYMENTS: [(&[PaymentStatus], bool); 7] = [
        (&[PaymentStatus::Closed], true),
        (&[PaymentStatus::Failed], true),
        (&[PaymentStatus::Paid], true),
        (&[PaymentStatus::Closed, PaymentStatus::Closing], false),
        (&[PaymentStatus::Payable], false),
        (&[PaymentStatus::Creating], false),
        // Without payments there is no time to be over: a quote's expiry ends no order.
        (&[], false),
    ];
    for (payments, can_expire) in PAYMENTS {
        for (now_ms, is_over) in [(PAY_BY_MS - 1, false), (PAY_BY_MS, true), (PAY_BY_MS + 1, true)]
        {
            let (booking, order) = live(payments);
            let change = decided(&booking, |booking| expire_order(booking, t(now_ms)));
            assert_eq!(change.is_some(), can_expire && is_over, "{payments:?} {now_ms}");
            let Some(change) = change else {
                continue;
            };
            check_change(&booking, &change);
            assert_eq!(change.booking.live_order, None);
            let expected =
                Order { status: OrderStatus::Expired, reason: Some(EndReason::Unpaid), ..order };
            assert_eq!(change.ended, [expected]);
        }
    }
    assert_eq!(expire_order(&pending(), t(PAY_BY_MS)), None, "no live order");
}
