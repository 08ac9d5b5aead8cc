//! Each call that a request or a task makes fails in turn, in each way that it can fail. Whoever
//! asked repeats the same request, and the end is the same as if nothing had ever failed.
//!
//! The matrix is the product of two tables: what is done ([`Request`], [`News`], [`Work`]), and
//! what goes wrong with one of its calls ([`TROUBLES`]).

use std::sync::{Arc, Mutex};

use http::Method;
use jiff::SignedDuration;
use local::client::{self, Client, Reply};
use serde_json::{Value, json};
use tests::faults::{Call, Failure, Fate, Faults, Side};
use tests::{Window, World, expect, text};
use tokio::sync::OnceCell;
use tokio::task::JoinSet;

/// How often a request is repeated.
const REPEATS_MAX: u32 = 5;
/// How often the worker runs for one task under trouble.
const RUNS_MAX: u32 = 2;
/// How often the clock is turned to the next task until none is left.
const ROUNDS_MAX: u32 = 30;

// ---- What goes wrong ----

/// Which calls can fail in a way.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Calls {
    All,
    Writes,
    Transactions,
}

/// How long it goes wrong.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Lasts {
    /// The one call, each sending of it.
    Call,
    /// The one call's first sending.
    Sending,
    /// Every call to that side from the one on, until the request is answered.
    Request,
    /// Whoever made the call dies with it.
    Life,
}

/// One way for a call to fail.
#[derive(Clone, Copy, Debug)]
struct Trouble {
    side: Side,
    calls: Calls,
    fate: Fate,
    lasts: Lasts,
}

const fn trouble(side: Side, calls: Calls, fate: Fate, lasts: Lasts) -> Trouble {
    Trouble { side, calls, fate, lasts }
}

/// Every way for a call to fail. What stands in one line says the same to whoever called, and is
/// dealt out in turn: it is the adapters' own tests that try every answer.
///
/// A read has no effect, and its failure ends the request: it fails once, before it is made. Being
/// killed before a call leaves the same behind as being killed after the one before it.
const TROUBLES: [&[Trouble]; 11] = {
    use {Calls::*, Failure::*, Fate::*, Side::*};
    [
        &[
            trouble(Store, All, FailsBefore(NoAnswer), Lasts::Call),
            trouble(Store, All, Cut(9), Lasts::Call),
            trouble(Store, All, FailsBefore(Throttled), Lasts::Sending),
        ],
        &[trouble(Store, Writes, FailsBefore(NoAnswer), Lasts::Request)],
        &[
            trouble(Store, Writes, FailsAfter(NoAnswer), Lasts::Call),
            trouble(Store, Writes, FailsAfter(BrokenOff), Lasts::Call),
            trouble(Store, Writes, FailsAfter(InternalServerError), Lasts::Sending),
        ],
        &[trouble(Store, Writes, FailsAfter(NoAnswer), Lasts::Request)],
        &[trouble(Store, Writes, FailsAfter(Hang), Lasts::Life)],
        &[trouble(Store, Writes, Duplicated, Lasts::Call)],
        &[trouble(Store, Transactions, FailsBefore(TransactionConflict), Lasts::Call)],
        &[
            trouble(Gateway, All, FailsBefore(NoAnswer), Lasts::Call),
            trouble(Gateway, All, FailsBefore(InternalServerError), Lasts::Call),
            trouble(Gateway, All, FailsBefore(Throttled), Lasts::Call),
        ],
        &[
            trouble(Gateway, All, FailsAfter(NoAnswer), Lasts::Call),
            trouble(Gateway, All, FailsAfter(InternalServerError), Lasts::Call),
            trouble(Gateway, All, FailsAfter(Unreadable), Lasts::Call),
            trouble(Gateway, All, Cut(20), Lasts::Call),
        ],
        &[trouble(Gateway, All, FailsAfter(Hang), Lasts::Life)],
        &[trouble(Gateway, All, Duplicated, Lasts::Call)],
    ]
};

impl Trouble {
    fn fits(self, call: &Call) -> bool {
        self.side == call.side
            && match self.calls {
                Calls::All => true,
                Calls::Writes => call.is_write(),
                Calls::Transactions => call.operation == "TransactWriteItems",
            }
    }

