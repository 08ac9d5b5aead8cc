//! The notification table, row by row: every combination of what can be stored and captured,
//! decided, and compared with a plain reading of the contract's table.

use domain::booking::{
    Booking, BookingStatus, EndReason, Order, OrderStatus, Payment, PaymentStatus, RefundReason,
    RefundStatus, Term,
};
use domain::change::Change;
use domain::decide::record_payment::{Recording, record_payment};
use domain::gateway::Capture;
use domain::ids::PaymentId;
use domain::product::{Kind, LatePayment, Product};
use domain::task::TaskKind;

use crate::support::*;

/// What is stored of the captured transaction and of its payment's own.
#[derive(Clone, Copy, PartialEq, Debug)]
enum Stored {
    Nothing,
    ThisOne,
    ThisOneAndItsRefund,
    Another,
    AnotherAndItsRefund,
    AnotherAndThisOnesRefund,
}

#[derive(Clone, Copy, PartialEq, Debug)]
enum Amount {
    Equal,
    OneLess,
    OneMore,
    OtherCurrency,
}

#[derive(Clone, Copy, PartialEq, Debug)]
enum Paid {
    JustInTime,
    AtPayBy,
    JustLate,
}

/// The booking at the payment time.
#[derive(Clone, Copy, PartialEq, Debug)]
enum State {
    PendingPayment,
    Cancelled,
    /// Active, its term ending that many milliseconds after the payment, with renewals left or not.
    Active {
        ends_after_ms: i64,
        renewals: Renewals,
    },
}

#[derive(Clone, Copy, PartialEq, Debug)]
enum Renewals {
    OneLeft,
    NoneLeft,
}

#[derive(Clone, Copy, Debug)]
struct Case {
    order: OrderStatus,
    payment: PaymentStatus,
    stored: Stored,
    amount: Amount,
    paid: Paid,
    price_changed: bool,
    policy: LatePayment,
    kind: Kind,
    booking: State,
}

#[derive(Clone, Copy, PartialEq, Debug)]
enum Verdict {
    Nothing,
    Refund(RefundReason),
    RefundAndExpire,
    Apply,
}

/// The table of the contract, from top to bottom; the first row that fits decides.
fn by_the_table(case: &Case) -> Verdict {
    match case.stored {
        Stored::ThisOne | Stored::ThisOneAndItsRefund | Stored::AnotherAndThisOnesRefund => {
            return Verdict::Nothing;
        }
        Stored::Another | Stored::AnotherAndItsRefund => {
            return Verdict::Refund(RefundReason::DuplicatePayment);
        }
        Stored::Nothing => {}
    }
    if case.amount != Amount::Equal {
        return Verdict::Refund(RefundReason::AmountMismatch);
    }
    match case.order {
        OrderStatus::Paid => return Verdict::Refund(RefundReason::DuplicatePayment),
        OrderStatus::Superseded => return Verdict::Refund(RefundReason::Superseded),
        OrderStatus::Stale => return Verdict::Refund(RefundReason::Stale),
        OrderStatus::Expired => return Verdict::Refund(RefundReason::Expired),
        OrderStatus::Cancelled => return Verdict::Refund(RefundReason::Cancelled),
        OrderStatus::Pending => {}
    }
    let fits = match (case.kind, case.booking) {
        (Kind::First, State::PendingPayment) => true,
        (Kind::Renewal, State::Active { ends_after_ms, renewals }) => {
            ends_after_ms > 0 && renewals == Renewals::OneLeft
        }
        (Kind::First, State::Cancelled | State::Active { .. })
        | (Kind::Renewal, State::PendingPayment | State::Cancelled) => false,
    };
    if !fits {
        return Verdict::Refund(RefundReason::BookingNotPayable);
    }
    let late = case.paid == Paid::JustLate;
    if late && (case.price_changed || case.policy == LatePayment::Refund) {
        return Verdict::RefundAndExpire;
    }
    Verdict::Apply
}

const HEARD_MS: i64 = PAY_BY_MS + 3_600_000;

