//! A gateway's bill against the record, over HTTP: what is found, and that nothing is moved by it.

use api::problem::Problem;
use domain::gateway::GatewayName;
use domain::ids::Echo;
use gateways::CreateOutcome;
use gateways::bill::last_day;
use jiff::civil::Date;
use jiff::tz::Offset;
use jiff::{SignedDuration, Timestamp};
use runtime::deadline::Deadline;
use runtime::gateway_calls;
use serde_json::{Value, json};
use tests::faults::{Failure, Fate, Faults, Side};
use tests::gateway::EVERY_GATEWAY;
use tests::lines::Lines;
use tests::quiet::{at_gateway, owed, tell};
use tests::{
    GLANCE, PATIENCE, Window, World, acknowledged, expect, expect_problem, gateway, gateway_name,
    order_in, text,
};

const INVOKE: &str = "/2015-03-31/functions/reconcile/invocations";

/// How the bill of this run's gateway differs from the others'.
struct Kind {
    /// The last moment at which the bill of the day is not there: the day after it, or not, and
    /// the hour, minute and second.
    not_there: (bool, [i8; 3]),
    /// What is said until then.
    says: &'static str,
    /// Whether it carries the echo. Without it, money whose payment is stored nowhere cannot be
    /// told from what the merchant sells elsewhere.
    carries_echo: bool,
    /// An echo that is not ours, with what ends a value of the bill where it may have that.
    foreign_echo: &'static str,
    /// How many calls a run makes that raises one thing.
    calls: u32,
    /// What the last call for a bill names.
    last_call: &'static str,
}

fn kind() -> Kind {
    match gateway() {
        "alipay" => Kind {
            not_there: (true, [8, 59, 59]),
            says: "bill_not_exist",
            carries_echo: false,
            foreign_echo: "lp1.not%2C%60ours",
            calls: 14,
            last_call: "downloadBillFile",
        },
        "stripe" => Kind {
            not_there: (false, [23, 59, 59]),
            says: "day_not_over",
            carries_echo: true,
            foreign_echo: "lp1.not,`ours",
            calls: 13,
            last_call: "balance_transactions",
        },
        _ => Kind {
            not_there: (true, [9, 59, 59]),
            says: "STATEMENT_CREATING",
            carries_echo: true,
            foreign_echo: "lp1.not,`ours",
            calls: 14,
            last_call: "billdownload",
        },
    }
}

/// A world whose gateway says nothing by itself, at noon of a day in the gateway's calendar.
struct Day {
    world: World,
    day: Date,
}

impl Day {
    async fn begin() -> Self {
        Self::begin_with(|_| {}).await
    }

    async fn begin_with(change: impl FnOnce(&mut local::stack::Options)) -> Self {
        let world = World::start_with(|options| {
            options.settle = false;
            change(options);
        })
        .await;
        world.faults(json!({ "notifications_dropped": 1.0, "refund_delay_ms": 0 })).await;
        let today = offset(&world).to_datetime(world.clock.now()).date();
        let day = Self { world, day: today.tomorrow().unwrap() };
        day.world.clock.set(day.at(12, 0, 0));
        day
    }

    fn at(&self, hour: i8, minute: i8, second: i8) -> Timestamp {
        offset(&self.world).to_timestamp(self.day.at(hour, minute, second, 0)).unwrap()
    }

    /// The day after, in the same world.
    fn next(self) -> Self {
        Self { day: self.day.tomorrow().unwrap(), ..self }
    }

    /// When the bill of the day is there, an empty one included: noon of the next day.
    fn next_noon(&self) {
        let noon = self.at(12, 0, 0).checked_add(SignedDuration::from_hours(24)).unwrap();
        self.world.clock.set(noon);
    }

    fn ask(&self) -> Value {
        json!({ "day": self.day, "gateway": gateway() })
    }

    async fn invoke(&self, ask: Value) -> Value {
        expect(200, self.world.admin().post(INVOKE, &ask).await.unwrap())
    }

    /// What the gateway took and gave back. Codes may end by themselves meanwhile.
    async fn money(&self) -> Vec<[Value; 3]> {
        let fields = ["payment_id", "captured", "refunded"];
        let ledger = self.world.ledger().await;
        ledger.iter().map(|payment| fields.map(|field| payment[field].clone())).collect()
    }

