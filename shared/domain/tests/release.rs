//! What a person does about what waits.

use domain::attention::{Action, Attention, AttentionId, Audit, MANY_TRIES, NOT_RECORDED, Subject};
use domain::booking::{
    Booking, Order, OrderStatus, PaymentStatus, Refund, RefundReason, RefundStatus, Unmatched,
};
use domain::change::{Change, close_task};
use domain::decide::record_refund::{
    REFUND_ATTEMPTS_EXTRA_MAX, REFUND_ATTEMPTS_MAX, REFUND_ATTEMPTS_TOTAL_MAX, RefundNews,
    RefundOf, attempts_max, next_refund, record_refund, refund_task_id,
};
use domain::decide::release::{
    NotReleased, Release, Waiting, release, release_unbooked, release_unmatched,
};
use domain::ids::PaymentId;
use domain::product::Kind;
use domain::task::{Record, TRIES_AFRESH, Task};

use crate::support::*;

const STATUSES: [RefundStatus; 4] = [
    RefundStatus::Due,
    RefundStatus::Submitted,
    RefundStatus::Succeeded,
    RefundStatus::NeedsAttention,
];
const RETRY: Release<'static> = Release { action: Action::Retry, by: "olga", note: None };
const RESOLVE: Release<'static> =
    Release { action: Action::Resolve, by: "olga", note: Some("paid by transfer") };

fn payment_id() -> PaymentId {
    IDS.payment(&order(1, Kind::First).order_id, &WECHAT, 1)
}

/// A refund in that state at that attempt, with a reason to look unless its money is back.
fn refund_at(status: RefundStatus, attempt: u32) -> Refund {
    let attention = (status != RefundStatus::Succeeded).then(|| "CODE".to_owned());
    Refund {
        refund_id: IDS.refund(payment_id().as_str(), "tx-wechat_pay", attempt),
        attempt,
        status,
        attention,
        extra_attempts: attempt.saturating_sub(REFUND_ATTEMPTS_MAX),
        ..refund(&payment_id(), "tx-wechat_pay", cny(3840))
    }
}

fn order_with(refund: Refund) -> Order {
    let paid = with_payments(order(1, Kind::First), &[(&WECHAT, PaymentStatus::Paid)]);
    ended(Order { refunds: vec![refund], ..paid }, OrderStatus::Superseded)
}

fn of_order(order: &Order) -> Record {
    Record::Order { order_id: order.order_id.clone(), order_seq: order.seq }
}

fn waiting_refund(refund: &Refund, record: Record) -> Attention {
    Attention {
        attention_id: AttentionId::of_task(&refund_task_id(refund, env(0))),
        booking_id: active().booking_id,
        subject: Subject::Refund,
        record,
        payment_id: payment_id(),
        transaction_id: Some("tx-wechat_pay".to_owned()),
        amount: Some(refund.amount),
        reason: "CODE".to_owned(),
        since: t(3),
    }
}

/// Releases a refund of an order that has ended.
fn released(refund: &Refund, asked: Release<'_>) -> Result<Change, NotReleased> {
    let order = order_with(refund.clone());
    let attention = waiting_refund(refund, of_order(&order));
    let waiting = Waiting { attention: &attention, order: Some(&order), task: None };
    decided(&active(), |booking| release(booking, waiting, asked, env(9)))
}

fn audit_of(attention: &Attention, asked: Release<'_>) -> Audit {
    Audit {
        booking_id: attention.booking_id.clone(),
        attention_id: attention.attention_id.clone(),
        action: asked.action,
        by: "olga".to_owned(),
        note: asked.note.map(str::to_owned),
        reason: attention.reason.clone(),
        since: t(3),
        at: t(9),
    }
}

