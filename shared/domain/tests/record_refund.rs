//! What became of a refund attempt.

use domain::attention::{Attention, AttentionId, Subject};
use domain::booking::{
    Booking, Order, OrderStatus, PaymentStatus, Refund, RefundReason, RefundStatus, Unmatched,
};
use domain::change::Change;
use domain::decide::record_payment::record_unmatched;
use domain::decide::record_refund::{
    Foreign, ForeignKind, REFUND_ATTEMPTS_MAX, RefundNews, RefundOf, next_refund, record_foreign,
    record_refund, record_unmatched_refund, refund_task_id, unmatched_task_id,
};
use domain::ids::PaymentId;
use domain::product::Kind;
use domain::task::{Record, Task, TaskKind};

use crate::support::*;

const STATUSES: [RefundStatus; 4] = [
    RefundStatus::Due,
    RefundStatus::Submitted,
    RefundStatus::Succeeded,
    RefundStatus::NeedsAttention,
];

fn failed() -> RefundNews {
    RefundNews::Failed { code: "F".to_owned() }
}

fn refused() -> RefundNews {
    RefundNews::Refused { code: "R".to_owned() }
}

fn flagged() -> RefundNews {
    RefundNews::Flagged { code: "L".to_owned() }
}

fn all_news() -> [RefundNews; 5] {
    [RefundNews::Succeeded, RefundNews::Accepted, failed(), refused(), flagged()]
}

fn payment_id() -> PaymentId {
    IDS.payment(&order(1, Kind::First).order_id, &WECHAT, 1)
}

/// A refund that is in that state at that attempt.
fn refund_at(status: RefundStatus, attempt: u32) -> Refund {
    Refund {
        refund_id: IDS.refund(payment_id().as_str(), "tx-wechat_pay", attempt),
        attempt,
        status,
        ..refund(&payment_id(), "tx-wechat_pay", cny(3840))
    }
}

/// A paid and refunded payment of an order that has ended.
fn order_with(refund: Refund) -> Order {
    Order {
        refunds: vec![refund],
        ..with_payments(order(1, Kind::First), &[(&WECHAT, PaymentStatus::Paid)])
    }
}

fn next(refund: &Refund, attempt: u32, news: &RefundNews) -> Option<Refund> {
    decided(refund, |refund| next_refund(refund, attempt, news, env(9)))
}