    /// The report of the day's bill, which must leave all money and all bookings as they are.
    async fn reconcile(&self) -> Value {
        self.next_noon();
        let money = self.money().await;
        let report = self.invoke(self.ask()).await;
        assert_eq!(self.money().await, money, "reconciling moves no money");
        let one = report["gateways"][0].clone();
        assert_eq!((&one["gateway"], &one["day"]), (&json!(gateway()), &json!(self.day)));
        one
    }

    async fn waiting(&self) -> Vec<Value> {
        let page = expect(200, self.world.admin().get("/v1/attention").await.unwrap());
        page["attention"].as_array().unwrap().clone()
    }

    async fn release(&self, one: &Value, action: &str) -> local::client::Reply {
        let (booking, name) = (text(&one["booking_id"]), text(&one["attention_id"]));
        let path = format!("/v1/attention/{booking}/{name}/{action}");
        self.world.admin().post(path, &json!({ "note": "dealt with" })).await.unwrap()
    }

    /// Pays a code whatever the gateway thinks of it; the gateway says nothing.
    async fn force(&self, made: &Value) -> Value {
        let code_url = &made["payment"]["code_url"];
        self.world.pay_with(json!({ "code_url": code_url, "force": true })).await
    }

    /// A bought quantity: paid, and told.
    async fn bought(&self, customer: &str) -> (Window, Value, Value) {
        let window = self.world.booking_of(customer, "desk-order").await;
        let made = window.code_for(1).await;
        let paid = self.world.pay(&made["payment"]["code_url"]).await;
        tell(&self.world, &paid["transaction_id"]).await;
        (window, made, paid)
    }

    /// A code made with our own credentials for a payment that is stored nowhere.
    async fn code(&self, payment_id: &str, echo: &str) -> Value {
        let deps = &self.world.stack.deps;
        let gateway = deps.gateway(&gateway_name()).unwrap();
        let body = gateway.create_body(&gateways::NewPayment {
            payment_id,
            description: "Tea,`and cake",
            amount: serde_json::from_value(json!({ "amount": 1280, "currency": "CNY" })).unwrap(),
            expires_at: deps.now().checked_add(SignedDuration::from_mins(10)).unwrap(),
            echo,
        });
        match gateway_calls::create(deps, gateway.as_ref(), payment_id, &body).await {
            CreateOutcome::Payable { code_url, .. } => {
                json!({ "payment": { "code_url": code_url } })
            }
            other => panic!("{other:?}"),
        }
    }

    /// Somebody refunds by hand, in full, and the money is back; answers the gateway's number.
    async fn refund_by_hand(&self, made: &Value, paid: &Value) -> String {
        let refund = json!({ "transaction_id": paid["transaction_id"] });
        let told = self.world.nobody().post("/simulator/refund", &refund).await.unwrap();
        let number = text(&expect(200, told)["refund_no"]);
        for _ in 0..PATIENCE.as_millis().checked_div(GLANCE.as_millis()).unwrap() {
            if at_gateway(&self.world, made).await[0]["status"] == "success" {
                return number;
            }
            tokio::time::sleep(GLANCE).await;
        }
        panic!("the gateway has not given {number} back");
    }

    /// The gateway tells of money that its ledger may have otherwise, or not at all.
    async fn tell_by_hand(&self, window: &Window, made: &Value, more: Value) {
        let (_, orders) = self.world.stored(window).await;
        let order = orders.iter().find(|it| json!(it.order_id) == made["order"]["order_id"]);
        let order = order.unwrap();
        let booking_id = window.booking_id();
        let echo = self.world.stack.deps.ids.seal_echo(&Echo {
            booking_id,
            order_id: order.order_id.clone(),
            order_seq: order.seq,
            attempt: 1,
        });
        let mut body = json!({
            "gateway": gateway(),
            "out_trade_no": made["payment"]["payment_id"],
            "attach": echo,
            "amount": made["order"]["amount"],
            "success_time": self.world.clock.now().round(jiff::Unit::Second).unwrap(),
        });
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let told = self.world.nobody().post("/simulator/notify", &body).await.unwrap();
        assert_eq!(expect(200, told)["status"], acknowledged());
    }
}

