//! Creating the order of a `submit_once` quote, with its payment.

use domain::booking::{Booking, BookingStatus, Order, OrderStatus, PaymentStatus, Term};
use domain::change::Change;
use domain::decide::Rejection;
use domain::decide::make_order::{Making, create_order};
use domain::gateway::GatewayName;
use domain::ids::PaymentId;
use domain::product::{Flow, Kind, Product};
use domain::quote::{Quote, price};
use rules::to_close;

use crate::support::*;

/// Everything that one request depends on; by itself it is accepted.
#[derive(Clone, PartialEq, Debug)]
struct Asking {
    booking: Booking,
    product: Product,
    quote: Option<Quote>,
    earlier: Option<Order>,
    gateway: GatewayName,
    now_ms: i64,
}

impl Asking {
    fn by(booking: Booking) -> Self {
        let product = product_of(Flow::SubmitOnce);
        let quote = Quote {
            token_id: token(1),
            booking_id: booking.booking_id.clone(),
            customer_id: booking.customer_id.clone(),
            order_id: None,
            offer: price(&booking, &product, 3, t(0)).unwrap(),
        };
        Self {
            booking,
            product,
            quote: Some(quote),
            earlier: None,
            gateway: WECHAT.clone(),
            now_ms: 1,
        }
    }

    fn decide(&self) -> Result<Making, Rejection> {
        decided(self, |asking| {
            let (quote, earlier) = (asking.quote.as_ref(), asking.earlier.as_ref());
            let (at, env) = (at(&asking.gateway), env(asking.now_ms));
            create_order(&asking.booking, &asking.product, quote, earlier, at, env)
        })
    }

    fn quote(&mut self) -> &mut Quote {
        self.quote.as_mut().unwrap()
    }

    fn make(&self) -> (Change, PaymentId) {
        match self.decide() {
            Ok(Making::Made { change, payment_id }) => (*change, payment_id.unwrap()),
            other => panic!("not made: {other:?}"),
        }
    }
}

/// The refusal without what it carries.
fn reason(got: &Result<Making, Rejection>) -> &'static str {
    match got {
        Ok(_) => "accepted",
        Err(Rejection::FlowMismatch) => "flow",
        Err(Rejection::QuoteTampered) => "tampered",
        Err(Rejection::IdempotencyMismatch) => "mismatch",
        Err(Rejection::GatewayNotAccepted) => "gateway",
        Err(Rejection::BookingNotPayable) => "state",
        Err(Rejection::RenewalLimitReached { .. }) => "limit",
        Err(Rejection::QuoteExpired { .. }) => "expired",
        Err(Rejection::QuoteStale { .. }) => "stale",
        Err(
            other @ (Rejection::QuantityOutOfRange { .. }
            | Rejection::GatewayRequired
            | Rejection::OrderSuperseded { .. }
            | Rejection::OrderClosed { .. }
            | Rejection::OrderAlreadyPaid
            | Rejection::AttemptsExhausted
            | Rejection::NotFound),
        ) => panic!("not a reason of create-order: {other:?}"),
    }
}

