//! The rules that nothing may break, in any sequence of decisions.
//!
//! One booking, its ended orders, a product that changes, gateways that capture money for any code
//! at any time, and a clock. Steps are drawn at random; after each of them every rule is checked on
//! all that is stored, and money is counted.

use std::collections::{BTreeMap, BTreeSet};

use domain::booking::{Booking, Order, RefundStatus};
use domain::change::Change;
use domain::decide::cancel::{Cancelling, cancel_booking, cancel_order};
use domain::decide::close_payment::{expire_order, payment_closed};
use domain::decide::generate_payment::{Asked, Generating, generate_payment};
use domain::decide::make_order::{Making, create_order};
use domain::decide::open_booking::open_booking;
use domain::decide::quote::{QuoteRequest, quote, token_id};
use domain::decide::record_payment::{Recording, record_payment};
use domain::decide::record_refund::{
    Foreign, ForeignKind, RefundNews, RefundOf, record_foreign, record_refund,
};
use domain::decide::start_payment::{Created, payment_created};
use domain::decide::{Env, Rejection};
use domain::gateway::{Capture, GatewayName};
use domain::ids::{OrderId, PaymentId};
use domain::money::Money;
use domain::product::{Flow, LatePayment, PriceCheck, Product, ProductDefinition, Unit};
use domain::quote::{Quote, price};
use domain::task::{Task, TaskId, TaskKind};
use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;
use rules::{Stored, check_may_be_applied, check_successor, check_voided, is_ours};

use crate::support::*;

/// One thing that happens. Numbers choose among what there is: see [`pick`].
#[derive(Clone, Debug)]
enum Step {
    Wait {
        ms: i64,
    },
    ChangeProduct {
        to: usize,
    },
    Quote {
        quantity: u32,
        gateway: usize,
        key: usize,
    },
    CreateOrder {
        quote: usize,
        gateway: usize,
    },
    GeneratePayment {
        quote: usize,
        gateway: usize,
    },
    Created {
        payment: usize,
        answer: Created,
    },
    /// A customer goes all the way to the wallet.
    Buy {
        quantity: u32,
        gateway: usize,
    },
    /// A wallet pays a code; the notification is yet to come.
    Pay {
        payment: usize,
        amount: Amount,
        paid_at: PaidAt,
    },
    /// A notification arrives, maybe not for the first time.
    Notify {
        capture: usize,
    },
    Closed {
        payment: usize,
    },
    Expire,
    CancelOrder {
        order: usize,
    },
    CancelBooking,
    /// The gateway does something with an attempt of a refund, and we hear of it.
    Refund {
        refund: usize,
        attempt: u32,
        fate: Fate,
    },
    ForeignRefund {
        payment: usize,
        number: u8,
    },
}

#[derive(Clone, Copy, Debug)]
enum Amount {
    Exact,
    OneMore,
    OtherCurrency,
}

#[derive(Clone, Copy, Debug)]
enum PaidAt {
    Now,
    FromPayBy { ms: i64 },
    FromTermEnd { ms: i64 },
}

/// What a gateway does with an attempt of a refund.
#[derive(Clone, Copy, PartialEq, Debug)]
enum Fate {
    Accepts,
    Pays,
    Fails,
    Refuses,
    /// Nothing: what it said of a success before the failure arrives only now.
    ToldLate,
    /// Nothing: we ask how it stands.
    Asked,
}

/// How an attempt stands at its gateway.
#[derive(Clone, Copy, PartialEq, Debug)]
enum Attempt {
    Accepted,
    Paid,
    /// Refused: somebody may put right what it was refused for.
    Refused,
    /// Failed, perhaps after it was paid: such an attempt never pays again.
    Failed,
}

type Transaction = (PaymentId, String);

struct Captured {
    order_id: OrderId,
    payment_id: PaymentId,
    capture: Capture,
    recorded: bool,
}

impl Captured {
    fn as_told(&self) -> rules::Captured<'_> {
        let Self { order_id, payment_id, capture, recorded: _ } = self;
        rules::Captured { order_id, payment_id, capture }
    }
}

struct World {
    now_ms: i64,
    product: Product,
    booking: Booking,
    ended: BTreeMap<OrderId, Order>,
    tasks: BTreeMap<String, Task>,
    quotes: Vec<Quote>,
    made: BTreeSet<OrderId>,
    captured: Vec<Captured>,
    attempts: BTreeMap<(Transaction, u32), Attempt>,
}