/// The calendar of the gateway's bills.
fn offset(world: &World) -> Offset {
    world.stack.deps.gateway(&gateway_name()).unwrap().bills().unwrap().offset()
}

/// A superseded code whose close the gateway has confirmed, as is recorded.
async fn closed(world: &World, window: &Window) -> Value {
    let old = window.code_for(1).await;
    window.code_for(2).await;
    world.until_closed(&old["payment"]["payment_id"]).await;
    world.settle().await;
    let booking = window.look().await;
    let order = order_in(&booking, &old["order"]["order_id"]).unwrap();
    assert_eq!(order["payments"][0]["status"], "closed");
    old
}

fn counts(report: &Value) -> Value {
    let tally =
        |name: &str| json!([report[name]["payments"]["count"], report[name]["refunds"]["count"]]);
    json!({
        "in_both": tally("in_both"),
        "amount_differs": tally("amount_differs"),
        "not_recorded": tally("not_recorded"),
        "foreign": tally("foreign"),
        "only_here": report["only_here"]["count"],
    })
}

#[track_caller]
fn check(report: &Value, status: &str, raised: u64, expected: Value) {
    let mut all = json!({
        "in_both": [0, 0],
        "amount_differs": [0, 0],
        "not_recorded": [0, 0],
        "foreign": [0, 0],
        "only_here": 0,
    });
    all.as_object_mut().unwrap().extend(expected.as_object().unwrap().clone());
    assert_eq!(counts(report), all, "{report:#}");
    assert_eq!((&report["status"], &report["raised"]), (&json!(status), &json!(raised)));
}

#[tokio::test]
async fn a_quiet_day_agrees_to_the_fen() {
    let day = Day::begin().await;
    day.bought("alice").await;
    owed(&day.world, "bob").await;
    day.world.settle().await;
    let report = day.reconcile().await;
    check(&report, "agrees", 0, json!({ "in_both": [2, 1] }));
    let cny = |amount| json!([{ "amount": amount, "currency": "CNY" }]);
    assert_eq!(report["in_both"]["payments"]["amounts"], cny(2560));
    assert_eq!(report["in_both"]["refunds"]["amounts"], cny(1280));
    assert_eq!((report["rows"].clone(), day.waiting().await), (json!([]), vec![]));
}

#[tokio::test]
async fn a_day_without_trades_agrees() {
    let day = Day::begin().await;
    check(&day.reconcile().await, "agrees", 0, json!({}));
}

#[tokio::test]
async fn every_gateways_last_day_is_compared_unless_one_is_named() {
    let day = Day::begin().await;
    day.bought("alice").await;
    day.next_noon();
    let report = day.invoke(json!({})).await;
    let compared = report["gateways"].as_array().unwrap();
    assert_eq!(compared.len(), EVERY_GATEWAY.len());
    for one in compared {
        let sold = u8::from(one["gateway"] == gateway());
        check(one, "agrees", 0, json!({ "in_both": [sold, 0] }));
        let name = GatewayName::parse(&text(&one["gateway"])).unwrap();
        let deps = &day.world.stack.deps;
        let offset = deps.gateway(&name).unwrap().bills().unwrap().offset();
        assert_eq!(one["day"], json!(last_day(offset, deps.now())));
    }
}