impl Case {
    fn paid_at_ms(&self) -> i64 {
        match self.paid {
            Paid::JustInTime => PAY_BY_MS - 1,
            Paid::AtPayBy => PAY_BY_MS,
            Paid::JustLate => PAY_BY_MS + 1,
        }
    }

    fn booking(&self) -> Booking {
        match self.booking {
            State::PendingPayment => pending(),
            State::Cancelled => cancelled(),
            State::Active { ends_after_ms, renewals } => {
                let ends_ms = self.paid_at_ms() + ends_after_ms;
                let term = Term { starts_at: t(ends_ms - 30 * DAY_MS), valid_until: t(ends_ms) };
                let max = active().pins.max_renewals;
                let renewals = match renewals {
                    Renewals::OneLeft => max - 1,
                    Renewals::NoneLeft => max,
                };
                Booking { term: Some(term), renewals, ..active() }
            }
        }
    }

    /// The captured payment is the first at WeChat Pay. Where it is not the current one, another
    /// one is; a paid order was paid by another one unless by this one.
    fn order(&self) -> Order {
        let other = match (self.order, self.payment) {
            (OrderStatus::Paid, _) if self.stored != Stored::ThisOne => PaymentStatus::Paid,
            (OrderStatus::Pending, PaymentStatus::Creating | PaymentStatus::Payable) => {
                PaymentStatus::Closing
            }
            _ => PaymentStatus::Payable,
        };
        let payments =
            [(&*WECHAT, self.payment), (&*ALIPAY, other), (&*STRIPE, PaymentStatus::Closed)];
        let mut order = with_payments(order(1, self.kind), &payments);
        if self.order != OrderStatus::Pending {
            order = ended(order, self.order);
        }
        order.payments[0].status = self.payment;
        let (transaction, refunded): (_, &[&str]) = match self.stored {
            Stored::Nothing => (None, &[]),
            Stored::ThisOne => (Some("tx"), &[]),
            Stored::ThisOneAndItsRefund => (Some("tx"), &["tx"]),
            Stored::Another => (Some("tx-before"), &[]),
            Stored::AnotherAndItsRefund => (Some("tx-before"), &["tx-before"]),
            Stored::AnotherAndThisOnesRefund => (Some("tx-before"), &["tx-before", "tx"]),
        };
        let payment_id = order.payments[0].payment_id.clone();
        order.payments[0].transaction_id = transaction.map(str::to_owned);
        let refunds = refunded.iter().map(|id| refund(&payment_id, id, cny(1)));
        order.refunds = refunds.collect();
        order
    }

    fn capture(&self, order: &Order) -> Capture {
        let amount = order.amount.amount;
        let captured = match self.amount {
            Amount::Equal => order.amount,
            Amount::OneLess => cny(amount - 1),
            Amount::OneMore => cny(amount + 1),
            Amount::OtherCurrency => money(amount, "USD"),
        };
        capture("tx", captured, self.paid_at_ms())
    }
}

/// What one decision is made of.
#[derive(Clone, PartialEq, Debug)]
struct Scene {
    booking: Booking,
    order: Order,
    payment_id: PaymentId,
    capture: Capture,
}

impl Scene {
    fn of(case: &Case, stored: &Order, another: &Order) -> Self {
        let order = Order { late_payment: case.policy, ..stored.clone() };
        let live = if case.order == OrderStatus::Pending {
            &order
        } else {
            // An ended order must not disturb the one that is live now.
            another
        };
        Self {
            booking: with_live(case.booking(), live.clone()),
            payment_id: order.payments[0].payment_id.clone(),
            capture: case.capture(&order),
            order,
        }
    }

    fn record(&self, product: &Product) -> Recording {
        let Self { booking, order, payment_id, capture } = self;
        record_payment(booking, Some(order), payment_id, capture, product, env(HEARD_MS))
    }
}