    /// What becomes of a call while the call of that number is in trouble.
    fn fate(self, number: u32, call: &Call) -> Fate {
        let hit = self.fits(call)
            && match self.lasts {
                Lasts::Call | Lasts::Life => call.number == number,
                Lasts::Sending => call.number == number && call.attempt == 1,
                Lasts::Request => call.number >= number,
            };
        if hit { self.fate } else { Fate::Works }
    }
}

// ---- What is done ----

/// A customer's or the operator's request.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Request {
    DefineProduct,
    OpenBooking,
    Quote,
    KeyedQuote,
    /// In place of an order whose code can be paid.
    KeyedQuoteOverCode,
    CreateOrder,
    CreateOrderOverCode,
    Generate,
    GenerateAgain,
    GenerateSuperseded,
    CancelOrder,
    CancelOrderWithCode,
    CancelBooking,
    OrderInAnotherFlow,
    CancelPaidOrder,
    QuoteTooMany,
}

/// A notification.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum News {
    Paid,
    PaidTwice,
    PaidAfterSuperseded,
    PaidAgainTold,
    Refunded,
    RefundedAgainTold,
    RefundAbnormal,
    RefundClosed,
}

/// A task that is due.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Work {
    Refund,
    RefundEnded,
    RefundAbnormal,
    RefundClosed,
    RefundTooLate,
    Close,
    CloseTwo,
    ClosePaid,
    CloseNeverCreated,
    QueryPaid,
    QueryUnpaid,
    QueryOver,
    QueryNeverCreated,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Deed {
    Request(Request),
    News(News),
    Work(Work),
}

impl Deed {
    /// Whether asking again is asking for something new.
    fn is_anew(self) -> bool {
        self == Self::Request(Request::Quote)
    }

    /// Whether it must leave everything as it was.
    fn is_refused(self) -> bool {
        matches!(
            self,
            Self::Request(
                Request::GenerateSuperseded
                    | Request::OrderInAnotherFlow
                    | Request::CancelPaidOrder
                    | Request::QuoteTooMany
            )
        )
    }

    /// Whether a call is its own. All tasks are looked for, claimed and finished by
    /// the same code: one row of the worker's stands for all.
    fn is_own(self, call: &Call) -> bool {
        match self {
            Self::Request(_) | Self::News(_) | Self::Work(Work::Refund) => true,
            Self::Work(_) => {
                !matches!(call.operation.as_str(), "Query" | "UpdateItem" | "DeleteItem")
            }
        }
    }

    /// Whether the money stands still in the end until a person acts.
    fn needs_attention(self) -> bool {
        matches!(
            self,
            Self::News(News::RefundAbnormal)
                | Self::Work(Work::RefundAbnormal | Work::RefundTooLate)
        )
    }
}

/// What is sent, and sent again.
enum Ask {
    Call(Client, client::Call),
    /// A notification, by what the simulator calls it.
    Replay(Client, Value),
    Worker,
}

impl Ask {
    fn under_key(self, key: &str) -> Self {
        match self {
            Self::Call(client, call) => Self::Call(client, call.header("idempotency-key", key)),
            Self::Replay(..) | Self::Worker => self,
        }
    }
}

fn offer(quantity: u32) -> Value {
    json!({ "quantity": quantity, "gateway": "wechat_pay" })
}

fn submit(quoted: &Value) -> Value {
    json!({ "quote_token": quoted["quote"]["token"], "gateway": "wechat_pay" })
}

fn generate(quoted: &Value) -> Value {
    let mut body = submit(quoted);
    body["order_id"] = quoted["order"]["order_id"].clone();
    body
}

/// What a row of the matrix is tried on.
struct Stage<'a> {
    world: &'a World,
    customer: &'a str,
    product: &'a str,
    opened: OnceCell<Window>,
}