#[tokio::test]
async fn money_captured_after_a_confirmed_close_and_never_told_is_flagged_once() {
    let day = Day::begin().await;
    let window = day.world.booking_of("alice", "desk-order").await;
    let old = closed(&day.world, &window).await;
    let paid = day.force(&old).await;
    day.next_noon();
    let before = window.look().await;
    let report = day.reconcile().await;
    check(&report, "differs", 1, json!({ "not_recorded": [1, 0] }));
    assert_eq!(report["rows"][0]["transaction_id"], paid["transaction_id"]);
    assert_eq!(report["rows"][0]["difference"], "not_recorded");
    let waiting = day.waiting().await;
    let [one] = waiting.as_slice() else { panic!("{waiting:#?}") };
    assert_eq!(
        (&one["subject"], &one["reason"]),
        (&json!("reconciliation"), &json!("not_recorded"))
    );
    assert_eq!(
        (&one["transaction_id"], &one["payment_id"]),
        (&paid["transaction_id"], &paid["payment_id"])
    );
    assert_eq!(one["amount"], json!({ "amount": 1280, "currency": "CNY" }));
    // The same day again, asked by two at once.
    let (left, right) = tokio::join!(day.reconcile(), day.reconcile());
    for again in [left, right] {
        check(&again, "differs", 0, json!({ "not_recorded": [1, 0] }));
    }
    assert_eq!(day.waiting().await, waiting);
    expect_problem(409, "retry_not_possible", day.release(one, "retry").await);
    expect(200, day.release(one, "resolve").await);
    check(&day.reconcile().await, "differs", 0, json!({ "not_recorded": [1, 0] }));
    assert_eq!(day.waiting().await, Vec::<Value>::new(), "what was resolved is not raised again");
    let after = window.look().await;
    let same = ["status", "term", "renewals", "orders"];
    assert_eq!(same.map(|field| &after[field]), same.map(|field| &before[field]));
}

#[tokio::test]
async fn a_second_capture_of_one_payment_that_is_never_told_is_flagged() {
    let day = Day::begin().await;
    let (window, made, _) = day.bought("alice").await;
    let second = day.force(&made).await;
    let report = day.reconcile().await;
    check(&report, "differs", 1, json!({ "in_both": [1, 0], "not_recorded": [1, 0] }));
    assert_eq!(day.waiting().await[0]["transaction_id"], second["transaction_id"]);
    let order = window.look().await;
    let order = order_in(&order, &made["order"]["order_id"]).unwrap();
    assert_eq!((&order["status"], &order["refunds"]), (&json!("paid"), &json!([])));
    // Told late it goes back like any other, and the bill is explained.
    tell(&day.world, &second["transaction_id"]).await;
    check(&day.reconcile().await, "agrees", 0, json!({ "in_both": [2, 0] }));
}

#[tokio::test]
async fn another_amount_than_the_recorded_one_is_flagged() {
    let day = Day::begin().await;
    let window = day.world.booking_of("alice", "desk-order").await;
    let made = window.code_for(1).await;
    let less = json!({ "amount": 1279, "currency": "CNY" });
    let code_url = &made["payment"]["code_url"];
    let paid = day.world.pay_with(json!({ "code_url": code_url, "amount": less })).await;
    // The gateway tells of what was ordered, and books what was paid.
    let transaction = json!({ "transaction_id": paid["transaction_id"] });
    day.tell_by_hand(&window, &made, transaction).await;
    let report = day.reconcile().await;
    check(&report, "differs", 1, json!({ "amount_differs": [1, 0] }));
    assert_eq!(
        (&report["rows"][0]["amount"], &report["rows"][0]["recorded"]["amount"]),
        (&less, &json!(1280))
    );
    assert_eq!(day.waiting().await[0]["reason"], "amount_differs");
    check(&day.reconcile().await, "differs", 0, json!({ "amount_differs": [1, 0] }));
}

#[tokio::test]
async fn what_the_merchant_sells_elsewhere_is_listed_and_not_flagged() {
    let day = Day::begin().await;
    for (number, echo) in [("SHOP_00001", ""), ("SHOP_00002", kind().foreign_echo)] {
        let made = day.code(number, echo).await;
        day.force(&made).await;
    }
    let report = day.reconcile().await;
    check(&report, "agrees", 0, json!({ "foreign": [2, 0] }));
    assert_eq!(report["rows"].as_array().unwrap().len(), 2);
    assert_eq!(report["rows"][0]["difference"], "foreign");
    assert_eq!(day.waiting().await, Vec::<Value>::new());
}

#[tokio::test]
async fn a_bill_of_more_rows_than_a_page_has_is_read_to_its_end() {
    let day = Day::begin().await;
    day.bought("alice").await;
    for number in 0..105 {
        let made = day.code(&format!("SHOP_{number:05}"), "").await;
        day.force(&made).await;
    }
    let report = day.reconcile().await;
    check(&report, "agrees", 0, json!({ "in_both": [1, 0], "foreign": [105, 0] }));
}