/// The product as it may become: its flow, its prices, its units, its rules, its end.
const PRODUCTS: [fn(&mut ProductDefinition); 11] = [
    |_| {},
    |p| p.flow = Flow::SubmitOnce,
    |p| p.flow = Flow::Instant,
    |p| p.late_payment = LatePayment::Refund,
    |p| p.price_check = PriceCheck::Off,
    |p| p.first_unit_price = cny(1_500),
    |p| p.renewal_unit_price = cny(1_500),
    |p| p.max_renewals = 1,
    |p| p.unit = Unit::Hour,
    in_dollars,
    retired,
];

fn small(number: usize) -> Product {
    product(|p| {
        (p.max_quantity, p.max_renewals) = (3, 2);
        PRODUCTS[number % PRODUCTS.len()](p);
    })
}

fn gateway_of(number: usize) -> &'static GatewayName {
    if number.is_multiple_of(2) { &WECHAT } else { &ALIPAY }
}

/// One of all by its number. Every other number is the newest one: most happens to what is new.
fn pick<T>(all: &[T], number: usize) -> Option<&T> {
    all.get(pick_at(all.len(), number)?)
}

fn pick_at(len: usize, number: usize) -> Option<usize> {
    match number % 2 {
        0 => len.checked_sub(1),
        _ => (number / 2).checked_rem(len),
    }
}

impl World {
    fn new(product: usize) -> Self {
        // Only a product that is sold opens a booking.
        let product = small(product % (PRODUCTS.len() - 1));
        let booking = open_booking(&product, "alice", "key", env(0)).unwrap();
        Self {
            now_ms: 0,
            product,
            booking,
            ended: BTreeMap::new(),
            tasks: BTreeMap::new(),
            quotes: vec![],
            made: BTreeSet::new(),
            captured: vec![],
            attempts: BTreeMap::new(),
        }
    }