fn check(case: &Case, scene: Scene, product: &Product) {
    let recording = decided(&scene, |scene| scene.record(product));
    let verdict = by_the_table(case);
    let change = match (&recording, verdict) {
        (Recording::Settled, Verdict::Nothing) => return,
        (Recording::Applied(change), Verdict::Apply) => {
            check_applied(&scene, change);
            change
        }
        (Recording::Refunded { change, reason }, Verdict::Refund(expected)) => {
            assert_eq!(*reason, expected, "{case:?}");
            check_refunded(&scene, change, expected, case.order);
            change
        }
        (Recording::Refunded { change, reason }, Verdict::RefundAndExpire) => {
            assert_eq!(*reason, RefundReason::LatePayment, "{case:?}");
            check_refunded(&scene, change, *reason, OrderStatus::Expired);
            change
        }
        (got, expected) => panic!("{case:?}: by the table {expected:?}, but {got:?}"),
    };
    check_change(&scene.booking, change);
    check_the_other_live_order(&scene, change);
    let again = Scene {
        booking: change.booking.clone(),
        order: change.order(&scene.order.order_id).unwrap().clone(),
        ..scene
    };
    assert_eq!(again.record(product), Recording::Settled, "{case:?}: applied twice");
}

fn check_applied(scene: &Scene, change: &Change) {
    let (before, after) = (&scene.booking, &change.booking);
    let order = change.order(&scene.order.order_id).unwrap();
    assert_eq!(scene.capture.captured, order.amount, "applied as shown");
    assert_eq!(after.status, BookingStatus::Active);
    assert_eq!(after.live_order, None);
    assert_eq!((order.status, order.reason), (OrderStatus::Paid, None));
    assert_eq!(order.refunds, scene.order.refunds, "nothing goes back");
    assert_eq!(to_refund(change), Vec::<&_>::new());
    let current = order.current_payment().unwrap();
    assert_eq!(current.payment_id, scene.payment_id);
    assert_eq!(after.quantity_paid, before.quantity_paid + order.quantity);
    let starts_at = before.term.map_or(t(HEARD_MS), |term| term.starts_at);
    let days_ms = DAY_MS * i64::from(after.quantity_paid);
    let ends_ms = starts_at.as_millisecond() + days_ms;
    let term = after.term.unwrap();
    assert_eq!(term.starts_at, starts_at);
    assert_eq!(term.valid_until.as_millisecond(), ends_ms);
    let one_more = u32::from(order.kind == Kind::Renewal);
    assert_eq!(after.renewals, before.renewals + one_more);
    assert!(after.renewals <= after.pins.max_renewals);
}

fn check_refunded(scene: &Scene, change: &Change, reason: RefundReason, left_as: OrderStatus) {
    let after = &change.booking;
    let order = change.order(&scene.order.order_id).unwrap();
    assert_eq!(order.status, left_as);
    if reason == RefundReason::LatePayment {
        assert_eq!(order.reason, Some(EndReason::LatePayment));
    } else {
        assert_eq!(order.reason, scene.order.reason);
    }
    let (refund, earlier) = order.refunds.split_last().unwrap();
    assert_eq!(earlier, scene.order.refunds, "one new refund");
    let Capture { transaction_id, captured, .. } = &scene.capture;
    assert!(refund.is_of(&scene.payment_id, transaction_id));
    assert_eq!((refund.amount, refund.reason), (*captured, reason));
    assert_eq!((refund.status, refund.attempt), (RefundStatus::Due, 1));
    assert_eq!((refund.updated_at, &refund.attention), (t(HEARD_MS), &None));
    let [task] = to_refund(change)[..] else {
        panic!("one refund task: {change:?}");
    };
    let expected = TaskKind::Refund {
        payment_id: scene.payment_id.clone(),
        transaction_id: transaction_id.clone(),
        first_refund_id: refund.refund_id.clone(),
    };
    assert_eq!((&task.kind, task.due_at), (&expected, t(HEARD_MS)));
    check_captured(scene, order);
    let untouched = Booking {
        version: after.version,
        live_order: after.live_order.clone(),
        ..scene.booking.clone()
    };
    assert_eq!(*after, untouched, "money that goes back buys nothing");
}

