//! Writing an attempt before its gateway is called, and what the gateway said to it.

use domain::booking::{Booking, Order, OrderStatus, Payment, PaymentStatus};
use domain::change::Change;
use domain::decide::Rejection;
use domain::decide::start_payment::{Created, PaymentPlan, payment_created, start_payment};
use domain::ids::Echo;
use domain::product::Kind;
use domain::task::{Record, TaskKind};
use rules::to_close;

use crate::support::*;

fn start(booking: &Booking, now_ms: i64) -> Change {
    let decide = |booking: &Booking| {
        let mut change = Change::of(booking);
        start_payment(&mut change, &DESK, at(&WECHAT), env(now_ms)).map(|_| change)
    };
    decided(booking, decide).unwrap()
}

#[test]
fn without_a_live_order_there_is_nothing_to_pay() {
    let mut change = Change::of(&pending());
    let got = start_payment(&mut change, &DESK, at(&WECHAT), env(0));
    assert_eq!(got, Err(Rejection::NotFound));
}

#[test]
fn pay_by_is_the_payments_lifetime_and_for_a_renewal_at_most_the_terms_end() {
    let ends_in = |ms: i64| TERM_ENDS_MS - ms;
    for (kind, now_ms, pay_by_ms) in [
        (Kind::First, 0, PAY_BY_MS),
        (Kind::Renewal, 0, PAY_BY_MS),
        (Kind::Renewal, ends_in(PAY_BY_MS + 1), TERM_ENDS_MS - 1),
        (Kind::Renewal, ends_in(PAY_BY_MS), TERM_ENDS_MS),
        (Kind::Renewal, ends_in(PAY_BY_MS - 1), TERM_ENDS_MS),
        (Kind::Renewal, ends_in(1), TERM_ENDS_MS),
    ] {
        let booking = with_live(booking_for(kind), order(1, kind));
        let live = start(&booking, now_ms).booking.live_order.unwrap();
        assert_eq!(live.pay_by, Some(t(pay_by_ms)), "{kind:?} at {now_ms}");
    }
}

#[test]
fn later_payments_of_an_order_expire_when_its_first_one_does() {
    let first = with_payments(order(1, Kind::First), &[(&ALIPAY, PaymentStatus::Closed)]);
    let change = start(&with_live(pending(), first), PAY_BY_MS - 1);
    let live = change.booking.live_order.as_ref().unwrap();
    assert_eq!(live.pay_by, Some(t(PAY_BY_MS)));
    let [task] = &change.tasks[..] else {
        panic!("one task: {change:?}");
    };
    assert_eq!(task.due_at, t(PAY_BY_MS), "asked for a last time at pay_by");
}

#[test]
fn the_query_task_holds_the_exact_request_and_is_first_due_a_minute_later() {
    for now_ms in [0, PAY_BY_MS - 60_001, PAY_BY_MS - 60_000, PAY_BY_MS - 59_999] {
        let before = with_payments(order(4, Kind::First), &[(&WECHAT, PaymentStatus::Closed)]);
        let booking = with_live(pending(), before.clone());
        let change = start(&booking, now_ms);
        check_change(&booking, &change);
        let payment_id = IDS.payment(&before.order_id, &WECHAT, 2);
        let echo = Echo {
            booking_id: booking.booking_id.clone(),
            order_id: before.order_id.clone(),
            order_seq: 4,
            attempt: 2,
        };
        let plan = PaymentPlan {
            payment_id: payment_id.clone(),
            description: "Desk x 3".to_owned(),
            amount: before.amount,
            expires_at: t(PAY_BY_MS),
            echo: IDS.seal_echo(&echo),
        };
        let [task] = &change.tasks[..] else {
            panic!("one task: {change:?}");
        };
        let create_body = body(&plan);
        let kind = TaskKind::QueryPayment { payment_id, create_body };
        assert_eq!(task.kind, kind);
        assert_eq!(task.due_at, t((now_ms + 60_000).min(PAY_BY_MS)), "{now_ms}");
        let record = Record::Order { order_id: before.order_id, order_seq: 4 };
        assert_eq!(task.record, record);
    }
}

