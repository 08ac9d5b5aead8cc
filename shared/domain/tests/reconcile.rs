//! A gateway's bill against what is recorded.

use domain::attention::{AMOUNT_DIFFERS, NOT_RECORDED, Subject};
use domain::booking::{
    Booking, Order, OrderStatus, PaymentStatus, Refund, RefundReason, Unmatched,
};
use domain::decide::flag::{Flagging, RowOf, flag, raise};
use domain::decide::record_payment::{Recording, record_payment, record_unmatched};
use domain::ids::{PaymentId, RefundNumber};
use domain::money::{Currency, Money};
use domain::product::Kind;
use domain::reconcile::{
    BillRow, Compared, Comparison, Found, MARGIN_S, ONLY_HERE_MAX, RowKind, Window,
};

use crate::support::*;

/// The day in these tests, in milliseconds.
const FROM_MS: i64 = 86_400_000;
const UNTIL_MS: i64 = 2 * FROM_MS;
const MARGIN_MS: i64 = MARGIN_S * 1_000;
const TRANSACTION: &str = "tx-wechat_pay";

fn day() -> Window {
    Window { from: t(FROM_MS), until: t(UNTIL_MS) }
}

/// A paid order whose one payment was captured at that moment, if that is known.
fn paid(paid_at_ms: Option<i64>) -> Order {
    let order = with_payments(order(1, Kind::First), &[(&WECHAT, PaymentStatus::Paid)]);
    let mut order = ended(order, OrderStatus::Paid);
    order.payments[0].paid_at = paid_at_ms.map(t);
    order
}

fn payment_id(order: &Order) -> PaymentId {
    order.payments[0].payment_id.clone()
}

fn row(order: &Order, transaction_id: &str, amount: Money) -> BillRow {
    BillRow {
        kind: RowKind::Payment,
        payment_id: payment_id(order).to_string(),
        transaction_id: transaction_id.to_owned(),
        amount,
        at: t(FROM_MS),
        echo: None,
    }
}

fn refund_row(order: &Order, number: &str, amount: Money) -> BillRow {
    let kind = RowKind::Refund { number: number.to_owned() };
    BillRow { kind, ..row(order, TRANSACTION, amount) }
}

/// The number of an attempt to give the payment's transaction back.
fn number(order: &Order, attempt: u32) -> String {
    let refund_id = IDS.refund(payment_id(order).as_str(), TRANSACTION, attempt);
    let booking_key = pending().booking_id.key().to_owned();
    RefundNumber { refund_id, booking_key, order_seq: order.seq }.to_wire()
}

fn compare(rows: Vec<BillRow>, before: &[BillRow], orders: &[Order]) -> Compared {
    let mut comparison = Comparison::new(&IDS, WECHAT.clone(), day(), rows, before);
    for order in orders {
        comparison.see_order("key", order);
    }
    comparison.finish()
}

/// What is found of a row when an order is stored.
fn found(row: &BillRow, order: &Order) -> Found {
    let mut compared = compare(vec![row.clone()], &[], std::slice::from_ref(order));
    assert_eq!(compared.only_here_sums.count, 0);
    match compared.open.pop() {
        Some(open) => open.found,
        None => Found::Same,
    }
}

fn is_payment_only(found: &Found) -> bool {
    matches!(found, Found::PaymentOnly(place) if place.booking_key == "key")
}

#[test]
fn the_same_money_is_in_both_and_counted() {
    let order = paid(Some(FROM_MS));
    let rows = vec![row(&order, TRANSACTION, order.amount)];
    let compared = compare(rows, &[], std::slice::from_ref(&order));
    assert_eq!((compared.open, compared.only_here), (vec![], vec![]));
    let sums = compared.in_both.payments;
    assert_eq!((sums.count, sums.amounts["CNY"]), (1, order.amount.amount));
}

#[test]
fn one_minor_unit_or_another_currency_is_another_amount() {
    let order = paid(Some(FROM_MS));
    let usd = Currency::parse("USD").unwrap();
    for amount in [
        Money { amount: order.amount.amount - 1, ..order.amount },
        Money { amount: order.amount.amount + 1, ..order.amount },
        Money { currency: usd, ..order.amount },
    ] {
        let found = found(&row(&order, TRANSACTION, amount), &order);
        assert!(matches!(found, Found::Differs { recorded, .. } if recorded == order.amount));
    }
}