    fn env(&self) -> Env<'static> {
        env(self.now_ms)
    }

    fn orders(&self) -> Vec<&Order> {
        self.ended.values().chain(&self.booking.live_order).collect()
    }

    fn order(&self, order_id: &OrderId) -> Option<&Order> {
        self.ended.get(order_id).or_else(|| self.booking.live(order_id))
    }

    fn payment_at(&self, number: usize) -> Option<(Order, PaymentId)> {
        let orders = self.orders();
        let all = orders.iter().flat_map(|order| {
            let payments = order.payments.iter();
            payments.map(|payment| (*order, &payment.payment_id))
        });
        let all: Vec<_> = all.collect();
        pick(&all, number).map(|(order, payment_id)| ((*order).clone(), (*payment_id).clone()))
    }

    fn step(&mut self, step: &Step) {
        match step {
            Step::Wait { ms } => self.now_ms += ms,
            Step::ChangeProduct { to } => self.product = small(*to),
            Step::Quote { quantity, gateway, key } => self.quote(*quantity, *gateway, *key),
            Step::CreateOrder { quote, gateway } => self.create_order(*quote, *gateway),
            Step::GeneratePayment { quote, gateway } => self.generate(*quote, *gateway),
            Step::Buy { quantity, gateway } => {
                self.quote(*quantity, *gateway, 2);
                self.create_order(0, *gateway);
                self.generate(0, *gateway);
                self.pay(0, Amount::Exact, PaidAt::Now);
            }
            Step::Created { payment, answer } => self.created(*payment, answer),
            Step::Pay { payment, amount, paid_at } => self.pay(*payment, *amount, *paid_at),
            Step::Notify { capture } => self.notify(*capture),
            Step::Closed { payment } => self.closed(*payment),
            Step::Expire => {
                let change = decided(&self.booking, |b| expire_order(b, t(self.now_ms)));
                self.commit_if(change);
            }
            Step::CancelOrder { order } => self.cancel_order(*order),
            Step::CancelBooking => {
                let got = decided(&self.booking, |b| cancel_booking(b, self.env()));
                self.cancel(got);
            }
            Step::Refund { refund, attempt, fate } => self.refund(*refund, *attempt, *fate),
            Step::ForeignRefund { payment, number } => self.foreign_refund(*payment, *number),
        }
    }

    /// Asks for a quote, under one of two keys or none.
    fn quote(&mut self, quantity: u32, gateway: usize, key: usize) {
        let mut fresh = [0; 16];
        fresh[..8].copy_from_slice(&self.quotes.len().to_be_bytes());
        let request = QuoteRequest {
            quantity,
            gateway: (gateway % 3 != 2).then(|| gateway_of(gateway)),
            idempotency_key: [Some("a"), Some("b"), None][key % 3],
            fresh,
            create_body: &body,
        };
        let (product, env) = (&self.product, self.env());
        let offer = price(&self.booking, product, quantity, env.now).ok();
        let earlier = offer.and_then(|offer| {
            let token_id = token_id(&self.booking, &offer, request, env);
            self.ended.get(&env.ids.order(&token_id))
        });
        let got = decided(&self.booking, |b| quote(b, product, earlier, request, env));
        if let Ok(quoted) = got {
            self.quotes.push(quoted.quote);
            self.make(quoted.making);
        }
    }

    fn make(&mut self, making: Option<Making>) {
        match making {
            Some(Making::Made { change, .. }) => self.commit(*change),
            Some(Making::Again(order)) => assert_eq!(self.order(&order.order_id), Some(&*order)),
            None => {}
        }
    }

    fn create_order(&mut self, number: usize, gateway: usize) {
        let quote = pick(&self.quotes, number);
        let earlier = quote.and_then(|quote| self.ended.get(&IDS.order(&quote.token_id)));
        let at = at(gateway_of(gateway));
        let got = decided(&self.booking, |b| {
            create_order(b, &self.product, quote, earlier, at, self.env())
        });
        self.make(got.ok());
    }

    fn generate(&mut self, number: usize, gateway: usize) {
        let Some(quote) = pick(&self.quotes, number) else {
            return;
        };
        let order_id = IDS.order(&quote.token_id);
        let asked =
            Asked { quote: Some(quote), order_id: &order_id, ended: self.ended.get(&order_id) };
        let at = at(gateway_of(gateway));
        let got =
            decided(&self.booking, |b| generate_payment(b, &self.product, asked, at, self.env()));
        match got {
            Ok(Generating::Started { change, payment_id }) => {
                assert!(change.shows(&payment_id));
                self.commit(*change);
            }
            Ok(Generating::Shown(payment_id) | Generating::Unfinished(payment_id)) => {
                let live = self.booking.live(&order_id).expect("only a live order's code is shown");
                assert_eq!(live.current_payment().unwrap().payment_id, payment_id);
                assert!(t(self.now_ms) < live.pay_by.unwrap(), "no code after pay_by");
            }
            Err(_) => {}
        }
    }

    fn created(&mut self, number: usize, answer: &Created) {
        let Some((order, payment_id)) = self.payment_at(number) else {
            return;
        };
        let change = decided(&self.booking, |b| {
            payment_created(b, &order, &payment_id, answer.clone(), t(self.now_ms))
        });
        self.commit_if(change);
    }

    fn pay(&mut self, number: usize, amount: Amount, paid_at: PaidAt) {
        let Some((order, payment_id)) = self.payment_at(number) else {
            return;
        };
        let captured = match amount {
            Amount::Exact => order.amount,
            Amount::OneMore => Money { amount: order.amount.amount + 1, ..order.amount },
            Amount::OtherCurrency => money(order.amount.amount, "EUR"),
        };
        let near = |base: Option<Timestamp>, ms| {
            let base = base.unwrap_or_else(|| t(self.now_ms));
            base.checked_add(SignedDuration::from_millis(ms)).unwrap()
        };
        let paid_at = match paid_at {
            PaidAt::Now => t(self.now_ms),
            PaidAt::FromPayBy { ms } => near(order.pay_by, ms),
            PaidAt::FromTermEnd { ms } => near(self.booking.valid_until(), ms),
        };
        self.captured.push(Captured {
            order_id: order.order_id,
            payment_id,
            capture: Capture {
                transaction_id: format!("tx-{}", self.captured.len()),
                captured,
                paid_at,
            },
            recorded: false,
        });
    }

    fn notify(&mut self, number: usize) {
        let Some(at) = pick_at(self.captured.len(), number) else {
            return;
        };
        let one = &self.captured[at];
        let (order_id, capture) = (one.order_id.clone(), one.capture.clone());
        let order = self.order(&order_id).cloned();
        let got = decided(&self.booking, |b| {
            let (product, env) = (&self.product, self.env());
            record_payment(b, order.as_ref(), &one.payment_id, &capture, product, env)
        });
        assert_eq!(got == Recording::Settled, one.recorded, "recorded once: {got:?}");
        match got {
            Recording::Applied(change) => {
                check_may_be_applied(&self.booking, &order.unwrap(), &capture).unwrap();
                self.commit(*change);
            }
            Recording::Refunded { change, .. } => self.commit(*change),
            Recording::Settled => {}
            Recording::Unmatched => panic!("every payment is stored"),
        }
        self.captured[at].recorded = true;
    }

    /// The gateway confirms a close; whoever asked for it has done its task.
    fn closed(&mut self, number: usize) {
        let Some((order, payment_id)) = self.payment_at(number) else {
            return;
        };
        let change =
            decided(&self.booking, |b| payment_closed(b, &order, &payment_id, t(self.now_ms)));
        self.commit_if(change);
        self.tasks.remove(&format!("close#{payment_id}"));
    }

    fn cancel_order(&mut self, number: usize) {
        let Some(order_id) = pick(&self.orders(), number).map(|order| order.order_id.clone())
        else {
            return;
        };
        let ended = self.ended.get(&order_id);
        let got = decided(&self.booking, |b| cancel_order(b, &order_id, ended, self.env()));
        self.cancel(got);
    }

    fn cancel(&mut self, got: Result<Cancelling, Rejection>) {
        if let Ok(Cancelling::Cancelled(change)) = got {
            self.commit(*change);
        }
    }

    /// An honest gateway never pays one transaction back twice, but may refuse and pay later, pay
    /// and take it back, and tell both in the wrong order.
    fn refund(&mut self, number: usize, attempt: u32, fate: Fate) {
        let refunds = self.orders().into_iter().flat_map(|order| {
            let ours = order.refunds.iter().filter(|refund| is_ours(refund));
            ours.map(|refund| (order.clone(), refund.clone()))
        });
        let refunds: Vec<_> = refunds.collect();
        let Some((order, refund)) = pick(&refunds, number) else {
            return;
        };
        let transaction = (refund.payment_id.clone(), refund.transaction_id.clone());
        // Any attempt that was ever stored may have reached the gateway.
        let stored = self.attempts_of(&transaction).max(refund.attempt);
        let attempt = if fate == Fate::Asked { refund.attempt } else { attempt % stored + 1 };
        let key = (transaction.clone(), attempt);
        let Some(news) = self.gateway_does(&key, fate) else {
            return;
        };
        let of = RefundOf { payment_id: &transaction.0, transaction_id: &transaction.1, attempt };
        let change = decided(&self.booking, |b| record_refund(b, order, of, &news, self.env()));
        self.commit_if(change);
    }

    fn attempts_of(&self, transaction: &Transaction) -> u32 {
        let attempts = self.attempts.keys().filter(|(of, _)| of == transaction);
        attempts.map(|(_, attempt)| *attempt).max().unwrap_or(0)
    }

    fn paid_attempt(&self, transaction: &Transaction) -> Option<u32> {
        let mut paid = self.attempts.iter().filter(|(_, state)| **state == Attempt::Paid);
        paid.find(|((of, _), _)| of == transaction).map(|((_, attempt), _)| *attempt)
    }

    fn gateway_does(&mut self, key: &(Transaction, u32), fate: Fate) -> Option<RefundNews> {
        let before = self.attempts.get(key).copied();
        let code = || "code".to_owned();
        let (after, news) = match (fate, before) {
            (Fate::Accepts, None) => (Attempt::Accepted, RefundNews::Accepted),
            (Fate::Pays, None | Some(Attempt::Accepted | Attempt::Refused))
                if self.paid_attempt(&key.0).is_none() =>
            {
                (Attempt::Paid, RefundNews::Succeeded)
            }
            (Fate::Fails, _) => (Attempt::Failed, RefundNews::Failed { code: code() }),
            (Fate::Refuses, None | Some(Attempt::Accepted)) => {
                (Attempt::Refused, RefundNews::Refused { code: code() })
            }
            (Fate::ToldLate, Some(Attempt::Failed)) => (Attempt::Failed, RefundNews::Succeeded),
            (Fate::Asked, Some(state)) => (
                state,
                match state {
                    Attempt::Accepted => RefundNews::Accepted,
                    Attempt::Paid => RefundNews::Succeeded,
                    Attempt::Refused => RefundNews::Refused { code: code() },
                    Attempt::Failed => RefundNews::Failed { code: code() },
                },
            ),
            (Fate::Accepts | Fate::Pays | Fate::Refuses | Fate::ToldLate | Fate::Asked, _) => {
                return None;
            }
        };
        self.attempts.insert(key.clone(), after);
        Some(news)
    }

    fn foreign_refund(&mut self, number: usize, foreign: u8) {
        let Some((order, payment_id)) = self.payment_at(number) else {
            return;
        };
        let foreign = Foreign {
            kind: ForeignKind::Refund,
            payment_id: &payment_id,
            number: &format!("foreign-{foreign}"),
            amount: cny(1),
        };
        let change = decided(&self.booking, |b| record_foreign(b, &order, foreign, self.env()));
        self.commit_if(change);
    }

    fn commit_if(&mut self, change: Option<Change>) {
        if let Some(change) = change {
            self.commit(change);
        }
    }

    fn commit(&mut self, change: Change) {
        check_change(&self.booking, &change);
        for order in self.orders() {
            if let Some(after) = change.order(&order.order_id) {
                check_successor(order, after).unwrap();
            }
        }
        if let Some((order_id, _)) = &change.made {
            assert!(self.made.insert(order_id.clone()), "an order is made once");
            check_voided(&self.booking, &change, order_id).unwrap();
        }
        for order in change.ended {
            assert!(self.made.contains(&order.order_id), "nothing ends that was never made");
            self.ended.insert(order.order_id.clone(), order);
        }
        for task in change.tasks {
            self.tasks.insert(task.id().as_str().to_owned(), task);
        }
        for done in change.done {
            self.tasks.remove(done.as_str());
        }
        self.booking = change.booking;
    }

    fn check(&self) {
        let stored = Stored {
            ids: &IDS,
            booking: &self.booking,
            ended: self.ended.values().collect(),
            tasks: self.tasks.keys().map(String::as_str).collect(),
        };
        let captured: Vec<_> = self.captured.iter().map(Captured::as_told).collect();
        stored.check_orders().unwrap();
        stored.check_money(&captured).unwrap();
        stored.check_term().unwrap();
        stored.check_tasks().unwrap();
        let made: BTreeSet<_> = stored.orders().map(|order| order.order_id.clone()).collect();
        assert_eq!(made, self.made, "no order vanishes");
        for (one, told) in self.captured.iter().zip(&captured) {
            assert_eq!(stored.times_recorded(told), usize::from(one.recorded), "{told:?}");
        }
        self.check_refunds();
        self.check_length();
        self.check_bodies();
    }

    /// Each refund says that the money is back if and only if it is, and by which attempt; its task
    /// is there as long as it is owed.
    fn check_refunds(&self) {
        let orders = self.orders();
        for refund in orders.iter().flat_map(|order| &order.refunds).filter(|one| is_ours(one)) {
            let transaction = (refund.payment_id.clone(), refund.transaction_id.clone());
            let succeeded = refund.status == RefundStatus::Succeeded;
            let by = succeeded.then_some(refund.attempt);
            assert_eq!(by, self.paid_attempt(&transaction), "{refund:?}");
            let first = IDS.refund(transaction.0.as_str(), &transaction.1, 1);
            let has_task = self.tasks.contains_key(TaskId::refund(&first).as_str());
            assert_eq!(has_task, !refund.is_settled(), "{refund:?}");
        }
    }

    /// Rule 3 once more, without the calendar: hours and days of a zone without clock changes.
    fn check_length(&self) {
        let booking = &self.booking;
        let unit_ms = match booking.pins.unit {
            Unit::Hour => 3_600_000,
            Unit::Day => DAY_MS,
            Unit::Month => panic!("no such product here"),
        };
        if let Some(term) = booking.term {
            let ms = term.valid_until.as_millisecond() - term.starts_at.as_millisecond();
            assert_eq!(ms / unit_ms, i64::from(booking.quantity_paid));
        }
    }

    fn check_bodies(&self) {
        for task in self.tasks.values() {
            assert_eq!(task.booking_id, self.booking.booking_id);
            if let TaskKind::QueryPayment { create_body, .. } = &task.kind {
                assert!(!create_body.is_empty());
            }
        }
    }
}