#[test]
fn a_refund_that_is_tried_again_is_due_under_the_same_attempt_and_asks_before_it_repeats() {
    for status in STATUSES {
        for attempt in [1, REFUND_ATTEMPTS_MAX - 1] {
            let before = refund_at(status, attempt);
            let change = released(&before, RETRY).unwrap();
            let attention = waiting_refund(&before, of_order(&order_with(before.clone())));
            assert_eq!(change.released, Some(audit_of(&attention, RETRY)));
            assert_eq!((&change.raised[..], &change.cleared[..]), (&[][..], &[][..]));
            assert_eq!(change.booking, Booking { version: 42, ..active() });
            let next = match status {
                RefundStatus::Succeeded => {
                    assert_eq!((&change.ended[..], &change.tasks[..]), (&[][..], &[][..]));
                    continue;
                }
                RefundStatus::Submitted => RefundStatus::Submitted,
                RefundStatus::Due | RefundStatus::NeedsAttention => RefundStatus::Due,
            };
            let expected =
                Refund { status: next, attention: None, updated_at: t(9), ..before.clone() };
            assert_eq!(change.ended[0].refunds, [expected], "{status:?}");
            let [task] = &change.tasks[..] else { panic!("one task: {change:?}") };
            assert_eq!(task.id(), refund_task_id(&before, env(0)));
            assert_eq!((task.due_at, task.tries), (t(9), TRIES_AFRESH));
            assert_eq!(task.attention, None);
        }
    }
    const { assert!(TRIES_AFRESH > 0, "only a task that was never begun does not ask") };
}

#[test]
fn only_the_last_attempt_that_failed_is_allowed_one_more_each_time_it_is_released() {
    for (attempt, extra) in [
        (REFUND_ATTEMPTS_MAX - 1, Some(0)),
        (REFUND_ATTEMPTS_MAX, Some(1)),
        (REFUND_ATTEMPTS_MAX + 1, Some(2)),
        (REFUND_ATTEMPTS_TOTAL_MAX - 1, Some(REFUND_ATTEMPTS_EXTRA_MAX)),
        (REFUND_ATTEMPTS_TOTAL_MAX, None),
        (REFUND_ATTEMPTS_TOTAL_MAX + 1, None),
    ] {
        let got = released(&refund_at(RefundStatus::NeedsAttention, attempt), RETRY);
        let Some(extra) = extra else {
            assert_eq!(got, Err(NotReleased::RetryNotPossible), "{attempt}");
            continue;
        };
        let next = got.unwrap().ended[0].refunds[0].clone();
        assert_eq!((next.attempt, next.extra_attempts), (attempt, extra), "{attempt}");
        assert!(next.attempt < attempts_max(&next), "{attempt}");
        // Work that goes on by itself is allowed nothing.
        let on_its_way = refund_at(RefundStatus::Submitted, attempt);
        let next = released(&on_its_way, RETRY).unwrap().ended[0].refunds[0].clone();
        assert_eq!(next.extra_attempts, on_its_way.extra_attempts);
    }
}

#[test]
fn a_refund_can_be_released_until_its_attempts_are_used_up_for_good() {
    let failed = RefundNews::Failed { code: "CLOSED".to_owned() };
    let mut refund = refund_at(RefundStatus::Due, 1);
    let mut releases = 0;
    loop {
        while refund.status == RefundStatus::Due {
            refund = next_refund(&refund, refund.attempt, &failed, env(9)).unwrap();
        }
        match released(&refund, RETRY) {
            Ok(change) => refund = change.ended[0].refunds[0].clone(),
            Err(refused) => {
                assert_eq!(refused, NotReleased::RetryNotPossible);
                break;
            }
        }
        releases += 1;
    }
    assert_eq!((releases, refund.attempt), (REFUND_ATTEMPTS_EXTRA_MAX, REFUND_ATTEMPTS_TOTAL_MAX));
    assert_eq!(refund.status, RefundStatus::NeedsAttention);
}

#[test]
fn resolving_changes_nothing_but_the_list() {
    for status in STATUSES {
        for attempt in [1, REFUND_ATTEMPTS_TOTAL_MAX] {
            let refund = refund_at(status, attempt);
            let change = released(&refund, RESOLVE).unwrap();
            let attention = waiting_refund(&refund, of_order(&order_with(refund.clone())));
            let mut expected = Change::of(&active());
            expected.released = Some(audit_of(&attention, RESOLVE));
            assert_eq!(change, expected, "{status:?}");
        }
    }
}