#[tokio::test]
async fn money_of_ours_whose_payment_is_stored_nowhere_is_flagged_once() {
    let day = Day::begin().await;
    let stored = day.world.booking_of("alice", "desk-order").await;
    let ids = &day.world.stack.deps.ids;
    let nowhere = ids.booking("nobody", "key", &ids.product_tag("desk-order"));
    for (seed, booking_id) in [(1, nowhere), (2, stored.booking_id())] {
        let order_id = ids.order(&ids.fresh_token([seed; 16]));
        let payment_id = ids.payment(&order_id, &gateway_name(), 1);
        let echo = ids.seal_echo(&Echo { booking_id, order_id, order_seq: 0, attempt: 1 });
        let made = day.code(payment_id.as_str(), &echo).await;
        day.force(&made).await;
    }
    if !kind().carries_echo {
        check(&day.reconcile().await, "agrees", 0, json!({ "foreign": [2, 0] }));
        return;
    }
    check(&day.reconcile().await, "differs", 2, json!({ "not_recorded": [2, 0] }));
    check(&day.reconcile().await, "differs", 0, json!({ "not_recorded": [2, 0] }));
    let waiting = day.waiting().await;
    assert_eq!(waiting.len(), 2);
    for one in &waiting {
        expect_problem(409, "retry_not_possible", day.release(one, "retry").await);
        expect(200, day.release(one, "resolve").await);
    }
    check(&day.reconcile().await, "differs", 0, json!({ "not_recorded": [2, 0] }));
    assert_eq!(day.waiting().await, Vec::<Value>::new());
}

#[tokio::test]
async fn a_refund_by_hand_whose_notification_is_lost_is_stored_and_flagged_as_one() {
    let day = Day::begin().await;
    let (window, made, paid) = day.bought("alice").await;
    let term = window.look().await["term"].clone();
    let number = day.refund_by_hand(&made, &paid).await;
    check(
        &day.reconcile().await,
        "differs",
        1,
        json!({ "in_both": [1, 0], "not_recorded": [0, 1] }),
    );
    let waiting = day.waiting().await;
    assert_eq!((waiting.len(), &waiting[0]["subject"]), (1, &json!("foreign_refund")));
    check(&day.reconcile().await, "agrees", 0, json!({ "in_both": [1, 1] }));
    // The notification at last: it is the same refund.
    let replay = json!({ "refund_no": number });
    let told = day.world.nobody().post("/simulator/replay", &replay).await.unwrap();
    assert_eq!(expect(200, told)["status"], acknowledged());
    assert_eq!(day.waiting().await, waiting);
    assert_eq!(window.look().await["term"], term, "the booking stays as it was bought");
}

#[tokio::test]
async fn money_that_only_the_record_knows_is_listed() {
    let day = Day::begin().await;
    let window = day.world.booking_of("alice", "desk-order").await;
    let made = window.code_for(1).await;
    day.tell_by_hand(&window, &made, json!({ "transaction_id": "4200009999" })).await;
    let report = day.reconcile().await;
    check(&report, "differs", 0, json!({ "only_here": 1 }));
    assert_eq!(report["rows"][0]["transaction_id"], "4200009999");
    assert_eq!(report["only_here"]["amounts"], json!([{ "amount": 1280, "currency": "CNY" }]));
}

#[tokio::test]
async fn a_capture_at_the_edge_of_the_day_is_found_in_either_bill() {
    let day = Day::begin().await;
    let window = day.world.booking_of("alice", "desk-order").await;
    // Booked by the gateway in the last second of the day, and told with the next day's time.
    let made = window.code_for(1).await;
    let booked = day.at(23, 59, 59);
    let code_url = &made["payment"]["code_url"];
    let paid = day.world.pay_with(json!({ "code_url": code_url, "paid_at": booked })).await;
    let told = json!({
        "transaction_id": paid["transaction_id"],
        "success_time": booked.checked_add(SignedDuration::from_secs(1)).unwrap(),
    });
    day.tell_by_hand(&window, &made, told).await;
    check(&day.reconcile().await, "agrees", 0, json!({ "in_both": [1, 0] }));
    // The next day's bill is compared with what is recorded for that day.
    check(&day.next().reconcile().await, "agrees", 0, json!({}));
}