fn amount() -> impl Strategy<Value = Amount> {
    prop_oneof![
        6 => Just(Amount::Exact),
        1 => Just(Amount::OneMore),
        1 => Just(Amount::OtherCurrency),
    ]
}

fn paid_at() -> impl Strategy<Value = PaidAt> {
    prop_oneof![
        3 => Just(PaidAt::Now),
        2 => (-1..=1_i64).prop_map(|ms| PaidAt::FromPayBy { ms }),
        1 => (-1..=1_i64).prop_map(|ms| PaidAt::FromTermEnd { ms }),
    ]
}

fn fate() -> impl Strategy<Value = Fate> {
    prop_oneof![
        1 => Just(Fate::Accepts),
        3 => Just(Fate::Pays),
        3 => Just(Fate::Fails),
        1 => Just(Fate::Refuses),
        2 => Just(Fate::ToldLate),
        2 => Just(Fate::Asked),
    ]
}

fn answer() -> impl Strategy<Value = Created> {
    prop_oneof![
        4 => any::<bool>().prop_map(|has_ref| Created::Payable {
            code_url: "code".to_owned(),
            gateway_ref: has_ref.then(|| "ref".to_owned()),
        }),
        1 => Just(Created::Closed),
        1 => Just(Created::Refused),
    ]
}