#[test]
fn a_row_is_looked_for_under_every_status_of_its_payment() {
    for status in PAYMENT_STATUSES {
        let mut order = with_payments(order(1, Kind::First), &[(&WECHAT, status)]);
        order = ended(order, OrderStatus::Superseded);
        let found = found(&row(&order, TRANSACTION, order.amount), &order);
        if status == PaymentStatus::Paid {
            assert_eq!(found, Found::Same);
        } else {
            assert!(is_payment_only(&found), "{status:?}: {found:?}");
        }
    }
}

#[test]
fn a_second_transaction_is_explained_only_by_a_refund_of_its_own() {
    let mut order = paid(None);
    let second = row(&order, "tx-2", order.amount);
    assert!(is_payment_only(&found(&second, &order)));
    let other = refund(&payment_id(&order), "tx-2", cny(7));
    order.refunds.push(other);
    assert!(
        matches!(found(&second, &order), Found::Differs { recorded, .. } if recorded == cny(7))
    );
    order.refunds[0].amount = order.amount;
    assert_eq!(found(&second, &order), Found::Same);
    // What goes back of the first transaction is what it captured.
    order.refunds[0].transaction_id = TRANSACTION.to_owned();
    order.refunds[0].amount = cny(7);
    assert_eq!(found(&row(&order, TRANSACTION, cny(7)), &order), Found::Same);
}

#[test]
fn another_gateways_payment_explains_nothing() {
    let order = paid(Some(FROM_MS));
    let mut elsewhere = order.clone();
    elsewhere.payments[0].gateway = ALIPAY.clone();
    assert_eq!(found(&row(&order, TRANSACTION, order.amount), &elsewhere), Found::Nothing);
}

#[test]
fn a_refund_is_ours_by_the_number_of_any_attempt() {
    let mut order = paid(None);
    let amount = order.amount;
    assert!(is_payment_only(&found(&refund_row(&order, &number(&order, 1), amount), &order)));
    order.refunds.push(Refund { attempt: 2, ..refund(&payment_id(&order), TRANSACTION, amount) });
    for attempt in [1, 2, 30] {
        let row = refund_row(&order, &number(&order, attempt), amount);
        assert_eq!(found(&row, &order), Found::Same, "{attempt}");
    }
    for stranger in ["BY-HAND", &number(&order, 31), &number(&order, 0)] {
        assert!(is_payment_only(&found(&refund_row(&order, stranger, amount), &order)));
    }
    let less = refund_row(&order, &number(&order, 1), cny(1));
    assert!(matches!(found(&less, &order), Found::Differs { .. }));
}

#[test]
fn a_refund_that_others_made_is_explained_once_it_is_stored() {
    let mut order = paid(None);
    order.refunds.push(Refund {
        reason: RefundReason::ForeignRefund,
        ..refund(&payment_id(&order), "BY-HAND", cny(5))
    });
    assert_eq!(found(&refund_row(&order, "BY-HAND", cny(5)), &order), Found::Same);
    assert!(is_payment_only(&found(&refund_row(&order, "BY-HAND-2", cny(5)), &order)));
    assert_eq!(found(&row(&order, TRANSACTION, order.amount), &order), Found::Same);
}

#[test]
fn a_capture_is_missed_from_an_hour_before_the_day_until_an_hour_before_its_end() {
    for (paid_at_ms, is_missed) in [
        (FROM_MS - MARGIN_MS - 1, false),
        (FROM_MS - MARGIN_MS, true),
        (FROM_MS - 1, true),
        (UNTIL_MS - MARGIN_MS - 1, true),
        (UNTIL_MS - MARGIN_MS, false),
        (UNTIL_MS - 1, false),
    ] {
        let order = paid(Some(paid_at_ms));
        let compared = compare(vec![], &[], std::slice::from_ref(&order));
        assert_eq!(compared.only_here_sums.count, u64::from(is_missed), "{paid_at_ms}");
        // By its transaction it is found in either bill.
        let row = row(&order, TRANSACTION, order.amount);
        for (rows, before) in [(vec![row.clone()], vec![]), (vec![], vec![row.clone()])] {
            let compared = compare(rows, &before, std::slice::from_ref(&order));
            assert_eq!(compared.only_here_sums.count, 0, "{paid_at_ms}");
        }
    }
    let unknown = paid(None);
    assert_eq!(compare(vec![], &[], &[unknown]).only_here, []);
}

