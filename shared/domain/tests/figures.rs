//! The figures of a day, from what is stored.

use domain::booking::{
    Booking, Order, OrderStatus, PaymentStatus, Refund, RefundReason, RefundStatus, Unmatched,
};
use domain::figures::{Figures, MoneyFigures, OrderFigures};
use domain::product::Kind;
use domain::reconcile::{Sums, Window};
use jiff::civil::date;
use jiff::tz::TimeZone;

use crate::support::*;

const FROM_MS: i64 = DAY_MS;
const UNTIL_MS: i64 = 2 * DAY_MS;
/// The moments at both sides of both bounds, and whether each is of the day.
const BOUNDS: [(i64, bool); 4] =
    [(FROM_MS - 1, false), (FROM_MS, true), (UNTIL_MS - 1, true), (UNTIL_MS, false)];

fn none() -> Figures {
    Figures::of(Window { from: t(FROM_MS), until: t(UNTIL_MS) })
}

fn of_orders(orders: &[Order]) -> Figures {
    let mut figures = none();
    orders.iter().for_each(|order| figures.see_order(order));
    figures
}

fn sums(amounts: &[i64]) -> Sums {
    let mut sums = Sums::default();
    amounts.iter().for_each(|amount| sums.add(cny(*amount)));
    sums
}

/// An order whose one payment was captured at that moment.
fn captured(status: OrderStatus, paid_at_ms: i64) -> Order {
    let order = with_payments(order(1, Kind::First), &[(&WECHAT, PaymentStatus::Paid)]);
    let mut order = ended(order, status);
    order.payments[0].paid_at = Some(t(paid_at_ms));
    order
}

fn with_refund(mut order: Order, change: impl FnOnce(Refund) -> Refund) -> Order {
    let refund = refund(&order.payments[0].payment_id, "tx-wechat_pay", order.amount);
    order.refunds.push(change(refund));
    order
}

#[test]
fn a_day_is_as_long_as_its_zone_has_it() {
    for (zone, on, from, until) in [
        ("UTC", date(2026, 3, 29), "2026-03-29T00:00:00Z", "2026-03-30T00:00:00Z"),
        ("Asia/Shanghai", date(2026, 3, 29), "2026-03-28T16:00:00Z", "2026-03-29T16:00:00Z"),
        ("Europe/Berlin", date(2026, 3, 29), "2026-03-28T23:00:00Z", "2026-03-29T22:00:00Z"),
    ] {
        let window = Window::of_day(on, &TimeZone::get(zone).unwrap()).unwrap();
        let expected = Window { from: from.parse().unwrap(), until: until.parse().unwrap() };
        assert_eq!(window, expected, "{zone}");
    }
    assert_eq!(Window::of_day(jiff::civil::Date::MAX, &TimeZone::UTC), None);
}

#[test]
fn a_booking_counts_on_the_day_on_which_it_was_opened() {
    for (at_ms, counts) in BOUNDS {
        let mut figures = none();
        figures.see_booking(&Booking { created_at: t(at_ms), ..pending() });
        assert_eq!(figures.bookings_opened, u64::from(counts), "{at_ms}");
        assert_eq!((figures.orders, figures.money.len()), (OrderFigures::default(), 0));
    }
}

#[test]
fn an_order_counts_on_the_day_on_which_it_was_made_by_how_it_stands_now() {
    for (at_ms, counts) in BOUNDS {
        let made = Order { created_at: t(at_ms), ..order(1, Kind::First) };
        let mut figures = none();
        figures.see_booking(&with_live(pending(), made));
        let count = u64::from(counts);
        let expected = OrderFigures { made: count, pending: count, ..OrderFigures::default() };
        assert_eq!(figures.orders, expected, "{at_ms}");
    }
    let all = ENDED.map(|status| {
        let order = ended(order(1, Kind::First), status);
        Order { created_at: t(FROM_MS), ..order }
    });
    let expected = OrderFigures {
        made: 5,
        pending: 0,
        paid: 1,
        superseded: 1,
        stale: 1,
        expired: 1,
        cancelled: 1,
    };
    assert_eq!(of_orders(&all).orders, expected);
}

