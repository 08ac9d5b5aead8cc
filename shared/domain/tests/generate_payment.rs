//! Generating a payment: the first one, the same one again, or one at another gateway.

use domain::booking::{Booking, BookingStatus, Order, OrderStatus, Payment, PaymentStatus};
use domain::change::Change;
use domain::decide::Rejection;
use domain::decide::generate_payment::{Asked, Generating, generate_payment};
use domain::decide::start_payment::{ATTEMPTS_MAX, Created, payment_created};
use domain::gateway::GatewayName;
use domain::ids::{OrderId, PaymentId};
use domain::product::{Flow, Kind, PriceCheck, Product};
use domain::quote::{Quote, price};
use rules::to_close;

use crate::support::*;

/// Everything that one request depends on; by itself it is accepted.
#[derive(Clone, PartialEq, Debug)]
struct Asking {
    booking: Booking,
    product: Product,
    quote: Option<Quote>,
    order_id: OrderId,
    ended: Option<Order>,
    gateway: GatewayName,
    now_ms: i64,
}

impl Asking {
    fn of(order: Order) -> Self {
        let booking = with_live(booking_for(order.kind), order.clone());
        Self {
            product: product_of(order.flow),
            quote: Some(quote_of(&booking, &order)),
            booking,
            order_id: order.order_id,
            ended: None,
            gateway: WECHAT.clone(),
            now_ms: 1,
        }
    }

    fn decide(&self) -> Result<Generating, Rejection> {
        decided(self, |asking| {
            let asked = Asked {
                quote: asking.quote.as_ref(),
                order_id: &asking.order_id,
                ended: asking.ended.as_ref(),
            };
            let (at, env) = (at(&asking.gateway), env(asking.now_ms));
            generate_payment(&asking.booking, &asking.product, asked, at, env)
        })
    }

    fn quote(&mut self) -> &mut Quote {
        self.quote.as_mut().unwrap()
    }

    fn live(&mut self) -> &mut Order {
        self.booking.live_order.as_mut().unwrap()
    }

    fn start(&self) -> (Change, PaymentId) {
        match self.decide() {
            Ok(Generating::Started { change, payment_id }) => (*change, payment_id),
            other => panic!("not started: {other:?}"),
        }
    }
}

/// What came of it in a word, without what it carries.
fn outcome(got: &Result<Generating, Rejection>) -> &'static str {
    match got {
        Ok(Generating::Started { .. }) => "started",
        Ok(Generating::Shown(_)) => "shown",
        Ok(Generating::Unfinished(_)) => "unfinished",
        Err(Rejection::QuoteTampered) => "tampered",
        Err(Rejection::NotFound) => "not found",
        Err(
            Rejection::OrderSuperseded { .. }
            | Rejection::OrderAlreadyPaid
            | Rejection::OrderClosed {
                status:
                    OrderStatus::Paid
                    | OrderStatus::Superseded
                    | OrderStatus::Stale
                    | OrderStatus::Expired
                    | OrderStatus::Cancelled,
                ..
            },
        ) => "ended",
        Err(Rejection::GatewayNotAccepted) => "gateway",
        Err(Rejection::BookingNotPayable) => "state",
        Err(Rejection::RenewalLimitReached { .. }) => "limit",
        Err(Rejection::OrderClosed { status: OrderStatus::Pending, .. }) => "time",
        Err(Rejection::QuoteExpired { .. }) => "expired",
        Err(Rejection::QuoteStale { .. }) => "stale",
        Err(Rejection::AttemptsExhausted) => "attempts",
        Err(
            other @ (Rejection::QuantityOutOfRange { .. }
            | Rejection::FlowMismatch
            | Rejection::GatewayRequired
            | Rejection::IdempotencyMismatch),
        ) => panic!("not a reason of generate-payment: {other:?}"),
    }
}

/// The order with all of its attempts at WeChat Pay spent, and the time to pay not begun: not
/// stored like that, but so that no check hides another.
fn spent(order: &Order) -> Order {
    let attempts = [(&*WECHAT, PaymentStatus::Closed); ATTEMPTS_MAX as usize];
    Order { pay_by: order.pay_by, ..with_payments(order.clone(), &attempts) }
}