#[test]
fn a_refund_that_was_resolved_can_still_succeed() {
    let refund = refund_at(RefundStatus::NeedsAttention, 1);
    let change = released(&refund, RESOLVE).unwrap();
    let payment_id = payment_id();
    let of = RefundOf { payment_id: &payment_id, transaction_id: "tx-wechat_pay", attempt: 1 };
    let order = order_with(refund);
    let later = record_refund(&change.booking, &order, of, &RefundNews::Succeeded, env(10));
    assert_eq!(later.unwrap().ended[0].refunds[0].status, RefundStatus::Succeeded);
}

#[test]
fn a_refund_that_is_refused_again_waits_again() {
    let change = released(&refund_at(RefundStatus::NeedsAttention, 1), RETRY).unwrap();
    let payment_id = payment_id();
    let of = RefundOf { payment_id: &payment_id, transaction_id: "tx-wechat_pay", attempt: 1 };
    let news = RefundNews::Refused { code: "CODE".to_owned() };
    let again = record_refund(&change.booking, &change.ended[0], of, &news, env(10)).unwrap();
    let released = change.released.unwrap();
    assert_eq!(again.raised[0].attention_id, released.attention_id);
    assert_eq!(again.raised[0].since, t(10));
}

#[test]
fn a_refund_of_a_live_order_is_released_where_it_is() {
    let refund = refund_at(RefundStatus::NeedsAttention, 1);
    let order = with_payments(order(1, Kind::First), &[(&WECHAT, PaymentStatus::Paid)]);
    let order = Order { refunds: vec![refund.clone()], ..order };
    let booking = with_live(pending(), order.clone());
    let attention = waiting_refund(&refund, of_order(&order));
    let waiting = Waiting { attention: &attention, order: Some(&order), task: None };
    let change = release(&booking, waiting, RETRY, env(9)).unwrap();
    assert_eq!(change.ended, []);
    assert_eq!(change.booking.live_order.unwrap().refunds[0].status, RefundStatus::Due);
}

#[test]
fn a_refund_that_is_not_ours_can_only_be_resolved() {
    let mut foreign = refund_at(RefundStatus::NeedsAttention, 0);
    foreign.reason = RefundReason::ForeignRefund;
    let order = order_with(foreign.clone());
    let attention = Attention {
        attention_id: AttentionId::foreign_refund(&foreign.refund_id),
        subject: Subject::ForeignRefund,
        transaction_id: None,
        ..waiting_refund(&foreign, of_order(&order))
    };
    let waiting = Waiting { attention: &attention, order: Some(&order), task: None };
    let retried = release(&active(), waiting, RETRY, env(9));
    assert_eq!(retried, Err(NotReleased::RetryNotPossible));
    let resolved = release(&active(), waiting, RESOLVE, env(9)).unwrap();
    assert_eq!(resolved.released, Some(audit_of(&attention, RESOLVE)));
    assert_eq!((&resolved.ended[..], &resolved.tasks[..]), (&[][..], &[][..]));
}

#[test]
fn a_refund_that_is_not_stored_is_not_released_and_one_of_somebody_else_is_not_taken_for_it() {
    let refund = refund_at(RefundStatus::NeedsAttention, 1);
    let other = Refund { transaction_id: "another".to_owned(), ..refund.clone() };
    let foreign = Refund { reason: RefundReason::ForeignRefund, ..refund.clone() };
    let attention = waiting_refund(&refund, of_order(&order_with(refund.clone())));
    for order in [None, Some(order_with(other)), Some(order_with(foreign))] {
        let waiting = Waiting { attention: &attention, order: order.as_ref(), task: None };
        let got = release(&active(), waiting, RETRY, env(9));
        assert_eq!(got, Err(NotReleased::NotStored), "{order:?}");
    }
}