impl Stage<'_> {
    /// The one booking, opened when it is first asked for.
    async fn window(&self) -> &Window {
        let open = || self.world.booking_under(self.customer, self.product, "only");
        self.opened.get_or_init(open).await
    }

    async fn prepare(&self, deed: Deed) -> Ask {
        self.plan(json!({})).await;
        match deed {
            Deed::Request(request) => self.prepare_request(request).await,
            Deed::News(news) => Ask::Replay(self.world.nobody(), self.prepare_news(news).await),
            Deed::Work(work) => {
                self.prepare_work(work).await;
                Ask::Worker
            }
        }
    }

    /// Has gateways tell nothing by themselves and refund at once.
    async fn plan(&self, more: Value) {
        let mut plan = json!({ "notifications_dropped": 1.0, "refund_delay_ms": 0 });
        plan.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        self.world.faults(plan).await;
    }

    async fn prepare_request(&self, request: Request) -> Ask {
        match request {
            Request::DefineProduct => {
                let definition = self.world.definition("desk-order").await;
                let path = format!("/v1/products/{}", self.customer);
                let call = client::Call::new(Method::PUT, path).json(&definition);
                Ask::Call(self.world.admin(), call)
            }
            Request::OpenBooking => {
                let body = json!({ "product_id": self.product });
                self.post("/v1/bookings".to_owned(), body).under_key("only")
            }
            Request::Quote => self.below("quotes", offer(2)).await,
            Request::QuoteTooMany => self.below("quotes", offer(91)).await,
            Request::KeyedQuote => self.below("quotes", offer(2)).await.under_key("key"),
            Request::KeyedQuoteOverCode => {
                self.window().await.code_for(1).await;
                self.below("quotes", offer(2)).await.under_key("key")
            }
            Request::CreateOrder | Request::OrderInAnotherFlow => {
                let quoted = self.quoted().await;
                self.below("orders", submit(&quoted)).await
            }
            Request::CreateOrderOverCode => {
                self.window().await.code_for(1).await;
                let quoted = self.quoted().await;
                self.below("orders", submit(&quoted)).await
            }
            Request::Generate => {
                let quoted = self.quoted().await;
                self.below("payments", generate(&quoted)).await
            }
            Request::GenerateAgain => {
                let quoted = self.quoted().await;
                expect(201, self.window().await.generate(&quoted).await);
                self.below("payments", generate(&quoted)).await
            }
            Request::GenerateSuperseded => {
                let quoted = self.quoted().await;
                self.window().await.code_for(1).await;
                self.below("payments", generate(&quoted)).await
            }
            Request::CancelOrder => self.cancel(&self.quoted().await).await,
            Request::CancelOrderWithCode => {
                self.cancel(&self.window().await.code_for(2).await).await
            }
            Request::CancelPaidOrder => {
                let made = self.window().await.code_for(1).await;
                self.tell(&self.pay(&made).await).await;
                self.cancel(&made).await
            }
            Request::CancelBooking => {
                self.window().await.code_for(2).await;
                self.below("cancel", json!({})).await
            }
        }
    }

    fn post(&self, path: String, body: Value) -> Ask {
        let client = self.world.nobody().as_customer(self.customer);
        Ask::Call(client, client::Call::new(Method::POST, path).json(&body))
    }

    async fn below(&self, below: &str, body: Value) -> Ask {
        self.post(format!("{}/{below}", self.window().await.path), body)
    }

    async fn cancel(&self, made: &Value) -> Ask {
        let order_id = text(&made["order"]["order_id"]);
        self.below(&format!("orders/{order_id}/cancel"), json!({})).await
    }

    async fn quoted(&self) -> Value {
        expect(201, self.window().await.quote(2).await)
    }

    async fn prepare_news(&self, news: News) -> Value {
        let window = self.window().await;
        match news {
            News::Paid => self.pay(&window.code_for(1).await).await,
            News::PaidTwice => {
                let made = window.code_for(1).await;
                self.tell(&self.pay(&made).await).await;
                self.pay(&made).await
            }
            News::PaidAfterSuperseded => {
                let made = window.code_for(1).await;
                window.code_for(2).await;
                self.pay(&made).await
            }
            News::PaidAgainTold => {
                let paid = self.pay(&window.code_for(1).await).await;
                self.tell(&paid).await;
                paid
            }
            News::Refunded => self.refunded(json!({})).await,
            News::RefundedAgainTold => {
                let refunded = self.refunded(json!({})).await;
                self.tell(&refunded).await;
                refunded
            }
            News::RefundAbnormal => self.refunded(json!({ "refund_outcome": "abnormal" })).await,
            News::RefundClosed => self.refunded(json!({ "refund_outcome": "closed" })).await,
        }
    }

    async fn prepare_work(&self, work: Work) {
        let (world, window) = (self.world, self.window().await);
        match work {
            Work::Refund => self.owed().await,
            Work::RefundEnded => self.refunded_long_ago(json!({})).await,
            Work::RefundAbnormal => {
                self.refunded_long_ago(json!({ "refund_outcome": "abnormal" })).await;
            }
            Work::RefundClosed => {
                self.refunded_long_ago(json!({ "refund_outcome": "closed" })).await;
            }
            Work::RefundTooLate => {
                self.owed().await;
                // WeChat Pay refunds for a year.
                world.clock.advance_s(366 * 86_400);
            }
            Work::Close => {
                window.code_for(1).await;
                window.code_for(2).await;
            }
            Work::CloseTwo => {
                window.code_for(1).await;
                window.code_for(2).await;
                window.code_for(3).await;
            }
            Work::ClosePaid => {
                let old = window.code_for(1).await;
                self.pay(&old).await;
                window.code_for(2).await;
            }
            Work::CloseNeverCreated => {
                self.never_created(window).await;
                window.code_for(2).await;
            }
            Work::QueryPaid => {
                self.pay(&window.code_for(1).await).await;
                world.turn_to_next_task().await;
            }
            Work::QueryUnpaid => {
                window.code_for(1).await;
                self.world.turn_to_next_task().await;
            }
            Work::QueryOver => {
                let made = window.code_for(1).await;
                world.clock.set(tests::time(&made["order"]["pay_by"]));
            }
            Work::QueryNeverCreated => {
                self.never_created(window).await;
                let pay_by = tests::time(&window.look().await["live_order"]["pay_by"]);
                // Now 'not found' is believed.
                world.clock.set(pay_by + SignedDuration::from_hours(1));
            }
        }
    }

    /// Has the wallet pay a code, whatever the gateway thinks of it. Answers how to tell of it.
    async fn pay(&self, made: &Value) -> Value {
        let body = json!({ "code_url": made["payment"]["code_url"], "force": true });
        json!({ "transaction_id": self.world.pay_with(body).await["transaction_id"] })
    }

    async fn tell(&self, replay: &Value) {
        let told = self.world.nobody().post("/simulator/replay", replay).await.unwrap();
        assert_eq!(expect(200, told)["status"], 204);
    }

    /// A payment that is written and that its gateway has never heard of.
    async fn never_created(&self, window: &Window) {
        let quoted = expect(201, window.quote(1).await);
        self.plan(json!({ "calls_failed_before": 1.0 })).await;
        assert_eq!(window.generate(&quoted).await.status, 503);
        self.plan(json!({})).await;
    }

    /// A code that was paid twice, both told of: the second goes back, and nothing else is due.
    async fn owed(&self) {
        let made = self.window().await.code_for(1).await;
        self.tell(&self.pay(&made).await).await;
        self.tell(&self.pay(&made).await).await;
    }

    /// The same, and the gateway has ended the refund. Answers how to tell of it.
    async fn refunded(&self, plan: Value) -> Value {
        self.owed().await;
        self.plan(plan).await;
        self.world.settle().await;
        let window = self.window().await;
        let (_, orders) = self.world.stored(window).await;
        let payment_id = json!(orders[0].payments[0].payment_id);
        let number = loop {
            let refund = self.world.ledger_of(&payment_id).await["refunds"][0].clone();
            if refund["status"] != "processing" {
                break refund["refund_no"].clone();
            }
            tokio::time::sleep(tests::GLANCE).await;
        };
        self.plan(json!({})).await;
        json!({ "refund_no": number })
    }

    /// The same, nobody told of it, and it is time to ask.
    async fn refunded_long_ago(&self, plan: Value) {
        self.refunded(plan).await;
        self.world.turn_to_next_task().await;
    }

    /// Settles until no task is left, or only one that waits for a person.
    async fn finish(&self, deed: Deed) {
        for _ in 0..ROUNDS_MAX {
            let due = self.world.turn_to_next_task().await;
            if due.is_empty() {
                return;
            }
            for run in settle::run_all(&self.world.stack.deps, &due).await {
                run.unwrap();
            }
            if deed.needs_attention() && self.is_flagged().await {
                return;
            }
        }
        panic!("work is left: {:#}", self.window().await.look().await);
    }

    /// Whether a refund waits for a person.
    async fn is_flagged(&self) -> bool {
        let (_, orders) = self.world.stored(self.window().await).await;
        orders.iter().flat_map(|order| &order.refunds).any(|refund| refund.attention.is_some())
    }
}

