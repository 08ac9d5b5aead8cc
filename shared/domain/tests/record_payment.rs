//! Captured money: what each row of the table writes. That the right row is found, whatever is
//! stored, is checked in `record_payment_table`.

use domain::booking::{
    Booking, BookingStatus, EndReason, Order, OrderStatus, PaymentStatus, RefundReason,
    RefundStatus, Term, Unmatched,
};
use domain::change::Change;
use domain::decide::record_payment::{
    CLOCKS_APART_S, Recording, is_made_again, record_payment, record_returned, record_unmatched,
};
use domain::gateway::Capture;
use domain::product::{Kind, LatePayment, Product, Unit};
use domain::task::{Record, TRIES_AFRESH, TaskId, TaskKind};
use rules::to_close;

use crate::support::*;

const HEARD_MS: i64 = PAY_BY_MS + 5_000;

/// Records money for the order's first payment, as heard at [`HEARD_MS`].
fn record(booking: &Booking, order: &Order, captured: &Capture, product: &Product) -> Recording {
    let payment_id = &order.payments[0].payment_id;
    let env = env(HEARD_MS);
    decided(booking, |booking| {
        record_payment(booking, Some(order), payment_id, captured, product, env)
    })
}

fn live(kind: Kind) -> (Booking, Order) {
    let order = with_payments(order(1, kind), &[(&WECHAT, PaymentStatus::Payable)]);
    (with_live(booking_for(kind), order.clone()), order)
}

/// Says in a word what became of money: `applied`, or why it goes back.
fn outcome(recording: &Recording) -> &'static str {
    match recording {
        Recording::Applied(_) => "applied",
        Recording::Refunded { reason, .. } => reason.as_str(),
        Recording::Settled => "settled",
        Recording::Unmatched => "unmatched",
    }
}

fn change(recording: Recording) -> Change {
    match recording {
        Recording::Applied(change) | Recording::Refunded { change, .. } => *change,
        Recording::Settled | Recording::Unmatched => panic!("no change: {recording:?}"),
    }
}

#[test]
fn money_for_a_payment_that_is_not_stored_is_unmatched() {
    let (booking, order) = live(Kind::First);
    let captured = capture("tx", order.amount, 1);
    let payment_id = IDS.payment(&order.order_id, &STRIPE, 1);
    for stored in [None, Some(&order)] {
        let got = record_payment(&booking, stored, &payment_id, &captured, &DESK, env(1));
        assert_eq!(got, Recording::Unmatched);
    }
}

#[test]
fn lateness_is_judged_by_the_payment_time_and_counts_only_where_price_or_policy_say_so() {
    let other_price = product(|p| p.max_quantity = 80);
    for kind in [Kind::First, Kind::Renewal] {
        for (paid_at_ms, policy, product, expected) in [
            (PAY_BY_MS - 1, LatePayment::Refund, &other_price, "applied"),
            (PAY_BY_MS, LatePayment::Refund, &other_price, "applied"),
            (PAY_BY_MS + 1, LatePayment::Accept, &DESK, "applied"),
            (PAY_BY_MS + 1, LatePayment::Accept, &other_price, "late_payment"),
            (PAY_BY_MS + 1, LatePayment::Refund, &DESK, "late_payment"),
            (TERM_ENDS_MS - 1, LatePayment::Accept, &DESK, "applied"),
        ] {
            let (_, mut order) = live(kind);
            order.late_payment = policy;
            let booking = with_live(booking_for(kind), order.clone());
            let captured = capture("tx", order.amount, paid_at_ms);
            let got = record(&booking, &order, &captured, product);
            assert_eq!(outcome(&got), expected, "{kind:?} {paid_at_ms} {policy:?}");
        }
    }
}

#[test]
fn the_policy_that_counts_is_the_one_that_the_order_pinned() {
    let now_refunding = product(|p| p.late_payment = LatePayment::Refund);
    let (booking, order) = live(Kind::First);
    let captured = capture("tx", order.amount, PAY_BY_MS + 1);
    let got = record(&booking, &order, &captured, &now_refunding);
    assert_eq!(outcome(&got), "applied");
}

