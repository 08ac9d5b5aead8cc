//! What requests cost as a booking's history and the table grow.
//!
//! A round is what a customer and the gateway do who buy once, with a voided code that is paid all
//! the same. It is played on stacks whose booking has had more or fewer orders before, or whose
//! table has more or fewer other bookings. Units and trips of the first round are counted beneath
//! the SDK; times are taken of later ones, without the meter, one round on each stack in turns.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::time::Instant;

use embedded::meter::Meter;
use local::client::{Client, Reply};
use serde_json::{Value, json};
use tests::history::booking_after;
use tests::{Window, World, expect};

use crate::figures::Figures;
use crate::part::{Size, on_every_processor};
use crate::plot::{Axis, Chart, Scale, grouped};

mod counting;
mod crowd;

use counting::Counting;
use crowd::add_bookings;

/// Whose booking it is.
const CUSTOMER: &str = "1b4e28ba-2fa1-11d2-883f-000000000001";
/// What is booked: like `desk-order`, and as often as the rounds buy it.
const PRODUCT: &str = "desk-growing";
/// How many renewals the product allows.
const RENEWALS_MAX: u32 = 1_000;
/// How many rounds are timed, so that quartiles mean something.
const ROUNDS: usize = 60;
/// How many show that it works.
const ROUNDS_OF_SAMPLE: usize = 2;
/// Rounds before the first one whose times count: caches fill, and pages are touched.
const ROUNDS_ASIDE: usize = 2;

/// What has been before a round: the axis along which it grows.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Before {
    /// Ended orders of its booking.
    Orders(u32),
    /// Other bookings in the table.
    Bookings(u32),
}

impl Before {
    /// What the round comes to: the booking's how-manieth order, or how many bookings there are.
    const fn reached(self) -> u32 {
        match self {
            Self::Orders(before) | Self::Bookings(before) => before + 1,
        }
    }

    const fn orders(self) -> u32 {
        match self {
            Self::Orders(before) => before,
            Self::Bookings(_) => 0,
        }
    }

    const fn bookings(self) -> u32 {
        match self {
            Self::Orders(_) => 0,
            Self::Bookings(before) => before,
        }
    }
}

/// One axis of growth, and how much of it is measured.
struct Extent {
    /// What grows, as the page says it: `bookings in the table`.
    axis: &'static str,
    /// The names of its pictures begin so.
    pictures: &'static str,
    /// What each column of the tables had before.
    before: Vec<Before>,
    /// How many rounds are timed on each.
    rounds: usize,
}

impl Extent {
    fn orders(size: Size) -> Self {
        let (before, rounds): (&[u32], _) = match size {
            Size::Whole => (&[0, 99, 9_999], ROUNDS),
            Size::Sample => (&[0, 99, 499], ROUNDS_OF_SAMPLE),
        };
        let before = before.iter().copied().map(Before::Orders).collect();
        Self { axis: "orders of the booking", pictures: "growth-orders", before, rounds }
    }

    fn bookings(size: Size) -> Self {
        let (before, rounds): (&[u32], _) = match size {
            Size::Whole => (&[0, 9_999, 999_999], ROUNDS),
            Size::Sample => (&[0, 99], ROUNDS_OF_SAMPLE),
        };
        let before = before.iter().copied().map(Before::Bookings).collect();
        Self { axis: "bookings in the table", pictures: "growth-bookings", before, rounds }
    }
}

/// What a request came to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Cost {
    /// Calls to the table.
    pub trips: u64,
    /// Halves of read units.
    pub read_half_units: u64,
    /// Write units, of the table and its index.
    pub write_units: u64,
}