type Fault = (&'static str, fn(&mut Asking));

/// One way to break each check, in the order in which they are made. An order that has ended is
/// there, so that "not found" and "ended" never meet.
const FAULTS: [Fault; 10] = [
    ("tampered", |a| a.quote().customer_id = "mallory".to_owned()),
    ("not found", |a| {
        let another = order(9, Kind::Renewal);
        a.quote().token_id = another.token_id;
        a.quote().order_id = Some(another.order_id.clone());
        a.order_id = another.order_id;
    }),
    ("ended", |a| a.ended = Some(ended(order(1, Kind::Renewal), OrderStatus::Expired))),
    ("gateway", |a| a.product.gateways = vec![STRIPE.clone()]),
    ("state", |a| a.booking.status = BookingStatus::Cancelled),
    ("limit", |a| a.booking.renewals = 12),
    ("time", |a| a.live().pay_by = Some(t(1))),
    ("expired", |a| a.quote().offer.expires_at = t(1)),
    ("stale", |a| a.product.price_version = "other".to_owned()),
    ("attempts", |a| *a.live() = spent(a.booking.live_order.as_ref().unwrap())),
];

#[test]
fn the_first_reason_to_refuse_decides() {
    let fine = Asking::of(order(1, Kind::Renewal));
    assert_eq!(outcome(&fine.decide()), "started");
    for (at, (expected, first)) in FAULTS.iter().enumerate() {
        let mut asking = fine.clone();
        first(&mut asking);
        assert_eq!(outcome(&asking.decide()), *expected, "by itself");
        let later = FAULTS[at + 1..].iter();
        for (name, fault) in later.filter(|(name, _)| (*expected, *name) != ("not found", "ended"))
        {
            let mut both = asking.clone();
            fault(&mut both);
            assert_eq!(outcome(&both.decide()), *expected, "before {name}");
        }
    }
}

#[test]
fn a_token_is_bound_to_its_booking_its_customer_and_its_order() {
    let changes: [fn(&mut Asking); 6] = [
        |a| a.quote = None,
        |a| a.quote().booking_id = IDS.booking("alice", "other", &IDS.product_tag("desk")),
        |a| a.quote().customer_id = "bob".to_owned(),
        |a| a.quote().token_id = token(2),
        |a| a.quote().order_id = Some(order(2, Kind::First).order_id),
        |a| a.order_id = order(2, Kind::First).order_id,
    ];
    for (at, change) in changes.iter().enumerate() {
        let mut asking = Asking::of(order(1, Kind::First));
        change(&mut asking);
        assert_eq!(outcome(&asking.decide()), "tampered", "{at}");
    }
    // A submit_once token names no order; its own id does.
    let mut unnamed = Asking::of(order(1, Kind::First));
    unnamed.quote().order_id = None;
    assert_eq!(outcome(&unnamed.decide()), "started");
}

#[test]
fn an_ended_order_says_how_it_ended_and_what_the_page_can_go_on_with() {
    let live = order(2, Kind::First);
    let offer = || price(&pending(), &DESK, 3, t(1)).ok().map(Box::new);
    let closed = |status| Rejection::OrderClosed { status, offer: offer() };
    let superseded = Rejection::OrderSuperseded { live: Some(Box::new(live.clone())) };
    for (status, expected) in [
        (OrderStatus::Paid, Rejection::OrderAlreadyPaid),
        (OrderStatus::Superseded, superseded),
        (OrderStatus::Stale, closed(OrderStatus::Stale)),
        (OrderStatus::Expired, closed(OrderStatus::Expired)),
        (OrderStatus::Cancelled, closed(OrderStatus::Cancelled)),
    ] {
        let asking = Asking {
            booking: with_live(pending(), live.clone()),
            ended: Some(ended(order(1, Kind::First), status)),
            ..Asking::of(order(1, Kind::First))
        };
        assert_eq!(asking.decide(), Err(expected), "{status:?}");
    }
}

#[test]
fn the_first_payment_sets_pay_by_and_becomes_the_current_one() {
    for kind in [Kind::First, Kind::Renewal] {
        let asking = Asking::of(order(1, kind));
        let (change, payment_id) = asking.start();
        check_change(&asking.booking, &change);
        let live = change.booking.live_order.as_ref().unwrap();
        assert_eq!(live.pay_by, Some(t(1 + PAY_BY_MS)));
        let expected = Payment {
            payment_id: IDS.payment(&asking.order_id, &WECHAT, 1),
            gateway: WECHAT.clone(),
            attempt: 1,
            status: PaymentStatus::Creating,
            code_url: None,
            gateway_ref: None,
            transaction_id: None,
            paid_at: None,
        };
        assert_eq!(live.payments, [expected]);
        assert!(change.shows(&payment_id));
        assert_eq!((change.made, change.ended), (None, vec![]));
    }
}

#[test]
fn the_same_request_again_is_the_same_payment() {
    let asking = Asking::of(order(1, Kind::First));
    let (change, payment_id) = asking.start();
    let mut again = Asking { booking: change.booking, ..asking };
    assert_eq!(again.decide(), Ok(Generating::Unfinished(payment_id.clone())));
    let created = Created::Payable { code_url: "code".to_owned(), gateway_ref: None };
    let live = again.live().clone();
    let change = payment_created(&again.booking, &live, &payment_id, created, t(2)).unwrap();
    again.booking = change.booking;
    assert_eq!(again.decide(), Ok(Generating::Shown(payment_id)));
}

#[test]
fn a_spent_attempt_makes_room_for_the_next_one_at_that_gateway() {
    for (status, expected) in [
        (PaymentStatus::Creating, "unfinished"),
        (PaymentStatus::Payable, "shown"),
        (PaymentStatus::Closing, "started"),
        (PaymentStatus::Paid, "started"),
        (PaymentStatus::Closed, "started"),
        (PaymentStatus::Failed, "started"),
    ] {
        let order = with_payments(order(1, Kind::First), &[(&WECHAT, status)]);
        let asking = Asking::of(order.clone());
        let got = asking.decide();
        assert_eq!(outcome(&got), expected, "{status:?}");
        if let Ok(Generating::Started { change, payment_id }) = got {
            check_change(&asking.booking, &change);
            assert_eq!(payment_id, IDS.payment(&order.order_id, &WECHAT, 2));
            assert_eq!(to_close(&change), []);
            assert_eq!(change.booking.live_order.unwrap().pay_by, order.pay_by, "set once");
        }
    }
}

#[test]
fn there_are_attempts_max_attempts_at_each_gateway() {
    for (spent, expected) in
        [(ATTEMPTS_MAX - 1, "started"), (ATTEMPTS_MAX, "attempts"), (ATTEMPTS_MAX + 1, "attempts")]
    {
        let payments = vec![(&*WECHAT, PaymentStatus::Closed); spent as usize];
        let mut asking = Asking::of(with_payments(order(1, Kind::First), &payments));
        assert_eq!(outcome(&asking.decide()), expected, "{spent}");
        asking.gateway = ALIPAY.clone();
        assert_eq!(outcome(&asking.decide()), "started", "another gateway is another count");
    }
}

#[test]
fn the_last_attempt_is_still_shown() {
    let mut payments = vec![(&*WECHAT, PaymentStatus::Closed); ATTEMPTS_MAX as usize];
    *payments.last_mut().unwrap() = (&*WECHAT, PaymentStatus::Payable);
    let asking = Asking::of(with_payments(order(1, Kind::First), &payments));
    assert_eq!(outcome(&asking.decide()), "shown");
}

#[test]
fn switching_there_and_back_closes_each_code_left_behind_and_never_shows_it_again() {
    let mut asking = Asking::of(order(1, Kind::First));
    let mut left: Option<PaymentId> = None;
    for (gateway, attempt) in
        [(&*WECHAT, 1), (&*ALIPAY, 1), (&*WECHAT, 2), (&*ALIPAY, 2), (&*STRIPE, 1)]
    {
        asking.gateway = gateway.clone();
        asking.now_ms += 1_000;
        let (change, payment_id) = asking.start();
        check_change(&asking.booking, &change);
        assert_eq!(payment_id, IDS.payment(&asking.order_id, gateway, attempt));
        assert_eq!(to_close(&change), left.iter().cloned().collect::<Vec<_>>());
        assert!(change.shows(&payment_id));
        if let Some(left) = &left {
            assert!(!change.shows(left));
        }
        left = Some(payment_id);
        asking.booking = change.booking;
    }
    let live = asking.live();
    assert_eq!(live.pay_by, Some(t(1 + 1_000 + PAY_BY_MS)), "never moved");
    let open = live.payments.iter().filter(|payment| payment.is_open());
    assert_eq!(open.count(), 1);
}

#[test]
fn no_code_is_shown_or_made_from_pay_by_on() {
    for (now_ms, same, other) in [
        (PAY_BY_MS - 1, "shown", "started"),
        (PAY_BY_MS, "time", "time"),
        (PAY_BY_MS + 1, "time", "time"),
    ] {
        let order = with_payments(order(1, Kind::First), &[(&WECHAT, PaymentStatus::Payable)]);
        for (gateway, expected) in [(&*WECHAT, same), (&*ALIPAY, other)] {
            let asking = Asking { gateway: gateway.clone(), now_ms, ..Asking::of(order.clone()) };
            assert_eq!(outcome(&asking.decide()), expected, "{now_ms} {gateway}");
        }
    }
}

#[test]
fn the_quote_bounds_the_first_payment_only() {
    for (now_ms, expected) in
        [(QUOTE_ENDS_MS - 1, "started"), (QUOTE_ENDS_MS, "expired"), (QUOTE_ENDS_MS + 1, "expired")]
    {
        let asking = Asking { now_ms, ..Asking::of(order(1, Kind::First)) };
        assert_eq!(outcome(&asking.decide()), expected, "{now_ms}");
    }
    let switched = |status| {
        let order = with_payments(order(1, Kind::First), &[(&WECHAT, status)]);
        let mut asking = Asking::of(order);
        asking.live().pay_by = Some(t(QUOTE_ENDS_MS + DAY_MS));
        asking.now_ms = QUOTE_ENDS_MS + 1;
        asking.product = product(|p| p.first_unit_price = cny(9_999));
        asking
    };
    for (status, expected) in [
        (PaymentStatus::Payable, "shown"),
        (PaymentStatus::Creating, "unfinished"),
        (PaymentStatus::Closed, "started"),
        (PaymentStatus::Failed, "started"),
    ] {
        assert_eq!(outcome(&switched(status).decide()), expected, "{status:?}");
    }
}

#[test]
fn the_price_is_checked_at_the_first_payment_unless_the_product_says_not_to() {
    for (price_check, flow, expired, expected) in [
        (PriceCheck::On, Flow::OrderFirst, false, "stale"),
        (PriceCheck::Off, Flow::OrderFirst, false, "started"),
        (PriceCheck::On, Flow::OrderFirst, true, "expired"),
        (PriceCheck::Off, Flow::OrderFirst, true, "expired"),
    ] {
        let order = Order { flow, ..order(1, Kind::First) };
        let asking = Asking {
            product: product(|p| {
                p.price_check = price_check;
                p.first_unit_price = cny(9_999);
            }),
            now_ms: if expired { QUOTE_ENDS_MS } else { 1 },
            ..Asking::of(order)
        };
        let got = asking.decide();
        assert_eq!(outcome(&got), expected, "{price_check:?} {expired}");
        if let Err(Rejection::QuoteStale { offer } | Rejection::QuoteExpired { offer }) = got {
            assert_eq!(offer.unwrap().amount, cny(3 * 9_999), "what the page can go on with");
        }
    }
}

#[test]
fn a_price_that_is_not_checked_stays_what_the_page_showed() {
    let asking = Asking {
        product: product(|p| {
            p.price_check = PriceCheck::Off;
            p.first_unit_price = cny(9_999);
        }),
        ..Asking::of(order(1, Kind::First))
    };
    let shown = asking.booking.live_order.as_ref().unwrap().amount;
    let (change, _) = asking.start();
    assert_eq!(change.booking.live_order.unwrap().amount, shown);
    assert_eq!(change.booking.pins, asking.booking.pins);
}

#[test]
fn a_renewals_code_is_shown_and_made_until_the_term_ends() {
    for (now_ms, first, again) in [
        (TERM_ENDS_MS - 1, "started", "shown"),
        (TERM_ENDS_MS, "state", "state"),
        (TERM_ENDS_MS + 1, "state", "state"),
    ] {
        let mut late = order(1, Kind::Renewal);
        late.quote_expires_at = t(TERM_ENDS_MS + DAY_MS);
        let paying = with_payments(late.clone(), &[(&WECHAT, PaymentStatus::Payable)]);
        let paying = Order { pay_by: Some(t(TERM_ENDS_MS + DAY_MS)), ..paying };
        for (order, expected) in [(late, first), (paying, again)] {
            let asking = Asking { now_ms, ..Asking::of(order) };
            assert_eq!(outcome(&asking.decide()), expected, "{now_ms}");
        }
    }
}

#[test]
fn every_flow_shows_its_payment_again_and_switches() {
    for flow in [Flow::SubmitOnce, Flow::OrderFirst, Flow::Instant] {
        let order = Order {
            flow,
            ..with_payments(order(1, Kind::First), &[(&WECHAT, PaymentStatus::Payable)])
        };
        let mut asking = Asking::of(order);
        assert_eq!(outcome(&asking.decide()), "shown", "{flow:?}");
        asking.gateway = ALIPAY.clone();
        assert_eq!(outcome(&asking.decide()), "started", "{flow:?}");
        // The order keeps its flow although its product is sold by another one now.
        asking.product = product_of(Flow::OrderFirst);
        assert_eq!(outcome(&asking.decide()), "started", "{flow:?}");
    }
}

#[test]
fn a_code_that_is_out_is_shown_again_though_its_product_has_given_the_gateway_up() {
    let shown = with_payments(order(1, Kind::First), &[(&WECHAT, PaymentStatus::Payable)]);
    let mut asking = Asking::of(shown);
    asking.product.gateways = vec![];
    assert_eq!(outcome(&asking.decide()), "shown");
    asking.gateway = ALIPAY.clone();
    assert_eq!(outcome(&asking.decide()), "gateway");
}