fn wait_ms() -> impl Strategy<Value = i64> {
    let often = vec![1, 60_000, 300_000];
    let seldom = vec![PAY_BY_MS, QUOTE_ENDS_MS, 3_600_000, DAY_MS];
    prop_oneof![4 => prop::sample::select(often), 1 => prop::sample::select(seldom)]
}

fn step() -> impl Strategy<Value = Step> {
    let n = || 0..64_usize;
    prop_oneof![
        2 => wait_ms().prop_map(|ms| Step::Wait { ms }),
        1 => n().prop_map(|to| Step::ChangeProduct { to }),
        5 => (0..=4_u32, n(), n())
            .prop_map(|(quantity, gateway, key)| Step::Quote { quantity, gateway, key }),
        3 => (1..=3_u32, n()).prop_map(|(quantity, gateway)| Step::Buy { quantity, gateway }),
        3 => (n(), n()).prop_map(|(quote, gateway)| Step::CreateOrder { quote, gateway }),
        5 => (n(), n()).prop_map(|(quote, gateway)| Step::GeneratePayment { quote, gateway }),
        3 => (n(), answer()).prop_map(|(payment, answer)| Step::Created { payment, answer }),
        5 => (n(), amount(), paid_at())
            .prop_map(|(payment, amount, paid_at)| Step::Pay { payment, amount, paid_at }),
        7 => n().prop_map(|capture| Step::Notify { capture }),
        3 => n().prop_map(|payment| Step::Closed { payment }),
        1 => Just(Step::Expire),
        1 => n().prop_map(|order| Step::CancelOrder { order }),
        1 => prop::bool::weighted(0.1).prop_map(|really| match really {
            true => Step::CancelBooking,
            false => Step::Expire,
        }),
        5 => (n(), 0..8_u32, fate())
            .prop_map(|(refund, attempt, fate)| Step::Refund { refund, attempt, fate }),
        1 => (n(), 0..2_u8).prop_map(|(payment, number)| Step::ForeignRefund { payment, number }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_rule_holds_after_every_step(
        product in 0..16_usize,
        steps in prop::collection::vec(step(), 1..120),
    ) {
        let mut world = World::new(product);
        for step in &steps {
            world.step(step);
            world.check();
        }
        // Whatever was lost on the way arrives in the end, and then all money is accounted for.
        for capture in 0..world.captured.len() {
            world.step(&Step::Notify { capture: 2 * capture + 1 });
            world.check();
        }
        prop_assert!(world.captured.iter().all(|one| one.recorded));
    }
}