#[test]
fn money_counts_on_the_day_of_the_gateways_clock_as_applied_or_given_back() {
    for (at_ms, counts) in BOUNDS {
        let applied = captured(OrderStatus::Paid, at_ms);
        let back = with_refund(captured(OrderStatus::Superseded, at_ms), |it| Refund {
            amount: cny(5),
            status: RefundStatus::Succeeded,
            updated_at: t(UNTIL_MS),
            ..it
        });
        let price = applied.amount.amount;
        let figures = of_orders(&[applied, back]);
        let of_day = MoneyFigures {
            captured: sums(&[price, 5]),
            applied: sums(&[price]),
            given_back: sums(&[5]),
            ..MoneyFigures::default()
        };
        let expected = if counts { of_day } else { MoneyFigures::default() };
        assert_eq!(figures.money.get(&*WECHAT), Some(&expected), "{at_ms}");
    }
}

#[test]
fn a_refund_counts_on_the_day_on_which_it_succeeded_and_is_owed_until_then() {
    for (at_ms, counts) in BOUNDS {
        for status in [
            RefundStatus::Due,
            RefundStatus::Submitted,
            RefundStatus::NeedsAttention,
            RefundStatus::Succeeded,
        ] {
            let order = with_refund(captured(OrderStatus::Stale, 0), |it| Refund {
                status,
                amount: cny(9),
                updated_at: t(at_ms),
                ..it
            });
            let money = of_orders(&[order]).money.remove(&*WECHAT).unwrap();
            let succeeded = status == RefundStatus::Succeeded;
            let refunded = if succeeded && counts { sums(&[9]) } else { sums(&[]) };
            let owed = if succeeded { sums(&[]) } else { sums(&[9]) };
            assert_eq!((money.refunded, money.owed), (refunded, owed), "{status:?} {at_ms}");
        }
    }
}

#[test]
fn what_only_a_refund_tells_of_was_captured_too() {
    let second = |it: Refund| Refund {
        transaction_id: "tx-2".to_owned(),
        amount: cny(3),
        paid_at: Some(t(FROM_MS)),
        ..it
    };
    let order = with_refund(captured(OrderStatus::Paid, FROM_MS), second);
    let price = order.amount.amount;
    let money = of_orders(&[order]).money.remove(&*WECHAT).unwrap();
    assert_eq!(money.captured, sums(&[price, 3]));
    assert_eq!((money.applied, money.given_back), (sums(&[price]), sums(&[3])));

    let payment_id = IDS.payment(&IDS.order(&token(1)), &ALIPAY, 1);
    let refund = second(refund(&payment_id, "tx", cny(1)));
    let booking_id = pending().booking_id;
    let mut figures = none();
    figures.see_unmatched(&Unmatched {
        booking_id,
        version: 1,
        gateway: ALIPAY.clone(),
        refund,
        own_task: None,
    });
    let money = figures.money.remove(&*ALIPAY).unwrap();
    assert_eq!((money.captured, money.owed), (sums(&[3]), sums(&[3])));
}

#[test]
fn what_others_did_at_a_gateway_is_not_owed_by_us() {
    for reason in [RefundReason::ForeignRefund, RefundReason::Dispute] {
        let order = with_refund(captured(OrderStatus::Paid, FROM_MS), |it| Refund {
            reason,
            status: RefundStatus::NeedsAttention,
            ..it
        });
        let price = order.amount.amount;
        let money = of_orders(&[order]).money.remove(&*WECHAT).unwrap();
        assert_eq!((money.applied, money.owed), (sums(&[price]), sums(&[])), "{reason:?}");
    }
}