#[test]
fn a_refund_in_the_bill_does_not_stand_for_its_capture() {
    let order = paid(Some(FROM_MS));
    let refunded = refund_row(&order, "BY-HAND", order.amount);
    let compared = compare(vec![], std::slice::from_ref(&refunded), std::slice::from_ref(&order));
    assert_eq!(compared.only_here_sums.count, 1);
    let compared = compare(vec![refunded], &[], &[order]);
    assert_eq!(compared.only_here_sums.count, 1);
}

#[test]
fn more_captures_than_are_kept_are_counted_all_the_same() {
    let orders = vec![paid(Some(FROM_MS)); ONLY_HERE_MAX + 1];
    let compared = compare(vec![], &[], &orders);
    assert_eq!(compared.only_here.len(), ONLY_HERE_MAX);
    assert_eq!(compared.only_here_sums.count, u64::try_from(ONLY_HERE_MAX).unwrap() + 1);
}

#[test]
fn thousands_of_orders_pass_a_bill_and_no_more_is_held_than_the_bill_has() {
    const IN_BILL: u32 = 1_000;
    const RECORDED: u32 = 5_000;
    let one = paid(Some(FROM_MS));
    let numbered = |number: u32| {
        let mut token = [0; 16];
        token[..4].copy_from_slice(&number.to_be_bytes());
        let mut order = one.clone();
        order.order_id = IDS.order(&IDS.fresh_token(token));
        order.payments[0].payment_id = IDS.payment(&order.order_id, &WECHAT, 1);
        order
    };
    let rows = (0..IN_BILL).map(|number| row(&numbered(number), TRANSACTION, one.amount));
    let mut comparison = Comparison::new(&IDS, WECHAT.clone(), day(), rows.collect(), &[]);
    for number in 0..RECORDED {
        comparison.see_order("key", &numbered(number));
    }
    let compared = comparison.finish();
    assert_eq!(compared.in_both.payments.count, u64::from(IN_BILL));
    assert_eq!(compared.only_here_sums.count, u64::from(RECORDED - IN_BILL));
    assert_eq!((compared.open.len(), compared.only_here.len()), (0, ONLY_HERE_MAX));
}

fn unmatched(order: &Order) -> Unmatched {
    let capture = capture(TRANSACTION, order.amount, FROM_MS);
    let booking_id = pending().booking_id;
    record_unmatched(&booking_id, &WECHAT, &payment_id(order), &capture, env(5)).0
}

#[test]
fn unmatched_money_explains_its_rows_whatever_is_seen_first() {
    let order = paid(None);
    let mut unpaid = order.clone();
    unpaid.payments[0].transaction_id = None;
    let unmatched = unmatched(&order);
    let payment = row(&order, TRANSACTION, order.amount);
    let back = refund_row(&order, &number(&order, 1), order.amount);
    let less = row(&order, TRANSACTION, cny(1));
    for order_first in [0, 1] {
        let rows = vec![payment.clone(), back.clone(), less.clone()];
        let mut comparison = Comparison::new(&IDS, WECHAT.clone(), day(), rows, &[]);
        if order_first == 1 {
            comparison.see_order("key", &unpaid);
        }
        comparison.see_unmatched(&unmatched);
        if order_first == 0 {
            comparison.see_order("key", &unpaid);
        }
        let compared = comparison.finish();
        assert_eq!((compared.in_both.payments.count, compared.in_both.refunds.count), (1, 1));
        assert!(matches!(compared.open[0].found, Found::Differs { place: None, .. }));
    }
    let mut comparison = Comparison::new(&IDS, WECHAT.clone(), day(), vec![], &[]);
    comparison.see_unmatched(&unmatched);
    assert_eq!(comparison.finish().only_here[0].transaction_id, TRANSACTION);
}