// ---- One trial ----

/// How many workers run at once.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Workers {
    One,
    Two,
}

/// One row under one trouble, and the calls that it made.
struct Trial<'a> {
    stage: Stage<'a>,
    faults: &'a Faults,
    deed: Deed,
    workers: Workers,
    trouble: Option<(u32, Trouble)>,
    calls: Arc<Mutex<Vec<Call>>>,
}

impl Trial<'_> {
    /// Tries the row. Answers what it came to.
    async fn run(&self) -> Value {
        let ask = self.stage.prepare(self.deed).await;
        let refused = self.deed.is_refused();
        let before = if refused { self.state().await } else { Value::Null };
        let answer = self.send(&ask).await;
        if refused {
            assert_eq!(self.state().await, before, "{}: a refusal changes nothing", self.name());
            return answer;
        }
        let window = self.window().await;
        let then = window.look().await;
        let live = &then["live_order"];
        let is_work = matches!(ask, Ask::Worker);
        if !is_work && live["payment"]["code_url"].is_string() {
            self.stage.tell(&self.stage.pay(live).await).await;
        }
        self.stage.finish(self.deed).await;
        let world = self.stage.world;
        if self.trouble.is_none() && !self.deed.needs_attention() {
            // What comes to the same as something settled is settled, too.
            assert_eq!(world.unsettled(&window).await, None, "{}", self.name());
        }
        let mut end = world.outline(&window).await;
        if self.deed.is_anew() {
            let orders = end["orders"].as_array_mut().unwrap();
            orders.retain(|order| order["status"] != "superseded");
        }
        // How far a worker came, and how often something new was asked for, is chance.
        let version = if is_work || self.deed.is_anew() { &Value::Null } else { &then["version"] };
        json!({ "answer": answer, "version": version, "end": end })
    }

    fn name(&self) -> String {
        format!("{:?} of {} under {:?}", self.deed, self.stage.product, self.trouble)
    }

    async fn state(&self) -> Value {
        self.stage.window().await.state(self.stage.world).await
    }

    /// The booking that the row is about, opened by now.
    async fn window(&self) -> Window {
        let Stage { world, customer, product, .. } = self.stage;
        let is_defined = self.deed == Deed::Request(Request::DefineProduct);
        let product = if is_defined { customer } else { product };
        world.booking_under(customer, product, "only").await
    }

    fn arm(&self) {
        let (trouble, calls) = (self.trouble, Arc::clone(&self.calls));
        self.faults.follow(move |call| {
            if call.attempt == 1 {
                calls.lock().unwrap().push(call.clone());
            }
            trouble.map_or(Fate::Works, |(number, trouble)| trouble.fate(number, call))
        });
    }

    /// Sends what is asked for under the trouble, and again without it until it is answered.
    async fn send(&self, ask: &Ask) -> Value {
        self.arm();
        for _ in 0..REPEATS_MAX {
            let sent = tokio::select! {
                sent = self.send_once(ask) => sent,
                () = self.faults.until_hanging() => None,
            };
            let hits = self.faults.heal();
            assert_eq!(hits > 0, self.trouble.is_some(), "{}: it is hit", self.name());
            if let Some(answer) = sent {
                return answer;
            }
            if matches!(ask, Ask::Worker) {
                return Value::Null;
            }
        }
        panic!("{} is never answered", self.name());
    }

    /// `None` if it is to be sent again.
    async fn send_once(&self, ask: &Ask) -> Option<Value> {
        match ask {
            Ask::Call(client, call) => self.answered(client.send(call.clone()).await.unwrap()),
            Ask::Replay(client, replay) => {
                let told = client.post("/simulator/replay", replay).await.unwrap();
                let status = expect(200, told)["status"].clone();
                assert!(status == 204 || status == 500, "{}: {status}", self.name());
                (status == 204).then_some(status)
            }
            Ask::Worker => {
                match self.workers {
                    Workers::One => self.work().await,
                    Workers::Two => self.work_twice().await,
                }
                Some(Value::Null)
            }
        }
    }

    /// Runs due tasks one after the other, until nothing is due or something goes wrong.
    async fn work(&self) {
        let deps = &self.stage.world.stack.deps;
        for _ in 0..RUNS_MAX {
            let Ok(due) = self.stage.world.due_by(deps.now()).await else { return };
            if due.is_empty() {
                return;
            }
            for task in &due {
                if settle::run_task(deps, task).await.is_err() {
                    return;
                }
            }
        }
    }

    /// Runs two workers at once, each as the schedule runs it.
    async fn work_twice(&self) {
        let deps = &self.stage.world.stack.deps;
        for _ in 0..RUNS_MAX {
            let (one, two) = tokio::join!(settle::run_due(deps), settle::run_due(deps));
            if one.unwrap() + two.unwrap() == 0 {
                return;
            }
        }
    }

    /// The answer without what differs between two customers.
    fn answered(&self, reply: Reply) -> Option<Value> {
        let code = reply.body["code"].as_str();
        match (reply.status, code) {
            (503, Some("store_unavailable" | "gateway_unavailable")) => {
                assert_eq!(reply.headers["retry-after"], "2");
                None
            }
            (409, Some("version_conflict")) => {
                assert_eq!(reply.headers["retry-after"], "1");
                None
            }
            (200 | 201 | 409 | 422, code) => Some(json!({
                "code": code,
                "status": reply.body["status"],
                "amount": reply.body["quote"]["amount"],
                "order": reply.body["order"]["status"],
                "payment": reply.body["payment"]["status"],
            })),
            _ => panic!("{}: {} {:#}", self.name(), reply.status, reply.body),
        }
    }
}