/// The payment is paid and keeps the first transaction that it ever had.
fn check_captured(scene: &Scene, order: &Order) {
    let before = scene.order.payment(&scene.payment_id).unwrap();
    let expected = match &before.transaction_id {
        Some(_) => before.clone(),
        None => Payment {
            status: PaymentStatus::Paid,
            code_url: None,
            transaction_id: Some(scene.capture.transaction_id.clone()),
            paid_at: Some(scene.capture.paid_at),
            ..before.clone()
        },
    };
    assert_eq!(order.payment(&scene.payment_id), Some(&expected));
}

fn check_the_other_live_order(scene: &Scene, change: &Change) {
    if scene.order.status != OrderStatus::Pending {
        assert_eq!(change.booking.live_order, scene.booking.live_order);
    }
}

fn booking_states() -> Vec<State> {
    let mut states = vec![State::PendingPayment, State::Cancelled];
    for ends_after_ms in [-1, 0, 1] {
        for renewals in [Renewals::OneLeft, Renewals::NoneLeft] {
            states.push(State::Active { ends_after_ms, renewals });
        }
    }
    states
}

const STORED: [Stored; 6] = [
    Stored::Nothing,
    Stored::ThisOne,
    Stored::ThisOneAndItsRefund,
    Stored::Another,
    Stored::AnotherAndItsRefund,
    Stored::AnotherAndThisOnesRefund,
];
const AMOUNTS: [Amount; 4] =
    [Amount::Equal, Amount::OneLess, Amount::OneMore, Amount::OtherCurrency];

const TIMES: [Paid; 3] = [Paid::JustInTime, Paid::AtPayBy, Paid::JustLate];
const PRICE_RULES: [(bool, LatePayment); 4] = [
    (false, LatePayment::Accept),
    (false, LatePayment::Refund),
    (true, LatePayment::Accept),
    (true, LatePayment::Refund),
];

/// Every case of one order status; how many there were.
fn check_all(order: OrderStatus) -> usize {
    let mut count = 0_usize;
    for payment in PAYMENT_STATUSES {
        for stored in STORED {
            for kind in [Kind::First, Kind::Renewal] {
                count += check_captures(Case {
                    order,
                    payment,
                    stored,
                    kind,
                    amount: Amount::Equal,
                    paid: Paid::JustInTime,
                    price_changed: false,
                    policy: LatePayment::Accept,
                    booking: State::PendingPayment,
                });
            }
        }
    }
    count
}

/// Everything that can be captured for what this case has stored.
fn check_captures(of: Case) -> usize {
    let other_price = product(|p| p.renewal_unit_price = cny(991));
    let stored = of.order();
    let another = order(2, of.kind);
    let another = with_payments(another, &[(&WECHAT, PaymentStatus::Payable)]);
    let mut count = 0_usize;
    for amount in AMOUNTS {
        for paid in TIMES {
            for (price_changed, policy) in PRICE_RULES {
                for booking in booking_states() {
                    let case = Case { amount, paid, price_changed, policy, booking, ..of };
                    let product = if price_changed { &other_price } else { &*DESK };
                    check(&case, Scene::of(&case, &stored, &another), product);
                    count += 1;
                }
            }
        }
    }
    count
}

/// 6 payment states, 6 stored transactions, 4 amounts, 3 times, 4 price rules, 2 kinds, 8 bookings.
const CASES: usize = 6 * 6 * 4 * 3 * 4 * 2 * 8;

#[test]
fn every_payment_of_a_pending_order_goes_by_the_table() {
    assert_eq!(check_all(OrderStatus::Pending), CASES);
}

#[test]
fn every_payment_of_a_paid_order_goes_by_the_table() {
    assert_eq!(check_all(OrderStatus::Paid), CASES);
}

#[test]
fn every_payment_of_a_superseded_order_goes_by_the_table() {
    assert_eq!(check_all(OrderStatus::Superseded), CASES);
}

#[test]
fn every_payment_of_a_stale_order_goes_by_the_table() {
    assert_eq!(check_all(OrderStatus::Stale), CASES);
}

#[test]
fn every_payment_of_an_expired_order_goes_by_the_table() {
    assert_eq!(check_all(OrderStatus::Expired), CASES);
}

#[test]
fn every_payment_of_a_cancelled_order_goes_by_the_table() {
    assert_eq!(check_all(OrderStatus::Cancelled), CASES);
}