#[test]
fn captures_are_recorded_with_the_gateways_time() {
    let booking = pending();
    let live = with_payments(order(1, Kind::First), &[(&WECHAT, PaymentStatus::Payable)]);
    let booking = Booking { live_order: Some(live.clone()), ..booking };
    let id = payment_id(&live);
    let record = |order: &Order, transaction_id: &str, at_ms| {
        let capture = capture(transaction_id, live.amount, at_ms);
        let recording = record_payment(&booking, Some(order), &id, &capture, &DESK, env(5));
        match recording {
            Recording::Applied(change) | Recording::Refunded { change, .. } => {
                change.order(&live.order_id).unwrap().clone()
            }
            Recording::Settled | Recording::Unmatched => panic!("{recording:?}"),
        }
    };
    let applied = record(&live, "tx-1", 7);
    assert_eq!(applied.payments[0].paid_at, Some(t(7)));
    let twice = record(&applied, "tx-2", 8);
    assert_eq!((twice.payments[0].paid_at, twice.refunds[0].paid_at), (Some(t(7)), Some(t(8))));
    let voided = ended(live.clone(), OrderStatus::Superseded);
    let back = record(&voided, "tx-1", 9);
    assert_eq!((back.payments[0].paid_at, back.refunds[0].paid_at), (Some(t(9)), None));
}

fn flagged(row: &BillRow, order: Option<&Order>, beside: Option<&Unmatched>) -> Flagging {
    let booking = pending();
    let stored = paid(None);
    let of = RowOf {
        booking_id: &booking.booking_id,
        order_id: &stored.order_id,
        order_seq: stored.seq,
        payment_id: &payment_id(&stored),
        row,
    };
    flag(Some(&booking), order, beside, of, env(5))
}

#[test]
fn what_is_recorded_by_now_is_explained() {
    let order = paid(None);
    let payment = row(&order, TRANSACTION, order.amount);
    assert_eq!(flagged(&payment, Some(&order), None), Flagging::Explained);
    assert_eq!(flagged(&payment, None, Some(&unmatched(&order))), Flagging::Explained);
}

#[test]
fn money_that_is_ours_and_not_explained_waits_for_a_person_and_moves_nothing() {
    let order = paid(None);
    for (row, order, reason) in [
        (row(&order, "tx-2", order.amount), Some(&order), NOT_RECORDED),
        (row(&order, TRANSACTION, order.amount), None, NOT_RECORDED),
        (refund_row(&order, "BY-HAND", order.amount), None, NOT_RECORDED),
        (row(&order, TRANSACTION, cny(1)), Some(&order), AMOUNT_DIFFERS),
    ] {
        let Flagging::Raised(attention) = flagged(&row, order, None) else { panic!("{row:?}") };
        assert_eq!(
            (attention.subject, attention.reason.as_str()),
            (Subject::Reconciliation, reason)
        );
        assert_eq!((attention.amount, attention.since), (Some(row.amount), t(5)));
        let Flagging::Raised(again) = flagged(&row, order, None) else { panic!("{row:?}") };
        assert_eq!(again.attention_id, attention.attention_id);
        let booking = pending();
        let change = raise(&booking, *attention);
        assert_eq!(change.booking, Booking { version: booking.version + 1, ..booking });
        assert_eq!((change.ended.len(), change.tasks.len(), change.raised.len()), (0, 0, 1));
    }
}

#[test]
fn a_refund_by_hand_is_stored_as_its_notification_would_have_been() {
    let order = paid(None);
    let row = refund_row(&order, "BY-HAND", cny(5));
    let Flagging::Foreign(change) = flagged(&row, Some(&order), None) else { panic!() };
    let stored = change.order(&order.order_id).unwrap();
    assert_eq!(stored.refunds[0].reason, RefundReason::ForeignRefund);
    assert_eq!(
        (stored.refunds[0].amount, change.raised[0].subject),
        (cny(5), Subject::ForeignRefund)
    );
    assert_eq!(change.tasks, [], "nothing is given back");
    assert_eq!(flagged(&row, Some(stored), None), Flagging::Explained);
}