// ---- The matrix ----

const SUBMIT: &str = "desk-submit";
const ORDER: &str = "desk-order";
const INSTANT: &str = "desk-instant";

/// Every request, with the product whose flow it is tried in. One that runs the same code in all
/// flows is tried in one of them.
const REQUESTS: [(Request, &str); 21] = [
    (Request::DefineProduct, ORDER),
    (Request::OpenBooking, INSTANT),
    (Request::Quote, SUBMIT),
    (Request::Quote, ORDER),
    (Request::Quote, INSTANT),
    (Request::KeyedQuote, SUBMIT),
    (Request::KeyedQuote, ORDER),
    (Request::KeyedQuote, INSTANT),
    (Request::KeyedQuoteOverCode, ORDER),
    (Request::KeyedQuoteOverCode, INSTANT),
    (Request::CreateOrder, SUBMIT),
    (Request::CreateOrderOverCode, SUBMIT),
    (Request::Generate, ORDER),
    (Request::GenerateAgain, ORDER),
    (Request::GenerateSuperseded, ORDER),
    (Request::CancelOrder, ORDER),
    (Request::CancelOrderWithCode, SUBMIT),
    (Request::CancelBooking, INSTANT),
    (Request::OrderInAnotherFlow, ORDER),
    (Request::CancelPaidOrder, ORDER),
    (Request::QuoteTooMany, SUBMIT),
];