/// What a gateway can say to a create request.
fn answers() -> [(&'static str, Created); 4] {
    let payable = |gateway_ref: Option<&str>| Created::Payable {
        code_url: "code".to_owned(),
        gateway_ref: gateway_ref.map(str::to_owned),
    };
    [
        ("payable", payable(None)),
        ("payable with its own id", payable(Some("cs_1"))),
        ("closed", Created::Closed),
        ("refused", Created::Refused),
    ]
}

#[test]
fn an_answer_is_stored_while_the_payment_is_being_created_and_else_changes_nothing() {
    for status in PAYMENT_STATUSES {
        for (name, answer) in answers() {
            let order = with_payments(order(1, Kind::First), &[(&WECHAT, status)]);
            let booking = with_live(pending(), order.clone());
            let payment_id = &order.payments[0].payment_id;
            let change = decided(&booking, |booking| {
                payment_created(booking, &order, payment_id, answer.clone(), t(9))
            });
            let expected = match (status, name) {
                (PaymentStatus::Creating, "payable" | "payable with its own id") => {
                    Some(PaymentStatus::Payable)
                }
                (PaymentStatus::Creating, "closed") => Some(PaymentStatus::Closed),
                (PaymentStatus::Creating, _) => Some(PaymentStatus::Failed),
                // What is to be closed is closed by the gateway's own id.
                (PaymentStatus::Closing | PaymentStatus::Failed, "payable with its own id") => {
                    Some(status)
                }
                _ => None,
            };
            let after = change.map(|change| {
                // The attempt that was refused is closed all the same.
                let closes = name == "refused";
                assert_eq!(to_close(&change).contains(payment_id), closes);
                assert_eq!(change.tasks.len(), usize::from(closes));
                assert_eq!(change.booking.version, booking.version + 1);
                change.booking.live_order.unwrap().payments.remove(0)
            });
            let got = after.as_ref().map(|payment| payment.status);
            assert_eq!(got, expected, "{status:?} {name}");
            if let Some(payment) = after {
                check_code(&payment, name);
            }
        }
    }
}

fn check_code(payment: &Payment, name: &str) {
    let payable = payment.status == PaymentStatus::Payable;
    let code = payable.then_some("code");
    assert_eq!(payment.code_url.as_deref(), code, "a code that is not wanted is not stored");
    let own_id = (name == "payable with its own id").then_some("cs_1");
    assert_eq!(payment.gateway_ref.as_deref(), own_id);
}

#[test]
fn the_code_of_a_payment_is_shown_only_if_it_is_still_wanted() {
    let (_, payable) = answers().into_iter().nth(1).unwrap();
    let shown = |booking: &Booking, order: &Order| {
        let payment_id = &order.payments[0].payment_id;
        let change = payment_created(booking, order, payment_id, payable.clone(), t(9)).unwrap();
        change.shows(payment_id)
    };
    let creating = with_payments(order(1, Kind::First), &[(&WECHAT, PaymentStatus::Creating)]);
    assert!(shown(&with_live(pending(), creating.clone()), &creating));
    for status in ENDED {
        let order = ended(creating.clone(), status);
        assert!(!shown(&with_live(pending(), order_now()), &order), "{status:?}");
    }
}

fn order_now() -> Order {
    with_payments(order(2, Kind::First), &[(&WECHAT, PaymentStatus::Payable)])
}

#[test]
fn an_answer_for_an_ended_order_is_kept_with_it_and_leaves_the_live_one_alone() {
    let creating = with_payments(order(1, Kind::First), &[(&STRIPE, PaymentStatus::Creating)]);
    let before = ended(creating, OrderStatus::Superseded);
    let booking = with_live(pending(), order_now());
    let payment_id = &before.payments[0].payment_id;
    for (name, answer) in answers() {
        let change = payment_created(&booking, &before, payment_id, answer, t(9));
        assert_eq!(change.is_some(), name == "payable with its own id", "{name}");
        let Some(change) = change else {
            continue;
        };
        check_change(&booking, &change);
        assert_eq!(change.booking.live_order, booking.live_order);
        assert_eq!(change.ended.len(), 1);
        assert_eq!(change.ended[0].payments[0].gateway_ref.as_deref(), Some("cs_1"));
    }
}

#[test]
fn an_id_that_is_stored_is_not_written_again() {
    let mut order = with_payments(order(1, Kind::First), &[(&STRIPE, PaymentStatus::Closing)]);
    order.payments[0].gateway_ref = Some("cs_1".to_owned());
    let booking = with_live(pending(), order.clone());
    let payment_id = &order.payments[0].payment_id;
    for (name, answer) in answers() {
        let change = payment_created(&booking, &order, payment_id, answer, t(9));
        assert_eq!(change, None, "{name}");
    }
}

#[test]
fn an_answer_for_a_payment_that_is_not_stored_changes_nothing() {
    let order = with_payments(order(1, Kind::First), &[(&STRIPE, PaymentStatus::Creating)]);
    let booking = with_live(pending(), order.clone());
    let payment_id = IDS.payment(&order.order_id, &STRIPE, 2);
    for (name, answer) in answers() {
        let change = payment_created(&booking, &order, &payment_id, answer, t(9));
        assert_eq!(change, None, "{name}");
    }
}