#[test]
fn a_late_payment_that_goes_back_expires_its_order_and_closes_its_other_codes() {
    let payments = [(&*WECHAT, PaymentStatus::Closing), (&*ALIPAY, PaymentStatus::Payable)];
    let order = with_payments(order(1, Kind::First), &payments);
    let order = Order { late_payment: LatePayment::Refund, ..order };
    let booking = with_live(pending(), order.clone());
    let captured = capture("tx", order.amount, PAY_BY_MS + 1);
    let change = change(record(&booking, &order, &captured, &DESK));
    check_change(&booking, &change);
    assert_eq!(change.booking.live_order, None);
    let ended = change.order(&order.order_id).unwrap();
    assert_eq!(ended.status, OrderStatus::Expired);
    assert_eq!(ended.reason, Some(EndReason::LatePayment));
    assert_eq!(to_close(&change), [order.payments[1].payment_id.clone()]);
    assert_eq!(to_refund(&change).len(), 1);
}

#[test]
fn a_renewal_counts_up_to_the_end_of_the_term_at_the_payment_time() {
    for (paid_at_ms, expected) in [
        (TERM_ENDS_MS - 1, "applied"),
        (TERM_ENDS_MS, "booking_not_payable"),
        (TERM_ENDS_MS + 1, "booking_not_payable"),
    ] {
        let (_, mut order) = live(Kind::Renewal);
        order.pay_by = Some(t(TERM_ENDS_MS));
        let booking = with_live(active(), order.clone());
        let captured = capture("tx", order.amount, paid_at_ms);
        let got = record(&booking, &order, &captured, &DESK);
        assert_eq!(outcome(&got), expected, "{paid_at_ms}");
    }
}

#[test]
fn a_renewal_paid_in_time_counts_although_the_term_is_over_when_it_is_heard_of() {
    let (booking, order) = live(Kind::Renewal);
    let captured = capture("tx", order.amount, PAY_BY_MS);
    let payment_id = &order.payments[0].payment_id;
    let env = env(TERM_ENDS_MS + DAY_MS);
    let got = record_payment(&booking, Some(&order), payment_id, &captured, &DESK, env);
    assert_eq!(outcome(&got), "applied");
    let term = change(got).booking.term.unwrap();
    assert_eq!(term.valid_until, t(TERM_ENDS_MS + 3 * DAY_MS));
}

#[test]
fn renewals_are_applied_up_to_the_limit_and_never_past_it() {
    for (renewals, expected) in
        [(10, "applied"), (11, "applied"), (12, "booking_not_payable"), (13, "booking_not_payable")]
    {
        let (booking, order) = live(Kind::Renewal);
        let booking = Booking { renewals, ..booking };
        let captured = capture("tx", order.amount, 1);
        let got = record(&booking, &order, &captured, &DESK);
        assert_eq!(outcome(&got), expected, "{renewals}");
    }
}

#[test]
fn the_first_payment_starts_the_term_when_it_is_applied_and_not_when_it_was_paid() {
    let (booking, order) = live(Kind::First);
    let captured = capture("tx", order.amount, 1);
    let change = change(record(&booking, &order, &captured, &DESK));
    let term = Term { starts_at: t(HEARD_MS), valid_until: t(HEARD_MS + 3 * DAY_MS) };
    let expected = Booking {
        status: BookingStatus::Active,
        version: booking.version + 1,
        term: Some(term),
        quantity_paid: 3,
        live_order: None,
        ..booking
    };
    assert_eq!(change.booking, expected);
}

#[test]
fn month_ends_follow_from_the_start_and_all_months_paid() {
    // Heard on 31 January in the booking's zone; one month, then one more.
    let january = -29 * DAY_MS;
    let monthly = product(|p| p.unit = Unit::Month);
    let mut booking = pending();
    booking.pins.unit = Unit::Month;
    let mut ends = vec![];
    for (number, kind) in [(1, Kind::First), (2, Kind::Renewal)] {
        let order = Order {
            quantity: 1,
            ..with_payments(order(number, kind), &[(&WECHAT, PaymentStatus::Payable)])
        };
        let captured = capture("tx", order.amount, january);
        let payment_id = &order.payments[0].payment_id;
        let env = env(january);
        booking = with_live(booking, order.clone());
        let got = record_payment(&booking, Some(&order), payment_id, &captured, &monthly, env);
        booking = change(got).booking;
        ends.push(booking.valid_until().unwrap().to_string());
    }
    assert_eq!(ends, ["2026-02-28T00:00:00Z", "2026-03-31T00:00:00Z"]);
    assert_eq!((booking.quantity_paid, booking.renewals), (2, 1));
}