const NEWS: [(News, &str); 10] = [
    (News::Paid, SUBMIT),
    (News::Paid, ORDER),
    (News::Paid, INSTANT),
    (News::PaidTwice, ORDER),
    (News::PaidAfterSuperseded, ORDER),
    (News::PaidAgainTold, INSTANT),
    (News::Refunded, SUBMIT),
    (News::RefundedAgainTold, ORDER),
    (News::RefundAbnormal, ORDER),
    (News::RefundClosed, INSTANT),
];

const REFUNDS: [(Work, &str); 5] = [
    (Work::Refund, ORDER),
    (Work::RefundEnded, SUBMIT),
    (Work::RefundAbnormal, ORDER),
    (Work::RefundClosed, ORDER),
    (Work::RefundTooLate, ORDER),
];

const CODES: [(Work, &str); 7] = [
    (Work::Close, ORDER),
    (Work::ClosePaid, INSTANT),
    (Work::CloseNeverCreated, ORDER),
    (Work::QueryPaid, SUBMIT),
    (Work::QueryUnpaid, ORDER),
    (Work::QueryOver, INSTANT),
    (Work::QueryNeverCreated, ORDER),
];

/// A row of the matrix, in a world of its own.
struct Row {
    world: World,
    faults: Faults,
    deed: Deed,
    product: &'static str,
}