type Fault = (&'static str, fn(&mut Asking));

/// One way to break each check, in the order in which they are made.
const FAULTS: [Fault; 8] = [
    ("tampered", |a| a.quote().customer_id = "mallory".to_owned()),
    ("flow", |a| a.quote().offer.flow = Flow::OrderFirst),
    ("mismatch", |a| {
        let made = with_payments(order(1, Kind::Renewal), &[(&ALIPAY, PaymentStatus::Payable)]);
        a.earlier = Some(made);
    }),
    ("gateway", |a| a.product.gateways = vec![STRIPE.clone()]),
    ("state", |a| a.booking.status = BookingStatus::Cancelled),
    ("limit", |a| a.booking.renewals = 12),
    ("expired", |a| a.quote().offer.expires_at = t(1)),
    ("stale", |a| a.product.price_version = "other".to_owned()),
];

#[test]
fn the_first_reason_to_refuse_decides() {
    assert_eq!(reason(&Asking::by(active()).decide()), "accepted");
    for (at, (expected, first)) in FAULTS.iter().enumerate() {
        let mut asking = Asking::by(active());
        first(&mut asking);
        assert_eq!(reason(&asking.decide()), *expected, "by itself");
        for (name, later) in &FAULTS[at + 1..] {
            let mut both = asking.clone();
            later(&mut both);
            assert_eq!(reason(&both.decide()), *expected, "before {name}");
        }
    }
}

#[test]
fn the_call_is_for_submit_once_quotes_only() {
    for (product, token, expected) in [
        (Flow::SubmitOnce, Some(Flow::SubmitOnce), "accepted"),
        (Flow::SubmitOnce, Some(Flow::OrderFirst), "flow"),
        (Flow::SubmitOnce, Some(Flow::Instant), "flow"),
        (Flow::SubmitOnce, None, "tampered"),
        // A page from before the product's flow changed hears that its quote is stale.
        (Flow::OrderFirst, Some(Flow::SubmitOnce), "stale"),
        (Flow::OrderFirst, Some(Flow::OrderFirst), "flow"),
        (Flow::OrderFirst, None, "flow"),
        (Flow::Instant, Some(Flow::Instant), "flow"),
        (Flow::Instant, None, "flow"),
    ] {
        let mut asking = Asking::by(pending());
        asking.product = product_of(product);
        match token {
            Some(flow) => asking.quote().offer.flow = flow,
            None => asking.quote = None,
        }
        assert_eq!(reason(&asking.decide()), expected, "{product:?} {token:?}");
    }
}

#[test]
fn a_token_is_bound_to_its_booking_and_its_customer() {
    let changes: [fn(&mut Quote); 2] = [
        |quote| quote.booking_id = IDS.booking("alice", "other", &IDS.product_tag("desk")),
        |quote| quote.customer_id = "bob".to_owned(),
    ];
    for change in changes {
        let mut asking = Asking::by(pending());
        change(asking.quote());
        assert_eq!(reason(&asking.decide()), "tampered");
    }
}

#[test]
fn a_quote_is_taken_until_it_expires_and_brings_a_new_offer_after_that() {
    for (now_ms, expected) in [
        (QUOTE_ENDS_MS - 1, "accepted"),
        (QUOTE_ENDS_MS, "expired"),
        (QUOTE_ENDS_MS + 1, "expired"),
    ] {
        let asking = Asking { now_ms, ..Asking::by(pending()) };
        let got = asking.decide();
        assert_eq!(reason(&got), expected, "{now_ms}");
        if let Err(Rejection::QuoteExpired { offer }) = got {
            let fresh = price(&asking.booking, &asking.product, 3, t(now_ms)).unwrap();
            assert_eq!(offer, Some(Box::new(fresh)));
        }
    }
}

#[test]
fn a_renewal_is_taken_until_the_term_ends_and_only_from_the_term_that_was_quoted() {
    for (now_ms, expected) in
        [(TERM_ENDS_MS - 1, "accepted"), (TERM_ENDS_MS, "state"), (TERM_ENDS_MS + 1, "state")]
    {
        let mut asking = Asking::by(active());
        asking.quote().offer.expires_at = t(TERM_ENDS_MS + DAY_MS);
        asking.now_ms = now_ms;
        assert_eq!(reason(&asking.decide()), expected, "{now_ms}");
    }
    let mut renewed_meanwhile = Asking::by(active());
    renewed_meanwhile.booking.term =
        Some(Term { valid_until: t(TERM_ENDS_MS + DAY_MS), ..active().term.unwrap() });
    let Err(Rejection::QuoteStale { offer: Some(offer) }) = renewed_meanwhile.decide() else {
        panic!("stale");
    };
    assert_eq!(offer.term_base, Some(t(TERM_ENDS_MS + DAY_MS)));
}

#[test]
fn a_first_quote_after_the_booking_was_paid_for_is_stale_and_brings_a_renewal() {
    let mut asking = Asking::by(pending());
    asking.booking = active();
    let Err(Rejection::QuoteStale { offer: Some(offer) }) = asking.decide() else {
        panic!("stale");
    };
    assert_eq!((offer.kind, offer.amount), (Kind::Renewal, cny(2970)));
}

#[test]
fn renewals_are_made_up_to_the_limit() {
    for (renewals, expected) in [(11, "accepted"), (12, "limit"), (13, "limit")] {
        let mut asking = Asking::by(active());
        asking.booking.renewals = renewals;
        assert_eq!(reason(&asking.decide()), expected, "{renewals}");
    }
}

#[test]
fn order_and_payment_are_made_in_one_commit_and_void_the_older_order() {
    for booking in [pending(), active()] {
        let kind = booking.kind_at(t(0)).unwrap();
        let older = with_payments(order(7, kind), &[(&ALIPAY, PaymentStatus::Payable)]);
        let asking = Asking::by(with_live(booking, older.clone()));
        let (change, payment_id) = asking.make();
        check_change(&asking.booking, &change);
        let live = change.booking.live_order.clone().unwrap();
        assert_eq!(live.order_id, IDS.order(&token(1)));
        assert_eq!((live.kind, live.amount), (kind, asking.quote.unwrap().offer.amount));
        assert_eq!((live.seq, live.flow), (8, Flow::SubmitOnce));
        assert_eq!(change.made, Some((live.order_id.clone(), 8)));
        assert!(change.shows(&payment_id));
        assert_eq!(payment_id, IDS.payment(&live.order_id, &WECHAT, 1));
        let ended = change.order(&older.order_id).unwrap();
        assert_eq!(ended.status, OrderStatus::Superseded);
        assert_eq!(ended.superseded_by, Some(live.order_id));
        assert_eq!(to_close(&change), [older.payments[0].payment_id.clone()]);
    }
}

#[test]
fn the_same_token_again_is_the_same_order_live_or_ended_whatever_changed_meanwhile() {
    let asking = Asking::by(pending());
    let (change, _) = asking.make();
    let live = change.booking.live_order.clone().unwrap();
    let worse = |booking, earlier| Asking {
        booking,
        earlier,
        product: product(|p| {
            p.flow = Flow::SubmitOnce;
            retired(p);
        }),
        now_ms: QUOTE_ENDS_MS,
        ..asking.clone()
    };
    let again = worse(change.booking.clone(), None).decide();
    assert_eq!(again, Ok(Making::Again(Box::new(live.clone()))));
    for status in ENDED {
        let order = ended(live.clone(), status);
        let again = worse(cancelled(), Some(order.clone())).decide();
        assert_eq!(again, Ok(Making::Again(Box::new(order))), "{status:?}");
    }
}

#[test]
fn the_same_token_at_another_gateway_is_another_request() {
    let asking = Asking::by(pending());
    let (change, _) = asking.make();
    let elsewhere = Asking { booking: change.booking, gateway: ALIPAY.clone(), ..asking };
    assert_eq!(elsewhere.decide(), Err(Rejection::IdempotencyMismatch));
}

#[test]
fn the_same_token_is_still_the_same_order_after_its_gateway_was_switched() {
    let asking = Asking::by(pending());
    let (change, _) = asking.make();
    let mut switched = change.booking.live_order.unwrap();
    switched.payments[0].status = PaymentStatus::Closing;
    let switched = with_payments(switched, &[(&ALIPAY, PaymentStatus::Payable)]);
    let again = Asking { booking: with_live(pending(), switched.clone()), ..asking };
    assert_eq!(again.decide(), Ok(Making::Again(Box::new(switched))));
}