/// What the news of a refund's current attempt makes of it: its status, its attempt (2 before) and
/// whether it says why a person should look.
type Next = Option<(RefundStatus, u32, Option<&'static str>)>;

fn expected(status: RefundStatus, news: &RefundNews) -> Next {
    match (status, news) {
        (RefundStatus::Succeeded, RefundNews::Failed { .. }) => Some((RefundStatus::Due, 3, None)),
        (RefundStatus::Succeeded, _)
        | (RefundStatus::Submitted | RefundStatus::NeedsAttention, RefundNews::Accepted) => None,
        (_, RefundNews::Succeeded | RefundNews::SucceededBeside) => {
            Some((RefundStatus::Succeeded, 2, None))
        }
        (RefundStatus::Due, RefundNews::Accepted) => Some((RefundStatus::Submitted, 2, None)),
        (_, RefundNews::Failed { .. }) => Some((RefundStatus::Due, 3, None)),
        (_, RefundNews::Refused { .. }) => Some((RefundStatus::NeedsAttention, 2, Some("R"))),
        (status, RefundNews::Flagged { .. }) => Some((status, 2, Some("L"))),
    }
}

#[test]
fn news_of_the_current_attempt_moves_the_refund() {
    for status in STATUSES {
        for news in all_news() {
            let got = next(&refund_at(status, 2), 2, &news);
            let words = got.as_ref().map(|r| (r.status, r.attempt, r.attention.as_deref()));
            assert_eq!(words, expected(status, &news), "{status:?} {news:?}");
            let Some(refund) = got else {
                continue;
            };
            let expected = Refund {
                updated_at: t(9),
                attention: refund.attention.clone(),
                failed_attempts: refund.failed_attempts.clone(),
                ..refund_at(refund.status, refund.attempt)
            };
            assert_eq!(refund, expected, "the same money, under the attempt's own id");
        }
    }
}

#[test]
fn news_of_another_attempt_says_only_that_money_has_arrived() {
    for status in STATUSES {
        for news in all_news() {
            for attempt in [1, 3] {
                let got = next(&refund_at(status, 2), attempt, &news);
                let arrives = news == RefundNews::Succeeded && status != RefundStatus::Succeeded;
                assert_eq!(got.is_some(), arrives, "{status:?} {news:?} of attempt {attempt}");
                if let Some(refund) = got {
                    let expected = refund_at(RefundStatus::Succeeded, attempt);
                    assert_eq!(
                        refund.refund_id, expected.refund_id,
                        "the one that can be reversed"
                    );
                    assert_eq!((refund.status, refund.attempt), (expected.status, attempt));
                }
            }
        }
    }
}

#[test]
fn the_same_news_again_changes_nothing() {
    for status in STATUSES {
        for news in all_news() {
            for attempt in [1, REFUND_ATTEMPTS_MAX - 1, REFUND_ATTEMPTS_MAX] {
                let once = next(&refund_at(status, attempt), attempt, &news);
                let Some(once) = once else {
                    continue;
                };
                let again = next_refund(&once, attempt, &news, env(10));
                assert_eq!(again, None, "{status:?} {news:?} of attempt {attempt}");
            }
        }
    }
}

#[test]
fn the_last_attempts_failure_is_left_to_a_person() {
    const MAX: u32 = REFUND_ATTEMPTS_MAX;
    for status in STATUSES {
        for (attempt, expected) in [
            (MAX - 1, Some((RefundStatus::Due, MAX, false))),
            // With a person already, there is nothing to say.
            (MAX, None),
        ] {
            let by_a_person = status == RefundStatus::NeedsAttention;
            let left = Some((RefundStatus::NeedsAttention, MAX, true));
            let expected = expected.or(left.filter(|_| !by_a_person));
            let got = next(&refund_at(status, attempt), attempt, &failed());
            let got = got.map(|r| (r.status, r.attempt, r.attention.is_some()));
            assert_eq!(got, expected, "{status:?} {attempt}");
        }
    }
}

#[test]
fn money_that_arrived_by_an_earlier_attempt_is_not_sent_again_when_a_later_one_fails() {
    let arrived = next(&refund_at(RefundStatus::Submitted, 2), 1, &RefundNews::Succeeded).unwrap();
    assert_eq!(arrived.status, RefundStatus::Succeeded);
    for news in [failed(), refused(), flagged(), RefundNews::Accepted] {
        assert_eq!(next(&arrived, 2, &news), None, "{news:?}");
    }
}

#[test]
fn money_that_arrived_by_an_earlier_attempt_and_was_taken_back_is_sent_again() {
    let arrived = next(&refund_at(RefundStatus::Submitted, 2), 1, &RefundNews::Succeeded).unwrap();
    let reversed = next(&arrived, 1, &failed()).unwrap();
    assert_eq!(reversed.status, RefundStatus::Due);
}

#[test]
fn a_success_that_is_heard_after_the_attempts_failure_is_older_and_settles_nothing() {
    for status in [RefundStatus::Due, RefundStatus::Submitted] {
        let second = next(&refund_at(status, 1), 1, &failed()).unwrap();
        assert_eq!((second.status, second.attempt), (RefundStatus::Due, 2));
        assert_eq!(next(&second, 1, &RefundNews::Succeeded), None, "{status:?}");
        let last = next(&refund_at(status, REFUND_ATTEMPTS_MAX), REFUND_ATTEMPTS_MAX, &failed());
        let last = last.unwrap();
        assert_eq!(last.status, RefundStatus::NeedsAttention);
        assert_eq!(next(&last, REFUND_ATTEMPTS_MAX, &RefundNews::Succeeded), None, "{status:?}");
    }
}

#[test]
fn an_old_word_of_success_does_not_settle_money_that_was_taken_back() {
    let reversed = next(&refund_at(RefundStatus::Succeeded, 1), 1, &failed()).unwrap();
    assert_eq!((reversed.status, reversed.attempt), (RefundStatus::Due, 2));
    assert_eq!(next(&reversed, 1, &RefundNews::Succeeded), None);
    let arrived = next(&reversed, 2, &RefundNews::Succeeded).unwrap();
    assert_eq!(arrived.status, RefundStatus::Succeeded);
}

#[test]
fn success_clears_the_flag_and_other_news_keeps_it() {
    let flagged = next(&refund_at(RefundStatus::Due, 1), 1, &flagged()).unwrap();
    for (news, attention) in [
        (RefundNews::Succeeded, None),
        (RefundNews::Accepted, Some("L")),
        (failed(), Some("L")),
        (refused(), Some("R")),
    ] {
        let got = next(&flagged, 1, &news).unwrap();
        assert_eq!(got.attention.as_deref(), attention, "{news:?}");
    }
}

/// Records news of the current attempt on the refund's order.
fn record(booking: &Booking, order: &Order, attempt: u32, news: &RefundNews) -> Option<Change> {
    let payment_id = payment_id();
    let of = RefundOf { payment_id: &payment_id, transaction_id: "tx-wechat_pay", attempt };
    decided(booking, |booking| record_refund(booking, order, of, news, env(9)))
}

#[test]
fn a_settled_refunds_task_is_done_and_one_that_goes_on_again_has_a_task_again() {
    for status in STATUSES {
        for news in all_news() {
            let before = refund_at(status, 2);
            let order = ended(order_with(before.clone()), OrderStatus::Expired);
            let got = record(&active(), &order, 2, &news);
            let after = next_refund(&before, 2, &news, env(9));
            assert_eq!(got.is_some(), after.is_some(), "{status:?} {news:?}");
            let (Some(change), Some(after)) = (got, after) else {
                continue;
            };
            check_change(&active(), &change);
            assert_eq!(change.ended.len(), 1);
            assert_eq!(change.ended[0].refunds, std::slice::from_ref(&after));
            let task_id = refund_task_id(&after, env(9));
            let done = if after.is_settled() { vec![task_id.clone()] } else { vec![] };
            assert_eq!(change.done, done, "{status:?} {news:?}");
            let again = before.is_settled() && !after.is_settled();
            let tasks: Vec<_> = change.tasks.iter().map(|task| task.id()).collect();
            assert_eq!(tasks, if again { vec![task_id] } else { vec![] }, "{status:?} {news:?}");
        }
    }
}

#[test]
fn a_refunds_task_keeps_its_name_through_all_attempts() {
    let first = refund_task_id(&refund_at(RefundStatus::Due, 1), env(9));
    for attempt in 2..=REFUND_ATTEMPTS_MAX {
        assert_eq!(refund_task_id(&refund_at(RefundStatus::Due, attempt), env(9)), first);
    }
    let order = order_with(refund_at(RefundStatus::Succeeded, 2));
    let change = record(&with_live(pending(), order.clone()), &order, 2, &failed()).unwrap();
    let [task] = &change.tasks[..] else {
        panic!("one task: {change:?}");
    };
    assert_eq!(task.id(), first);
    assert_eq!(task.due_at, t(9));
    let kind = TaskKind::Refund {
        payment_id: payment_id(),
        transaction_id: "tx-wechat_pay".to_owned(),
        first_refund_id: IDS.refund(payment_id().as_str(), "tx-wechat_pay", 1),
    };
    assert_eq!(task.kind, kind);
    let record = Record::Order { order_id: order.order_id, order_seq: order.seq };
    assert_eq!(task.record, record);
}

#[test]
fn a_refund_of_a_live_order_leaves_it_live_and_moves_no_other_refund() {
    let mut order = order_with(refund_at(RefundStatus::Due, 1));
    let another = refund(&payment_id(), "another", cny(1));
    order.refunds.push(another.clone());
    let booking = with_live(pending(), order.clone());
    let change = record(&booking, &order, 1, &RefundNews::Succeeded).unwrap();
    check_change(&booking, &change);
    let live = change.booking.live_order.unwrap();
    assert_eq!(live.refunds[0].status, RefundStatus::Succeeded);
    assert_eq!(live.refunds[1], another);
}

#[test]
fn a_refund_that_is_not_ours_moves_nothing() {
    let (mut foreign, due) = (refund_at(RefundStatus::Due, 1), refund_at(RefundStatus::Due, 1));
    foreign.reason = RefundReason::ForeignRefund;
    let other_transaction = Refund { transaction_id: "other".to_owned(), ..due.clone() };
    let payment_id = IDS.payment(&order(1, Kind::First).order_id, &STRIPE, 1);
    let other_payment = Refund { payment_id, ..due };
    for refund in [foreign, other_transaction, other_payment] {
        let order = order_with(refund);
        let booking = with_live(pending(), order.clone());
        assert_eq!(record(&booking, &order, 1, &RefundNews::Succeeded), None);
    }
}

fn unmatched_with(refund: Refund) -> Unmatched {
    let captured = capture("tx-wechat_pay", cny(3840), 0);
    let booking_id = pending().booking_id;
    let (unmatched, _) = record_unmatched(&booking_id, &WECHAT, &payment_id(), &captured, env(0));
    Unmatched { refund, ..unmatched }
}

#[test]
fn unmatched_moneys_refund_moves_the_same_way() {
    for status in STATUSES {
        for news in all_news() {
            // As an earlier release stored it: its task has the name that an order's has.
            let unmatched = Unmatched { own_task: None, ..unmatched_with(refund_at(status, 2)) };
            let order = ended(order_with(refund_at(status, 2)), OrderStatus::Expired);
            let got = decided(&unmatched, |u| record_unmatched_refund(u, 2, &news, env(9)));
            let same = record(&active(), &order, 2, &news);
            assert_eq!(got.is_some(), same.is_some(), "{status:?} {news:?}");
            let (Some(got), Some(same)) = (got, same) else { continue };
            let refund = same.ended[0].refunds[0].clone();
            assert_eq!(got.unmatched, Unmatched { refund, version: 2, ..unmatched });
            assert_eq!((got.done, got.cleared), (same.done, same.cleared), "{status:?} {news:?}");
            let record = |task: &Task| (task.record.clone(), task.id());
            let expected = same.tasks.iter().map(|task| (Record::Unmatched, task.id()));
            assert_eq!(
                got.tasks.iter().map(record).collect::<Vec<_>>(),
                expected.collect::<Vec<_>>()
            );
            let expected = same.raised.into_iter();
            let expected = expected.map(|it| Attention { record: Record::Unmatched, ..it });
            assert_eq!(got.raised, expected.collect::<Vec<_>>());
        }
    }
}

#[test]
fn unmatched_money_and_an_order_that_hold_the_same_refund_have_a_task_each() {
    let refund = refund_at(RefundStatus::Due, 2);
    let unmatched = unmatched_with(refund.clone());
    let own = unmatched_task_id(&unmatched, env(9));
    assert_ne!(own, refund_task_id(&refund, env(9)));
    let next = |news| record_unmatched_refund(&unmatched, 2, &news, env(9)).unwrap();
    assert_eq!(next(RefundNews::Succeeded).done, std::slice::from_ref(&own));
    assert_eq!(next(flagged()).raised[0].attention_id, AttentionId::of_task(&own));
    let back = Refund { status: RefundStatus::Succeeded, ..refund };
    let reversed = record_unmatched_refund(&unmatched_with(back), 2, &failed(), env(9)).unwrap();
    assert_eq!(reversed.tasks[0].id(), own);
}

/// Whether a change raises something under the name of the refund's task, and whether it clears it.
fn told(change: &Change) -> (Option<&str>, bool) {
    let id = AttentionId::of_task(&refund_task_id(&refund_at(RefundStatus::Due, 1), env(9)));
    assert!(change.raised.len() + change.cleared.len() <= 1, "one thing: {change:?}");
    for raised in &change.raised {
        assert_eq!(raised.attention_id, id);
        assert_eq!((raised.subject, raised.since), (Subject::Refund, t(9)));
        assert_eq!(raised.amount, Some(cny(3840)));
    }
    let raised = change.raised.first().map(|raised| raised.reason.as_str());
    (raised, change.cleared.contains(&id))
}

#[test]
fn a_new_reason_to_look_is_raised_once_and_success_clears_it() {
    for status in [RefundStatus::Due, RefundStatus::Submitted, RefundStatus::NeedsAttention] {
        let stands_still = status == RefundStatus::NeedsAttention;
        for attention in [None, Some("L"), Some("R")] {
            let before = Refund {
                attention: attention.map(str::to_owned),
                ..refund_at(status, REFUND_ATTEMPTS_MAX)
            };
            let order = ended(order_with(before), OrderStatus::Expired);
            for (news, expected) in [
                (RefundNews::Succeeded, (None, attention.is_some())),
                (RefundNews::Accepted, (None, false)),
                (failed(), (Some("F").filter(|_| !stands_still), false)),
                (refused(), (Some("R").filter(|_| !stands_still || attention != Some("R")), false)),
                (flagged(), (Some("L").filter(|_| attention != Some("L")), false)),
            ] {
                let change = record(&active(), &order, REFUND_ATTEMPTS_MAX, &news);
                let got = change.as_ref().map_or((None, false), told);
                assert_eq!(got, expected, "{status:?} {attention:?} {news:?}");
            }
        }
    }
}

#[test]
fn a_refund_that_goes_on_after_all_is_not_raised_again_and_keeps_its_reason() {
    let before = Refund {
        attention: Some("R".to_owned()),
        ..refund_at(RefundStatus::NeedsAttention, REFUND_ATTEMPTS_MAX - 1)
    };
    let order = ended(order_with(before), OrderStatus::Expired);
    let change = record(&active(), &order, REFUND_ATTEMPTS_MAX - 1, &failed()).unwrap();
    assert_eq!(told(&change), (None, false));
    let refund = &change.ended[0].refunds[0];
    assert_eq!((refund.status, refund.attention.as_deref()), (RefundStatus::Due, Some("R")));
}

#[test]
fn a_refund_that_we_did_not_make_is_stored_once_and_flagged_and_applied_money_stays_applied() {
    let paid = with_payments(order(1, Kind::First), &[(&WECHAT, PaymentStatus::Paid)]);
    let paid = ended(paid, OrderStatus::Paid);
    let payment_id = payment_id();
    let foreign = |number| Foreign {
        kind: ForeignKind::Refund,
        payment_id: &payment_id,
        number,
        amount: cny(100),
    };
    let change = record_foreign(&active(), &paid, foreign("rf-1"), env(9)).unwrap();
    check_change(&active(), &change);
    assert_eq!(change.tasks, [], "nothing of ours to do");
    let [raised] = &change.raised[..] else { panic!("one thing: {change:?}") };
    assert_eq!(raised.subject, Subject::ForeignRefund);
    assert_eq!(raised.reason, "foreign_refund");
    assert_eq!(raised.amount, Some(cny(100)));
    let refund_id = &change.ended[0].refunds[0].refund_id;
    assert_eq!(raised.attention_id, AttentionId::foreign_refund(refund_id));
    let order = &change.ended[0];
    let [refund] = &order.refunds[..] else {
        panic!("one refund: {order:?}");
    };
    assert_eq!(refund.status, RefundStatus::NeedsAttention);
    assert_eq!((refund.amount, refund.reason), (cny(100), RefundReason::ForeignRefund));
    assert!(refund.attention.is_some());
    assert_eq!(order.current_payment(), Some(&order.payments[0]));
    let again = record_foreign(&change.booking, order, foreign("rf-1"), env(10));
    assert_eq!(again, None);
    let other = record_foreign(&change.booking, order, foreign("rf-2"), env(10));
    assert_eq!(other.unwrap().ended[0].refunds.len(), 2);
}

#[test]
fn a_foreign_refund_of_a_payment_that_is_not_stored_is_not_stored() {
    let paid = ended(order(1, Kind::First), OrderStatus::Paid);
    let foreign = Foreign {
        kind: ForeignKind::Refund,
        payment_id: &payment_id(),
        number: "rf-1",
        amount: cny(100),
    };
    assert_eq!(record_foreign(&active(), &paid, foreign, env(9)), None);
}

#[test]
fn a_dispute_is_stored_once_and_flagged_and_is_no_refund_of_ours() {
    let paid = with_payments(order(1, Kind::First), &[(&WECHAT, PaymentStatus::Paid)]);
    let paid = ended(paid, OrderStatus::Paid);
    let payment_id = payment_id();
    let of = |kind| Foreign { kind, payment_id: &payment_id, number: "d-1", amount: cny(1280) };
    let change = record_foreign(&active(), &paid, of(ForeignKind::Dispute), env(9)).unwrap();
    check_change(&active(), &change);
    assert_eq!(change.tasks, [], "nothing of ours to do");
    let [raised] = &change.raised[..] else { panic!("one thing: {change:?}") };
    assert_eq!((raised.subject, raised.reason.as_str()), (Subject::Dispute, "dispute"));
    let order = &change.ended[0];
    let refund = &order.refunds[0];
    assert_eq!(raised.attention_id, AttentionId::dispute(&refund.refund_id));
    assert_eq!(AttentionId::parse(raised.attention_id.as_str()), Some(raised.attention_id.clone()));
    assert_eq!(
        (refund.status, refund.reason),
        (RefundStatus::NeedsAttention, RefundReason::Dispute)
    );
    assert_eq!(order.refund_of(&payment_id, "d-1"), None, "it gives nothing back");
    for kind in [ForeignKind::Dispute, ForeignKind::Refund] {
        assert_eq!(record_foreign(&change.booking, order, of(kind), env(10)), None);
    }
}