#[test]
fn a_task_that_was_tried_many_times_starts_over_or_goes_on_as_it_is() {
    let order = with_payments(order(1, Kind::First), &[(&WECHAT, PaymentStatus::Closing)]);
    let order = ended(order, OrderStatus::Superseded);
    let fresh = close_task(&active(), &order, &payment_id(), t(0));
    let attention = Some(MANY_TRIES.to_owned());
    let flagged = Task { tries: 17, attention, due_at: t(3_600_000), ..fresh.clone() };
    let attention = Attention::of_task(&flagged, t(3));
    assert_eq!(attention.attention_id, AttentionId::of_task(&flagged.id()));
    assert_eq!((attention.subject, attention.amount), (Subject::ClosePayment, None));
    let waiting = |task| Waiting { attention: &attention, order: Some(&order), task };
    let retried = release(&active(), waiting(Some(&flagged)), RETRY, env(9)).unwrap();
    let afresh = Task { due_at: t(9), tries: TRIES_AFRESH, ..fresh };
    assert_eq!(retried.tasks, [afresh]);
    assert_eq!(retried.released, Some(audit_of(&attention, RETRY)));
    // One that is done is not begun again.
    let done = release(&active(), waiting(None), RETRY, env(9)).unwrap();
    assert_eq!(done.tasks, []);
    let resolved = release(&active(), waiting(Some(&flagged)), RESOLVE, env(9)).unwrap();
    assert_eq!(resolved.tasks, [], "its flag stays, so that it is not raised again");
}

#[test]
fn unmatched_money_is_released_the_same_way() {
    for status in STATUSES {
        for attempt in [1, REFUND_ATTEMPTS_MAX, REFUND_ATTEMPTS_TOTAL_MAX] {
            for asked in [RETRY, RESOLVE] {
                let refund = refund_at(status, attempt);
                let unmatched = Unmatched {
                    booking_id: active().booking_id,
                    version: 7,
                    gateway: WECHAT.clone(),
                    refund: refund.clone(),
                    own_task: None,
                };
                let attention = waiting_refund(&refund, Record::Unmatched);
                let got =
                    decided(&unmatched, |it| release_unmatched(it, &attention, asked, env(9)));
                let same = released(&refund, asked);
                let (got, same) = match (got, same) {
                    (Ok(got), Ok(same)) => (got, same),
                    (got, same) => {
                        assert_eq!(got.err(), same.err());
                        continue;
                    }
                };
                let next = same.ended.first().map_or(refund, |order| order.refunds[0].clone());
                assert_eq!(got.unmatched, Unmatched { refund: next, version: 8, ..unmatched });
                let of_unmatched = |task: Task| Task { record: Record::Unmatched, ..task };
                let tasks: Vec<Task> = same.tasks.into_iter().map(of_unmatched).collect();
                assert_eq!((got.tasks, got.released), (tasks, same.released));
            }
        }
    }
}

#[test]
fn what_a_bill_raised_can_only_be_resolved_whether_its_booking_is_stored_or_not() {
    let booking = pending();
    let order = with_payments(order(1, Kind::First), &[(&WECHAT, PaymentStatus::Closed)]);
    let payment_id = order.payments[0].payment_id.clone();
    let attention = Attention {
        attention_id: AttentionId::reconciliation(&IDS.refund(payment_id.as_str(), "tx-2", 0)),
        booking_id: booking.booking_id.clone(),
        subject: Subject::Reconciliation,
        record: Record::Order { order_id: order.order_id.clone(), order_seq: order.seq },
        payment_id,
        transaction_id: Some("tx-2".to_owned()),
        amount: Some(cny(1280)),
        reason: NOT_RECORDED.to_owned(),
        since: t(1),
    };
    assert_eq!(
        AttentionId::from_path(&attention.attention_id.to_path()),
        Some(attention.attention_id.clone())
    );
    let waiting = Waiting { attention: &attention, order: Some(&order), task: None };
    let asked = |action| Release { action, by: "olga", note: Some("refunded by hand") };
    let refused = NotReleased::RetryNotPossible;
    assert_eq!(release(&booking, waiting, asked(Action::Retry), env(9)), Err(refused));
    assert_eq!(release_unbooked(&attention, asked(Action::Retry), env(9)), Err(refused));
    let change = release(&booking, waiting, asked(Action::Resolve), env(9)).unwrap();
    let audit = release_unbooked(&attention, asked(Action::Resolve), env(9)).unwrap();
    assert_eq!((audit.reason.as_str(), audit.at), (NOT_RECORDED, t(9)));
    assert_eq!(change.released, Some(audit));
    assert_eq!((change.ended.len(), change.tasks.len()), (0, 0));
}