#[test]
fn a_term_past_the_calendar_is_never_applied() {
    let (mut booking, order) = live(Kind::Renewal);
    booking.pins.unit = Unit::Month;
    booking.quantity_paid = 4_000_000;
    let captured = capture("tx", order.amount, 1);
    let got = record(&booking, &order, &captured, &DESK);
    assert_eq!(outcome(&got), "booking_not_payable");
    check_change(&booking, &change(got));
}

#[test]
fn applying_closes_every_other_open_code_and_asks_no_more_only_where_there_is_none() {
    // The order's other codes, and which of them are to be closed.
    for (others, closed) in [
        (vec![], vec![]),
        (vec![(&*ALIPAY, PaymentStatus::Closed)], vec![]),
        (vec![(&*ALIPAY, PaymentStatus::Failed)], vec![]),
        (vec![(&*ALIPAY, PaymentStatus::Closing)], vec![]),
        (vec![(&*ALIPAY, PaymentStatus::Payable)], vec![1]),
        (vec![(&*ALIPAY, PaymentStatus::Creating)], vec![1]),
        (vec![(&*ALIPAY, PaymentStatus::Closing), (&*STRIPE, PaymentStatus::Payable)], vec![2]),
    ] {
        for paid in [PaymentStatus::Closing, PaymentStatus::Closed, PaymentStatus::Failed] {
            let payments = [vec![(&*WECHAT, paid)], others.clone()].concat();
            let order = with_payments(order(1, Kind::First), &payments);
            let booking = with_live(pending(), order.clone());
            let captured = capture("tx", order.amount, 1);
            let change = change(record(&booking, &order, &captured, &DESK));
            check_change(&booking, &change);
            let id_of = |at: &usize| order.payments[*at].payment_id.clone();
            assert_eq!(to_close(&change), closed.iter().map(id_of).collect::<Vec<_>>());
            let asked = TaskId::query(&order.payments[0].payment_id);
            let done = if closed.is_empty() { vec![asked] } else { vec![] };
            assert_eq!(change.done, done, "{others:?}");
        }
    }
}

#[test]
fn money_that_goes_back_leaves_a_pending_order_live_and_another_attempt_possible() {
    let (booking, order) = live(Kind::First);
    let captured = capture("tx", cny(1), 1);
    let change = change(record(&booking, &order, &captured, &DESK));
    check_change(&booking, &change);
    let live = change.booking.live_order.unwrap();
    assert_eq!(live.status, OrderStatus::Pending);
    assert_eq!(live.current_payment(), None);
    assert_eq!(live.refunds[0].reason, RefundReason::AmountMismatch);
    assert_eq!(live.refunds[0].amount, cny(1));
}

#[test]
fn each_further_transaction_of_a_payment_is_refunded_by_itself() {
    let (mut booking, mut order) = live(Kind::First);
    for (transaction, expected) in [
        ("a", "applied"),
        ("b", "duplicate_payment"),
        ("c", "duplicate_payment"),
        ("b", "settled"),
        ("a", "settled"),
        ("c", "settled"),
    ] {
        let captured = capture(transaction, order.amount, 1);
        let got = record(&booking, &order, &captured, &DESK);
        assert_eq!(outcome(&got), expected, "{transaction}");
        if got != Recording::Settled {
            let change = change(got);
            order = change.order(&order.order_id).unwrap().clone();
            booking = change.booking;
        }
    }
    let refunded: Vec<_> = order.refunds.iter().map(|r| r.transaction_id.as_str()).collect();
    assert_eq!(refunded, ["b", "c"]);
    assert_ne!(order.refunds[0].refund_id, order.refunds[1].refund_id);
    assert_eq!(order.current_payment(), Some(&order.payments[0]));
}