/// What each request of a round came to, in their order.
pub type Costs = Vec<(&'static str, Cost)>;

/// The requests of one round in the order in which they were made.
struct Round<'a> {
    meter: Option<&'a Meter>,
    costs: Costs,
    times_ms: Vec<(&'static str, f64)>,
}

impl<'a> Round<'a> {
    const fn with(meter: Option<&'a Meter>) -> Self {
        Self { meter, costs: vec![], times_ms: vec![] }
    }

    async fn take<T>(&mut self, request: &'static str, work: impl Future<Output = T>) -> T {
        drop(self.meter.map(Meter::take));
        let begun = Instant::now();
        let answer = work.await;
        self.times_ms.push((request, begun.elapsed().as_secs_f64() * 1e3));
        if let Some(meter) = self.meter {
            let calls = meter.take();
            let cost = Cost {
                trips: calls.len() as u64,
                read_half_units: calls.iter().map(|call| call.read_half_units).sum(),
                write_units: calls.iter().map(|call| call.write_units).sum(),
            };
            self.costs.push((request, cost));
        }
        answer
    }
}

/// A stack with a past.
struct Grown {
    world: World,
    window: Window,
    counting: Counting,
}

impl Grown {
    async fn to(before: Before) -> Self {
        let (counting, wrap) = Counting::new();
        let world = World::start_with(|options| {
            options.settle = false;
            options.wrap_store = Some(wrap);
        })
        .await;
        // Only the rounds tell of payments.
        world.faults(json!({ "notifications_dropped": 1 })).await;
        world.sell(PRODUCT, json!({ "max_renewals": RENEWALS_MAX })).await;
        let window = booking_after(&world, CUSTOMER, PRODUCT, before.orders()).await;
        add_bookings(&world, &window, CUSTOMER, before.bookings());
        // A client that checks no answer against the API's description: that would be timed too.
        let client = Client::new(&world.stack.base_url).as_customer(CUSTOMER);
        Self { world, window: Window { client, ..window }, counting }
    }

    /// What each request of a round costs.
    async fn costs(&self) -> Costs {
        self.counting.count(true);
        let costs = self.play().await.costs;
        self.counting.count(false);
        costs
    }

    async fn play(&self) -> Round<'_> {
        let mut round = Round::with(self.counting.meter());
        let window = &self.window;
        let quoted = expect(201, round.take("quote", window.quote(1)).await);
        let voided = expect(201, round.take("generate-payment", window.generate(&quoted)).await);
        let quoted = expect(201, round.take("quote, voiding a code", window.quote(2)).await);
        let live = expect(201, window.generate(&quoted).await);
        self.deliver(&mut round, "notification, applied", &live).await;
        self.deliver(&mut round, "notification, refunded", &voided).await;
        self.read(&mut round).await;
        round
    }

    async fn deliver(&self, round: &mut Round<'_>, request: &'static str, made: &Value) {
        let paid = self.world.pay(&made["payment"]["code_url"]).await;
        let told = expect(200, round.take(request, self.replay(&paid)).await);
        assert!([200, 204].contains(&told["status"].as_u64().unwrap()), "{told}");
    }

    async fn replay(&self, paid: &Value) -> Reply {
        let body = json!({ "transaction_id": paid["transaction_id"] });
        self.window.client.post("/simulator/replay", &body).await.unwrap()
    }

    async fn read(&self, round: &mut Round<'_>) {
        let Window { client, path, .. } = &self.window;
        let answer = round.take("GET booking", client.get(path)).await.unwrap();
        let tag = answer.headers["etag"].to_str().unwrap().to_owned();
        expect(200, answer);
        expect(304, round.take("GET booking, 304", self.window.look_unless(&tag)).await);
        let operator = client.as_customer("admin");
        let path = format!("/v1/operations/bookings/{}", self.window.booking_id());
        expect(200, round.take("operations, a booking", operator.get(path)).await.unwrap());
    }
}

/// What each request of a round costs on a stack with a past.
pub async fn costs_after(before: Before) -> Costs {
    Grown::to(before).await.costs().await
}

/// Times of each request in milliseconds, by the places of the columns.
type Times = BTreeMap<&'static str, Vec<Vec<f64>>>;