impl Row {
    async fn of(deed: Deed, product: &'static str) -> Self {
        let faults = Faults::default();
        let world = World::start_with(|options| {
            options.settle = false;
            options.wrap_store = Some(faults.wrap_store());
            options.wrap_gateways = Some(faults.wrap_gateways());
        })
        .await;
        Self { world, faults, deed, product }
    }

    /// What the row comes to, and the calls that it made.
    async fn come_to(
        &self,
        customer: &str,
        workers: Workers,
        trouble: Option<(u32, Trouble)>,
    ) -> (Value, Vec<Call>) {
        let Self { world, faults, deed, product } = self;
        let stage = Stage { world, customer, product, opened: OnceCell::new() };
        let calls = Arc::default();
        let trial = Trial { stage, faults, deed: *deed, workers, trouble, calls };
        let end = trial.run().await;
        let calls = trial.calls.lock().unwrap().clone();
        (end, calls)
    }

    /// Fails each call in each way that fits it. Answers how often that was.
    async fn fail_each_call(mut self) -> usize {
        let deed = self.deed;
        let (undisturbed, calls) = self.come_to("nobody", Workers::One, None).await;
        assert!(!calls.is_empty(), "{:?} calls nobody", self.deed);
        let mut trials = 0;
        for call in calls.iter().filter(|call| deed.is_own(call)) {
            for alike in TROUBLES {
                let trouble = alike[trials % alike.len()];
                if !trouble.fits(call) {
                    continue;
                }
                trials += 1;
                if self.deed.needs_attention() {
                    // What waits for a person is asked for again and again.
                    self = Self::of(self.deed, self.product).await;
                }
                let customer = format!("customer-{trials}");
                let trouble = Some((call.number, trouble));
                let (end, _) = self.come_to(&customer, Workers::One, trouble).await;
                let what = format!("{:?} of {} under {trouble:?}", self.deed, self.product);
                assert_eq!(end, undisturbed, "{what}");
            }
        }
        trials
    }
}

/// Tries rows side by side: what one waits for does not keep the others waiting.
async fn fail_each_call_of(rows: impl IntoIterator<Item = (Deed, &'static str)>) {
    let mut running = JoinSet::new();
    for (deed, product) in rows {
        running.spawn(async move { Row::of(deed, product).await.fail_each_call().await });
    }
    while let Some(trials) = running.join_next().await {
        assert!(trials.unwrap() > 0);
    }
}

#[tokio::test]
async fn a_request_ends_the_same_whichever_of_its_calls_fails() {
    fail_each_call_of(REQUESTS.map(|(request, product)| (Deed::Request(request), product))).await;
}

#[tokio::test]
async fn a_notification_ends_the_same_whichever_of_its_calls_fails() {
    fail_each_call_of(NEWS.map(|(news, product)| (Deed::News(news), product))).await;
}

#[tokio::test]
async fn a_refund_ends_the_same_whichever_of_its_calls_fails() {
    fail_each_call_of(REFUNDS.map(|(work, product)| (Deed::Work(work), product))).await;
}

#[tokio::test]
async fn closing_and_asking_end_the_same_whichever_of_their_calls_fails() {
    fail_each_call_of(CODES.map(|(work, product)| (Deed::Work(work), product))).await;
}

#[tokio::test]
async fn two_workers_at_once_come_to_the_same_as_one() {
    for (work, product) in REFUNDS.into_iter().chain(CODES).chain([(Work::CloseTwo, ORDER)]) {
        let end_of = async |workers| {
            Row::of(Deed::Work(work), product).await.come_to("alice", workers, None).await.0
        };
        assert_eq!(end_of(Workers::Two).await, end_of(Workers::One).await, "{work:?}");
    }
}