#[test]
fn one_transaction_id_at_two_payments_is_two_transactions() {
    let payments = [(&*WECHAT, PaymentStatus::Closing), (&*ALIPAY, PaymentStatus::Payable)];
    let order = with_payments(order(1, Kind::First), &payments);
    let booking = with_live(pending(), order.clone());
    let captured = capture("tx", order.amount, 1);
    let first = change(record(&booking, &order, &captured, &DESK));
    let order = first.order(&order.order_id).unwrap();
    let second = &order.payments[1].payment_id;
    let got = record_payment(&first.booking, Some(order), second, &captured, &DESK, env(2));
    assert_eq!(outcome(&got), "duplicate_payment");
    let order = change(got).ended.remove(0);
    let current = order.current_payment().unwrap();
    assert_eq!(current.payment_id, order.payments[0].payment_id, "the first stays applied");
}

#[test]
fn money_that_has_gone_back_buys_nothing_and_its_refund_is_asked_for_before_it_is_made() {
    for kind in [Kind::First, Kind::Renewal] {
        let (booking, order) = live(kind);
        let payment_id = &order.payments[0].payment_id;
        let captured = capture("tx", order.amount, PAY_BY_MS);
        assert_eq!(outcome(&record(&booking, &order, &captured, &DESK)), "applied");
        let returned = |order: Option<&Order>, captured: &Capture| {
            record_returned(&booking, order, payment_id, captured, &DESK, env(HEARD_MS))
        };
        let got = returned(Some(&order), &captured);
        assert_eq!(outcome(&got), "booking_not_payable");
        let change = change(got);
        let task = change.tasks.iter().find(|task| matches!(task.kind, TaskKind::Refund { .. }));
        assert_eq!(task.unwrap().tries, TRIES_AFRESH);
        assert_eq!(
            (change.booking.term, change.booking.renewals),
            (booking.term, booking.renewals)
        );
        // Every other row stays what it is.
        let recorded = change.order(&order.order_id);
        assert_eq!(outcome(&returned(recorded, &captured)), "settled");
        assert_eq!(outcome(&returned(None, &captured)), "unmatched");
        let other = capture("tx", cny(1), PAY_BY_MS);
        assert_eq!(outcome(&returned(Some(&order), &other)), "amount_mismatch");
    }
}

#[test]
fn an_order_that_is_younger_than_its_money_by_more_than_clocks_differ_was_made_again() {
    let order = Order { created_at: t(0), ..live(Kind::First).1 };
    let apart_ms = CLOCKS_APART_S * 1_000;
    for (older_ms, expected) in [(-1, false), (0, false), (apart_ms, false), (apart_ms + 1, true)] {
        let captured = capture("tx", order.amount, -older_ms);
        assert_eq!(is_made_again(&order, &captured), expected, "{older_ms} ms");
    }
}

#[test]
fn unmatched_money_is_stored_and_owed_back_whole() {
    let (booking, order) = live(Kind::First);
    let payment_id = IDS.payment(&order.order_id, &STRIPE, 9);
    let captured = capture("tx", cny(77), 1);
    let record = || record_unmatched(&booking.booking_id, &STRIPE, &payment_id, &captured, env(2));
    let (unmatched, task) = record();
    assert_eq!(record(), (unmatched.clone(), task.clone()));
    let Unmatched { booking_id, version, gateway, refund, own_task } = unmatched;
    assert_eq!((booking_id, version, gateway), (booking.booking_id, 1, STRIPE.clone()));
    assert_eq!((refund.amount, refund.reason), (cny(77), RefundReason::Unmatched));
    assert_eq!((refund.status, refund.attempt), (RefundStatus::Due, 1));
    assert!(refund.is_of(&payment_id, "tx"));
    assert_eq!((task.record, task.due_at), (Record::Unmatched, t(2)));
    let kind = TaskKind::Refund {
        payment_id,
        transaction_id: "tx".to_owned(),
        first_refund_id: own_task.clone().unwrap(),
    };
    assert_eq!(task.kind, kind);
    assert_ne!(own_task, Some(refund.refund_id), "an order's refund has another task");
}