#[tokio::test]
async fn a_bill_that_is_not_there_yet_fails_and_says_so() {
    let day = Day::begin().await;
    day.bought("alice").await;
    let Kind { not_there: (is_next_day, [hour, minute, second]), says, .. } = kind();
    let hours = if is_next_day { 24 } else { 0 };
    let moment = day.at(hour, minute, second).checked_add(SignedDuration::from_hours(hours));
    day.world.clock.set(moment.unwrap());
    let report = day.invoke(day.ask()).await["gateways"][0].clone();
    assert_eq!((&report["status"], &report["day"]), (&json!("failed"), &json!(day.day)));
    assert!(text(&report["error"]).contains(says), "{report:#}");
    check(&day.reconcile().await, "agrees", 0, json!({ "in_both": [1, 0] }));
}

#[tokio::test]
async fn a_run_that_breaks_anywhere_is_repaired_by_the_next() {
    let faults = Faults::default();
    let day = Day::begin_with(|options| {
        options.wrap_gateways = Some(faults.wrap_gateways());
        options.wrap_store = Some(faults.wrap_store());
    })
    .await;
    let window = day.world.booking_of("alice", "desk-order").await;
    let old = closed(&day.world, &window).await;
    day.force(&old).await;
    day.next_noon();
    let ask = day.ask();
    // From the last call to the first, so that the one that raises is met first.
    let mut raised = 0;
    for number in (1..=kind().calls).rev() {
        for fate in [Fate::FailsBefore(Failure::NoAnswer), Fate::FailsAfter(Failure::NoAnswer)] {
            faults.follow(move |call| if call.number == number { fate } else { Fate::Works });
            let report = day.invoke(ask.clone()).await;
            raised += report["gateways"][0]["raised"].as_u64().unwrap_or_default();
            faults.heal();
            assert!(day.waiting().await.len() <= 1);
        }
    }
    check(&day.reconcile().await, "differs", 0, json!({ "not_recorded": [1, 0] }));
    assert_eq!((day.waiting().await.len(), raised), (1, 1));
}

#[tokio::test]
async fn the_gateway_failing_in_the_middle_leaves_no_half_bill() {
    let faults = Faults::default();
    let day = Day::begin_with(|options| options.wrap_gateways = Some(faults.wrap_gateways())).await;
    day.bought("alice").await;
    day.next_noon();
    faults.follow(|call| match call.side {
        Side::Gateway if call.operation.contains(kind().last_call) => {
            Fate::FailsAfter(Failure::NoAnswer)
        }
        Side::Gateway | Side::Store => Fate::Works,
    });
    let report = day.reconcile().await;
    check(&report, "failed", 0, json!({}));
    assert!(faults.heal() > 0);
    check(&day.reconcile().await, "agrees", 0, json!({ "in_both": [1, 0] }));
}

#[tokio::test]
async fn only_who_may_see_what_waits_may_have_bills_compared() {
    let day = Day::begin().await;
    let customer = day.world.nobody().as_customer("alice");
    expect_problem(403, "forbidden", customer.post(INVOKE, &json!({})).await.unwrap());
    expect_problem(
        401,
        "unauthenticated",
        day.world.nobody().post(INVOKE, &json!({})).await.unwrap(),
    );
    for ask in [json!({ "gateway": "none" }), json!({ "day": "yesterday" }), json!("all")] {
        let answer = expect(200, day.world.admin().post(INVOKE, &ask).await.unwrap());
        assert!(text(&answer["errorMessage"]).contains("InvalidRequest"), "{answer}");
    }
}

#[tokio::test]
async fn a_run_whose_time_is_up_says_so_and_counts_as_failed() {
    let Day { world, day } = Day::begin().await;
    let lines = Lines::keep("info");
    let now = world.clock.now();
    let deadline_ms = u64::try_from(now.as_millisecond()).unwrap() + 1;
    let deps = world.stack.deps.until(Deadline::of_invocation(deadline_ms, now));
    let ask = json!({ "day": day, "gateway": gateway() });
    let ended = reconcile::handle_event(&deps, ask).await;
    assert!(matches!(ended, Err(Problem::OutOfTime)), "{ended:?}");
    let failed = lines.all().iter().filter(|line| line["reconciliation_failed"] == 1).count();
    assert_eq!(failed, 1, "{}", lines.text());
}
