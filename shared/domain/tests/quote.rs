//! Quoting: what a quantity costs a booking, and what the flow makes with the quote.

use domain::booking::{Booking, BookingStatus, Order, OrderStatus, PaymentStatus, Pins, Term};
use domain::change::Change;
use domain::decide::Rejection;
use domain::decide::make_order::Making;
use domain::decide::quote::{QuoteRequest, Quoted, quote, token_id};
use domain::gateway::GatewayName;
use domain::ids::PaymentId;
use domain::product::{Flow, Kind, LatePayment, Product, ProductDefinition, Tier, Unit};
use domain::quote::{Offer, price};
use jiff::Timestamp;
use rules::to_close;

use crate::support::*;

fn ask(quantity: u32) -> QuoteRequest<'static> {
    QuoteRequest {
        quantity,
        gateway: Some(&WECHAT),
        idempotency_key: Some("key"),
        fresh: [1; 16],
        create_body: &body,
    }
}

fn quoted(booking: &Booking, product: &Product, request: QuoteRequest<'_>, now_ms: i64) -> Quoted {
    decided(booking, |booking| quote(booking, product, None, request, env(now_ms))).unwrap()
}

fn made(quoted: Quoted) -> (Change, Option<PaymentId>) {
    match quoted.making {
        Some(Making::Made { change, payment_id }) => (*change, payment_id),
        other => panic!("nothing made: {other:?}"),
    }
}

/// The offer, or the refusal, in a row's words.
fn check_price(
    booking: &Booking,
    product: &Product,
    quantity: u32,
    now_ms: i64,
    expected: Result<(Kind, i64), Rejection>,
) {
    let got = decided(booking, |booking| price(booking, product, quantity, t(now_ms)));
    let got = got.map(|offer| (offer.kind, offer.amount.amount));
    assert_eq!(got, expected, "{quantity} units at {now_ms} ms of {booking:?}");
}

const NOT_PAYABLE: Rejection = Rejection::BookingNotPayable;

#[test]
fn a_quantity_is_priced_inside_the_range_only() {
    let product = product(|p| (p.min_quantity, p.max_quantity) = (2, 5));
    let refused = Rejection::QuantityOutOfRange { min: 2, max: 5 };
    for (quantity, expected) in [
        (0, Err(refused.clone())),
        (1, Err(refused.clone())),
        (2, Ok((Kind::First, 2560))),
        (3, Ok((Kind::First, 3840))),
        (4, Ok((Kind::First, 5120))),
        (5, Ok((Kind::First, 6400))),
        (6, Err(refused.clone())),
        (u32::MAX, Err(refused)),
    ] {
        check_price(&pending(), &product, quantity, 0, expected);
    }
}

#[test]
fn the_tier_of_the_whole_quantity_and_the_kind_make_the_unit_price() {
    let tier = |min_quantity, first, renewal| Tier {
        min_quantity,
        first_unit_price: cny(first),
        renewal_unit_price: cny(renewal),
    };
    let product = product(|p| p.tiers = vec![tier(7, 1000, 900), tier(30, 800, 700)]);
    for (quantity, first, renewal) in [
        (1, 1280, 990),
        (6, 1280, 990),
        (7, 1000, 900),
        (8, 1000, 900),
        (29, 1000, 900),
        (30, 800, 700),
        (31, 800, 700),
        (90, 800, 700),
    ] {
        let units = i64::from(quantity);
        check_price(&pending(), &product, quantity, 0, Ok((Kind::First, first * units)));
        check_price(&active(), &product, quantity, 0, Ok((Kind::Renewal, renewal * units)));
    }
}

#[test]
fn what_can_be_bought_follows_from_the_bookings_state_and_the_clock() {
    for (booking, now_ms, expected) in [
        (pending(), 0, Ok((Kind::First, 1280))),
        (pending(), 365 * DAY_MS, Ok((Kind::First, 1280))),
        (active(), TERM_ENDS_MS - 1, Ok((Kind::Renewal, 990))),
        (active(), TERM_ENDS_MS, Err(NOT_PAYABLE)),
        (active(), TERM_ENDS_MS + 1, Err(NOT_PAYABLE)),
        (cancelled(), 0, Err(NOT_PAYABLE)),
    ] {
        check_price(&booking, &DESK, 1, now_ms, expected);
    }
}