async fn measured(extent: &Extent) -> (Vec<Costs>, Times) {
    let (mut stacks, mut costs) = (vec![], vec![]);
    for before in &extent.before {
        let grown = Grown::to(*before).await;
        costs.push(grown.costs().await);
        stacks.push(grown);
    }
    (costs, times(&stacks, extent.rounds).await)
}

async fn times(stacks: &[Grown], rounds: usize) -> Times {
    let mut times = Times::new();
    for number in 0..ROUNDS_ASIDE + rounds {
        for (place, stack) in stacks.iter().enumerate() {
            let round = stack.play().await;
            for (request, ms) in round.times_ms {
                let all = times.entry(request).or_insert_with(|| vec![vec![]; stacks.len()]);
                if number >= ROUNDS_ASIDE {
                    all[place].push(ms);
                }
            }
        }
    }
    times
}

/// Measures it.
///
/// # Errors
/// A line that says why it cannot be measured here.
pub fn measure(size: Size) -> Result<String, String> {
    let mut tables = vec![];
    for extent in [Extent::orders(size), Extent::bookings(size)] {
        let (costs, times) = on_every_processor(measured(&extent))?;
        if size == Size::Whole {
            draw(&extent, &costs, &times)?;
        }
        tables.push(cost_table(&extent, &costs));
        tables.push(time_table(&extent, &times));
    }
    Ok(tables.join("\n"))
}

/// The head of a table with what has been reached above each column.
fn head(extent: &Extent, first: &str) -> String {
    let mut head = format!("| {first}, by {} |", extent.axis);
    for before in &extent.before {
        let _ = write!(head, " {} |", grouped(&before.reached().to_string()));
    }
    let rule = "---:|".repeat(extent.before.len());
    format!("{head}\n|---|{rule}\n")
}

fn cost_table(extent: &Extent, costs: &[Costs]) -> String {
    let mut table = head(extent, "Round trips, read units, write units");
    for (row, (request, _)) in costs[0].iter().enumerate() {
        let _ = write!(table, "| {request} |");
        for column in costs {
            let Cost { trips, read_half_units, write_units } = column[row].1;
            let read_units = read_half_units as f64 / 2.0;
            let _ = write!(table, " {trips}, {read_units}, {write_units} |");
        }
        table.push('\n');
    }
    table
}

/// The first column is in milliseconds, the others are shares of it.
fn time_table(extent: &Extent, times: &Times) -> String {
    let mut table = head(extent, "Milliseconds, then ratios to the first");
    for (request, columns) in times {
        let smallest = &columns[0];
        let _ = write!(table, "| {request} | {} |", Figures::of(smallest.clone()).shown(2));
        for column in &columns[1..] {
            let _ = write!(table, " {} |", Figures::ratios(column, smallest).shown(2));
        }
        table.push('\n');
    }
    table
}

/// Draws what the tables say.
fn draw(extent: &Extent, costs: &[Costs], times: &Times) -> Result<(), String> {
    let reached = || extent.before.iter().map(|before| f64::from(before.reached()));
    let across = Axis { name: extent.axis, scale: Scale::Log };
    let up = Axis { name: "read and write units", scale: Scale::Linear };
    let mut units = Chart::new(&format!("Units of a request by {}", extent.axis), across, up);
    for (row, (request, _)) in costs[0].iter().enumerate() {
        let of = |cost: Cost| cost.read_half_units as f64 / 2.0 + cost.write_units as f64;
        let points = reached().zip(costs).map(|(reached, column)| (reached, of(column[row].1)));
        units = units.line(request, points.collect());
    }
    units.write(&format!("{}-units", extent.pictures))?;
    let up = Axis { name: "median, ms", scale: Scale::Linear };
    let mut medians = Chart::new(&format!("Time of a request by {}", extent.axis), across, up);
    for (request, columns) in times {
        let of = |column: &Vec<f64>| Figures::of(column.clone()).median();
        medians = medians.line(request, reached().zip(columns.iter().map(of)).collect());
    }
    medians.write(&format!("{}-times", extent.pictures))
}