#[test]
fn renewals_are_offered_up_to_the_limit_that_the_booking_pinned() {
    let renewed = |renewals, max| {
        let mut booking = active();
        booking.renewals = renewals;
        booking.pins.max_renewals = max;
        booking
    };
    let refused = |max| Err(Rejection::RenewalLimitReached { max });
    for (renewals, max, expected) in [
        (0, 0, refused(0)),
        (0, 1, Ok((Kind::Renewal, 990))),
        (1, 1, refused(1)),
        // The product says 12 now; the booking was opened under another limit.
        (12, 13, Ok((Kind::Renewal, 990))),
        (11, 11, refused(11)),
        (14, 13, refused(13)),
    ] {
        check_price(&renewed(renewals, max), &DESK, 1, 0, expected);
    }
    let mut never = pending();
    never.pins.max_renewals = 0;
    check_price(&never, &DESK, 1, 0, Ok((Kind::First, 1280)));
}

#[test]
fn an_unpaid_booking_follows_its_products_unit_and_currency_and_a_paid_one_refuses() {
    type Row = (&'static str, fn(&mut ProductDefinition), bool, bool);
    let rows: [Row; 7] = [
        // What changed; whether an unpaid and a paid booking are still offered something.
        ("nothing", |_| {}, true, true),
        ("price", |p| p.first_unit_price = cny(1), true, true),
        ("time zone", |p| p.time_zone = "UTC".to_owned(), true, true),
        ("renewals", |p| p.max_renewals = 1, true, true),
        ("unit", |p| p.unit = Unit::Hour, true, false),
        ("currency", in_dollars, true, false),
        ("retired", retired, false, false),
    ];
    for (changed, change, unpaid, paid) in rows {
        let product = product(change);
        for (booking, expected) in [(pending(), unpaid), (active(), paid), (cancelled(), false)] {
            let got = price(&booking, &product, 1, t(0));
            let refused = got.as_ref().err().is_none_or(|why| *why == NOT_PAYABLE);
            assert!(refused, "{changed}: {got:?}");
            assert_eq!(got.is_ok(), expected, "{changed}: {:?}", booking.status);
        }
    }
}

#[test]
fn a_booking_is_pinned_again_only_where_unit_or_currency_changed() {
    for (change, pinned_again) in [
        ((|p| p.max_renewals = 1) as fn(&mut ProductDefinition), false),
        (|p| p.time_zone = "UTC".to_owned(), false),
        (|p| (p.unit, p.max_renewals) = (Unit::Hour, 1), true),
        (in_dollars, true),
    ] {
        let product = product(change);
        let (change, _) = made(quoted(&pending(), &product, ask(1), 0));
        let expected = if pinned_again { Pins::of(&product) } else { pending().pins };
        assert_eq!(change.booking.pins, expected);
    }
}

#[test]
fn a_term_past_the_calendars_end_is_not_offered() {
    let refused = Rejection::QuantityOutOfRange { min: 1, max: 90 };
    // The calendar ends on 30 December 9999.
    let ends_ms = "9999-12-29T00:00:00Z".parse::<Timestamp>().unwrap().as_millisecond();
    let from_start_ms = ends_ms - t(0).as_millisecond();
    check_price(&pending(), &DESK, 1, from_start_ms, Ok((Kind::First, 1280)));
    check_price(&pending(), &DESK, 2, from_start_ms, Err(refused.clone()));
    let mut paid = active();
    paid.pins.unit = Unit::Month;
    let monthly = product(|p| p.unit = Unit::Month);
    // February 2026 and 7973 years and ten months is December 9999.
    for (quantity_paid, expected) in [
        (95_685, Ok((Kind::Renewal, 990))),
        (95_686, Err(refused.clone())),
        (u32::MAX, Err(refused)),
    ] {
        let starts_at = "2026-02-20T00:00:00Z".parse().unwrap();
        let valid_until = t(TERM_ENDS_MS);
        paid.term = Some(Term { starts_at, valid_until });
        paid.quantity_paid = quantity_paid;
        check_price(&paid, &monthly, 1, 0, expected);
    }
}

#[test]
fn an_offer_says_everything_that_the_token_signs() {
    let offer = Offer {
        flow: Flow::OrderFirst,
        kind: Kind::Renewal,
        quantity: 3,
        unit: Unit::Day,
        unit_price: cny(990),
        amount: cny(2970),
        price_version: DESK.price_version.clone(),
        term_base: Some(t(TERM_ENDS_MS)),
        issued_at: t(5),
        expires_at: t(5 + QUOTE_ENDS_MS),
    };
    assert_eq!(price(&active(), &DESK, 3, t(5)), Ok(offer));
    assert_eq!(price(&pending(), &DESK, 3, t(5)).unwrap().term_base, None);
}

#[test]
fn the_first_reason_to_refuse_decides() {
    type Break = fn(&mut Booking, &mut Product, &mut QuoteRequest<'static>);
    let cancel: Break = |booking, _, _| booking.status = BookingStatus::Cancelled;
    let range = Rejection::QuantityOutOfRange { min: 1, max: 90 };
    let limit = Rejection::RenewalLimitReached { max: 12 };
    let no_wechat: Break = |_, product, _| product.gateways = vec![ALIPAY.clone()];
    let too_many: Break = |_, _, request| request.quantity = 91;
    let renewed: Break = |booking, _, _| booking.renewals = 12;
    let dollars: Break = |_, product, _| product.currency = money(1, "USD").currency;
    let endless: Break = |booking, _, _| booking.quantity_paid = u32::MAX;
    // The state comes before the limit: each pair of neighbours, the earlier one first.
    for (breaks, expected) in [
        (vec![no_wechat, too_many], Rejection::GatewayNotAccepted),
        (vec![too_many, cancel], range.clone()),
        (vec![cancel, renewed], NOT_PAYABLE),
        (vec![renewed, dollars], limit),
        (vec![dollars, endless], NOT_PAYABLE),
        (vec![endless], range),
    ] {
        let (mut booking, mut product, mut request) = (active(), product(|_| {}), ask(1));
        for change in breaks {
            change(&mut booking, &mut product, &mut request);
        }
        let got = decided(&booking, |b| quote(b, &product, None, request, env(0)));
        assert_eq!(got, Err(expected));
    }
}

#[test]
fn a_gateway_must_be_accepted_and_instant_needs_one() {
    let accepted: Result<(), Rejection> = Ok(());
    for (flow, gateway, expected) in [
        (Flow::SubmitOnce, None, accepted.clone()),
        (Flow::OrderFirst, None, accepted.clone()),
        (Flow::Instant, None, Err(Rejection::GatewayRequired)),
        (Flow::SubmitOnce, Some(&*WECHAT), accepted.clone()),
        (Flow::OrderFirst, Some(&*WECHAT), accepted.clone()),
        (Flow::Instant, Some(&*WECHAT), accepted),
        (Flow::SubmitOnce, Some(&*STRIPE), Err(Rejection::GatewayNotAccepted)),
        (Flow::OrderFirst, Some(&*STRIPE), Err(Rejection::GatewayNotAccepted)),
        (Flow::Instant, Some(&*STRIPE), Err(Rejection::GatewayNotAccepted)),
    ] {
        let product = product(|p| {
            p.flow = flow;
            p.gateways = vec![WECHAT.clone()];
        });
        let request = QuoteRequest { gateway, ..ask(1) };
        let got = quote(&pending(), &product, None, request, env(0)).map(|_| ());
        assert_eq!(got, expected, "{flow:?} {gateway:?}");
    }
}

#[test]
fn submit_once_makes_nothing_with_a_quote() {
    let product = product_of(Flow::SubmitOnce);
    let quoted = quoted(&pending(), &product, ask(3), 0);
    assert_eq!((quoted.making, quoted.quote.order_id), (None, None));
    assert_eq!(quoted.quote.offer.amount, cny(3840));
    assert_eq!(quoted.quote.customer_id, "alice");
}

#[test]
fn order_first_makes_the_live_order_and_no_payment() {
    for (kind, unit_price) in [(Kind::First, 1280), (Kind::Renewal, 990)] {
        let booking = booking_for(kind);
        let quoted = quoted(&booking, &DESK, ask(3), 7);
        let said = quoted.quote.clone();
        let (change, payment_id) = made(quoted);
        check_change(&booking, &change);
        let expected = Order {
            order_id: IDS.order(&said.token_id),
            token_id: said.token_id.clone(),
            seq: booking.orders_made,
            kind,
            unit_price: cny(unit_price),
            amount: cny(3 * unit_price),
            quote_issued_at: t(7),
            quote_expires_at: t(7 + QUOTE_ENDS_MS),
            created_at: t(7),
            ..order(0, kind)
        };
        assert_eq!(change.booking.live_order, Some(expected.clone()));
        assert_eq!(change.made, Some((expected.order_id.clone(), expected.seq)));
        assert_eq!(change.booking.orders_made, booking.orders_made + 1);
        assert_eq!(payment_id, None);
        assert_eq!((change.tasks, change.ended), (vec![], vec![]));
        assert_eq!(said.order_id, Some(expected.order_id.clone()));
        assert_eq!(quote_of(&booking, &expected), said, "its token can be signed again");
    }
}

#[test]
fn instant_makes_order_and_payment_at_once() {
    let product = product(|p| {
        p.flow = Flow::Instant;
        p.payment_ttl_s = None;
    });
    let quoted = quoted(&pending(), &product, ask(3), 0);
    let order_id = quoted.quote.order_id.clone().unwrap();
    let (change, payment_id) = made(quoted);
    check_change(&pending(), &change);
    let order = change.booking.live(&order_id).unwrap();
    let payment = order.current_payment().unwrap();
    assert_eq!(Some(&payment.payment_id), payment_id.as_ref());
    assert_eq!(payment.payment_id, IDS.payment(&order_id, &WECHAT, 1));
    assert_eq!(order.pay_by, Some(t(120_000)), "the default of 120 s");
    assert!(change.shows(&payment.payment_id));
}

#[test]
fn a_newer_order_voids_the_pending_one_in_the_same_commit() {
    const PAYMENTS: [(&[PaymentStatus], &[usize]); 6] = [
        // What the older order has, and which of it is to be closed.
        (&[], &[]),
        (&[PaymentStatus::Creating], &[0]),
        (&[PaymentStatus::Payable], &[0]),
        (&[PaymentStatus::Closing, PaymentStatus::Payable], &[1]),
        (&[PaymentStatus::Closed, PaymentStatus::Failed], &[]),
        (&[PaymentStatus::Paid], &[]),
    ];
    for (payments, closed) in PAYMENTS {
        for flow in [Flow::OrderFirst, Flow::Instant] {
            let payments: Vec<_> = payments.iter().map(|status| (&*ALIPAY, *status)).collect();
            let older = with_payments(order(1, Kind::First), &payments);
            let booking = with_live(pending(), older.clone());
            let (change, _) = made(quoted(&booking, &product_of(flow), ask(1), 9));
            check_change(&booking, &change);
            let newer = change.booking.live_order.as_ref().unwrap();
            assert_eq!(newer.seq, older.seq + 1);
            let ended = Order {
                status: OrderStatus::Superseded,
                superseded_by: Some(newer.order_id.clone()),
                ..ended(older.clone(), OrderStatus::Superseded)
            };
            assert_eq!(change.ended, [ended]);
            let id_of = |at: &usize| older.payments[*at].payment_id.clone();
            assert_eq!(to_close(&change), closed.iter().map(id_of).collect::<Vec<_>>());
        }
    }
}

#[test]
fn the_same_key_names_the_same_order_whenever_it_is_asked_for() {
    let id = |request, now_ms| quoted(&active(), &DESK, request, now_ms).quote.order_id;
    let once = id(ask(3), 0);
    assert_eq!(id(ask(3), TERM_ENDS_MS - 1), once);
    let fresh = [2; 16];
    assert_eq!(id(QuoteRequest { fresh, ..ask(3) }, 0), once, "a key needs no randomness");
}

#[test]
fn every_part_of_a_keyed_quote_makes_another_token_and_order() {
    let base = || (active(), product(|_| {}), ask(3));
    let ids = |(booking, product, request): (Booking, Product, QuoteRequest<'_>)| {
        let quote = quoted(&booking, &product, request, 0).quote;
        (quote.token_id, quote.order_id)
    };
    let of_another_booking = |(mut booking, product, request): (Booking, _, _)| {
        booking.booking_id = IDS.booking("alice", "another", &IDS.product_tag("desk"));
        (booking, product, request)
    };
    let with = |request| (active(), product(|_| {}), request);
    let mut longer = active();
    longer.term = Some(Term {
        starts_at: active().term.unwrap().starts_at,
        valid_until: t(TERM_ENDS_MS + DAY_MS),
    });
    let all = [
        ids(base()),
        ids(of_another_booking(base())),
        ids(with(QuoteRequest { idempotency_key: Some("other"), ..ask(3) })),
        ids((pending(), product(|_| {}), ask(3))),
        ids(with(ask(2))),
        ids(with(QuoteRequest { gateway: Some(&ALIPAY), ..ask(3) })),
        ids(with(QuoteRequest { gateway: None, ..ask(3) })),
        ids((active(), product(|p| p.renewal_unit_price = cny(991)), ask(3))),
        ids((active(), product_of(Flow::Instant), ask(3))),
        ids((longer, product(|_| {}), ask(3))),
    ];
    for (at, one) in all.iter().enumerate() {
        for other in &all[..at] {
            assert_ne!(one.0, other.0, "tokens {at}");
            assert_ne!(one.1, other.1, "orders {at}");
        }
    }
}

#[test]
fn a_keyed_token_follows_what_is_offered_and_not_when() {
    let offer = || price(&active(), &DESK, 3, t(0)).unwrap();
    let token = |offer: Offer| token_id(&active(), &offer, ask(3), env(0));
    let base = token(offer());
    for (part, changed) in [
        ("kind", Offer { kind: Kind::First, ..offer() }),
        ("quantity", Offer { quantity: 2, ..offer() }),
        ("price version", Offer { price_version: "other".to_owned(), ..offer() }),
        ("term base", Offer { term_base: Some(t(TERM_ENDS_MS + 1_000)), ..offer() }),
        ("no term base", Offer { term_base: None, ..offer() }),
    ] {
        assert_ne!(token(changed), base, "{part}");
    }
    let later = Offer { issued_at: t(5), expires_at: t(6), ..offer() };
    assert_eq!(token(later), base);
}

#[test]
fn without_a_key_randomness_alone_makes_the_token() {
    let request = |fresh| QuoteRequest { idempotency_key: None, fresh, ..ask(3) };
    let token = |fresh| quoted(&pending(), &DESK, request(fresh), 0).quote.token_id;
    assert_eq!(token([1; 16]), token([1; 16]));
    assert_ne!(token([1; 16]), token([2; 16]));
    let keyed = quoted(&pending(), &DESK, ask(3), 0).quote.token_id;
    assert_ne!(token([1; 16]), keyed);
}

#[test]
fn the_same_key_again_finds_the_live_order_and_its_first_quote() {
    for flow in [Flow::OrderFirst, Flow::Instant] {
        for booking in [pending(), active()] {
            let product = product_of(flow);
            let first = quoted(&booking, &product, ask(3), 0);
            let said = first.quote.clone();
            let (change, _) = made(first);
            let again = quoted(&change.booking, &product, ask(3), 60_000);
            let live = change.booking.live_order.map(Box::new).unwrap();
            assert_eq!(again.making, Some(Making::Again(live)), "{flow:?}");
            assert_eq!(again.quote, said, "the time of the first quote holds");
        }
    }
}

#[test]
fn the_same_key_again_finds_an_ended_order_and_makes_nothing() {
    for status in ENDED {
        let first = quoted(&pending(), &DESK, ask(3), 0);
        let said = first.quote.clone();
        let (change, _) = made(first);
        let earlier = ended(change.booking.live_order.unwrap(), status);
        let newer = with_live(pending(), order(5, Kind::First));
        let again = decided(&newer, |b| quote(b, &DESK, Some(&earlier), ask(3), env(1))).unwrap();
        assert_eq!(again.making, Some(Making::Again(Box::new(earlier))), "{status:?}");
        assert_eq!(again.quote, said);
    }
}

#[test]
fn the_same_key_after_the_order_was_paid_is_a_renewal_from_the_new_term() {
    let first = quoted(&pending(), &DESK, ask(3), 0).quote;
    let renewal = quoted(&active(), &DESK, ask(3), 0).quote;
    assert_eq!(renewal.offer.kind, Kind::Renewal);
    assert_ne!(first.token_id, renewal.token_id);
}

#[test]
fn a_quote_holds_until_something_that_it_says_would_be_said_otherwise() {
    type Change = fn(&mut Booking, &mut Product);
    let rows: [(&str, Change, bool); 9] = [
        ("nothing", |_, _| {}, true),
        ("another order", |b, _| b.live_order = Some(order(5, Kind::Renewal)), true),
        ("lifetime", |_, p| p.quote_ttl_s = 300, true),
        ("price version", |_, p| p.price_version = "other".to_owned(), false),
        ("flow", |_, p| p.flow = Flow::Instant, false),
        ("unit price", |_, p| p.renewal_unit_price = cny(991), false),
        ("range", |_, p| p.max_quantity = 2, false),
        ("cancelled", |b, _| b.status = BookingStatus::Cancelled, false),
        (
            "renewed meanwhile",
            |b, _| {
                let starts_at = t(0);
                b.term = Some(Term { starts_at, valid_until: t(TERM_ENDS_MS + DAY_MS) });
            },
            false,
        ),
    ];
    let said = quoted(&active(), &DESK, ask(3), 0).quote;
    for (changed, change, holds) in rows {
        let (mut booking, mut product) = (active(), product(|_| {}));
        change(&mut booking, &mut product);
        assert_eq!(said.still_holds(&booking, &product, t(1)), holds, "{changed}");
    }
    let first = quoted(&pending(), &DESK, ask(3), 0).quote;
    assert!(first.still_holds(&pending(), &DESK, t(1)));
    assert!(!first.still_holds(&active(), &DESK, t(1)), "paid meanwhile");
}

#[test]
fn each_part_of_a_quote_must_be_what_would_be_said_now() {
    type Change = fn(&mut Offer);
    let rows: [(&str, Change, bool); 9] = [
        ("when", |said| (said.issued_at, said.expires_at) = (t(-9), t(-8)), true),
        ("flow", |said| said.flow = Flow::Instant, false),
        ("kind", |said| said.kind = Kind::First, false),
        ("quantity", |said| said.quantity = 2, false),
        ("unit", |said| said.unit = Unit::Hour, false),
        ("unit price", |said| said.unit_price = cny(1), false),
        ("amount", |said| said.amount = cny(1), false),
        ("price version", |said| said.price_version = "other".to_owned(), false),
        ("term base", |said| said.term_base = Some(t(TERM_ENDS_MS - 1)), false),
    ];
    for (part, change, holds) in rows {
        let mut said = quoted(&active(), &DESK, ask(3), 0).quote;
        change(&mut said.offer);
        assert_eq!(said.still_holds(&active(), &DESK, t(1)), holds, "{part}");
    }
}

#[test]
fn an_order_pins_its_flow_and_late_payment_policy() {
    for late_payment in [LatePayment::Accept, LatePayment::Refund] {
        for flow in [Flow::OrderFirst, Flow::Instant] {
            let product = product(|p| (p.flow, p.late_payment) = (flow, late_payment));
            let (change, _) = made(quoted(&pending(), &product, ask(1), 0));
            let live = change.booking.live_order.unwrap();
            assert_eq!((live.flow, live.late_payment), (flow, late_payment));
        }
    }
}

#[test]
fn no_gateway_is_no_part_of_a_submit_once_price() {
    let product = product_of(Flow::SubmitOnce);
    let amount = |gateway: Option<&'static GatewayName>| {
        let request = QuoteRequest { gateway, ..ask(3) };
        quoted(&pending(), &product, request, 0).quote.offer
    };
    assert_eq!(amount(None), amount(Some(&WECHAT)));
}
