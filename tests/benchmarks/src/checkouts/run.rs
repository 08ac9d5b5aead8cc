//! One run: many checkouts on a fresh stack, and the same calls once more on a bare store.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use domain::booking::{BookingStatus, OrderStatus};
use embedded::EmbeddedStore;
use local::client::Client;
use local::stack::{Options, Stack};
use tests::{Window, World, expect, open_booking, text};
use tokio::task::JoinSet;

use crate::checkouts::customer::{CheckedOut, Flow, check_out, partition};
use crate::checkouts::stopwatch::Stopwatch;
use crate::checkouts::tape::{Call, Tape};
use crate::figures::Figures;

/// The gateway that everything is paid at.
const GATEWAY: &str = "wechat_pay";
/// How many requests show what one costs that is answered without anything to do.
const EMPTY_REQUESTS: usize = 100;

/// What is run.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Load {
    /// The flow of all customers.
    pub flow: Flow,
    /// How many customers buy at once, one checkout after the other.
    pub customers: usize,
    /// How many checkouts all of them make together.
    pub checkouts: usize,
}

/// What a run came to.
#[derive(Clone, PartialEq, Debug)]
pub struct Run {
    /// What was run.
    pub load: Load,
    /// Each checkout.
    pub checked_out: Vec<CheckedOut>,
    /// All checkouts together, from the first request to the last applied payment.
    pub whole: Duration,
    /// The same calls to the store alone.
    pub bare: Duration,
    /// How many calls these are.
    pub calls: usize,
    /// The time within the store's calls, added up.
    pub store: Duration,
    /// The time within calls to the gateway, added up: the customers' wallets included.
    pub gateway: Duration,
    /// A request to which there is nothing to do.
    pub empty_request: Duration,
}

/// A stack with customers who have opened their bookings.
struct Shop {
    world: World,
    tape: Tape,
    watch: Stopwatch,
    /// What each customer is going to buy, booking after booking.
    customers: Vec<Vec<Window>>,
}

/// Runs a load, checks its books, and plays its calls again.
///
/// # Panics
/// If anything is refused, or the books do not agree.
pub async fn run(load: Load) -> Run {
    let shop = Shop::open(load).await;
    let empty_request = shop.empty_request().await;
    let (before, _) = (shop.tape.take(), shop.watch.take());
    let (checked_out, whole) = shop.trade(load.flow).await;
    let calls = shop.tape.take();
    let wallets = wallets(load.flow, &checked_out);
    let gateway = shop.watch.take() + wallets;
    shop.check_books().await;
    let lanes = shop.lanes(&calls);
    let bare = play(&before, lanes).await;
    let store = calls.iter().map(|call| call.took).sum();
    let calls = calls.len();
    Run { load, checked_out, whole, bare, calls, store, gateway, empty_request }
}

fn wallets(flow: Flow, checked_out: &[CheckedOut]) -> Duration {
    let at = flow.steps().len() - 2;
    checked_out.iter().map(|one| one.steps[at]).sum()
}

impl Shop {
    /// Opens everything that is not measured: each customer has a connection of its own, and a
    /// booking for each of its checkouts.
    async fn open(load: Load) -> Self {
        let (tape, watch) = (Tape::default(), Stopwatch::default());
        let mut options = Options::in_memory();
        // Nothing comes due within a run.
        options.settle = false;
        options.wrap_store = Some(tape.wrap_store());
        options.wrap_gateways = Some(watch.wrap_gateways());
        let world = World::around(Stack::start(options).await.expect("the stack starts"));
        let mut customers = vec![];
        for number in 0..load.customers {
            let client = Client::new(&world.stack.base_url);
            let client = client.as_customer(&format!("customer-{number}"));
            let share = load.checkouts / load.customers;
            let mut windows = vec![];
            for key in 0..share {
                let opened = open_booking(&client, load.flow.product(), &key.to_string()).await;
                let path = text(&expect(201, opened)["booking_id"]);
                let path = format!("/v1/bookings/{path}");
                windows.push(Window { client: client.clone(), path, gateway: GATEWAY });
            }
            customers.push(windows);
        }
        let shop = Self { world, tape, watch, customers };
        shop.warm_up(load.flow).await;
        shop
    }

    /// One checkout whose time is nobody's: it opens the gateways' connections.
    async fn warm_up(&self, flow: Flow) {
        let client = Client::new(&self.world.stack.base_url).as_customer("first");
        let opened = expect(201, open_booking(&client, flow.product(), "first").await);
        let path = format!("/v1/bookings/{}", text(&opened["booking_id"]));
        check_out(flow, &Window { client, path, gateway: GATEWAY }, &self.tape).await;
    }

    /// The median of requests for a path that does not exist.
    async fn empty_request(&self) -> Duration {
        let client = &self.customers[0][0].client;
        let mut took_s = vec![];
        for _ in 0..EMPTY_REQUESTS {
            let begun = Instant::now();
            expect(404, client.get("/v1/nothing").await.expect("an answer"));
            took_s.push(begun.elapsed().as_secs_f64());
        }
        Duration::from_secs_f64(Figures::of(took_s).median())
    }

    /// All customers at once, each one checkout after the other.
    async fn trade(&self, flow: Flow) -> (Vec<CheckedOut>, Duration) {
        let mut trading = JoinSet::new();
        let begun = Instant::now();
        for windows in self.customers.clone() {
            let tape = self.tape.clone();
            trading.spawn(async move {
                let mut checked_out = vec![];
                for window in &windows {
                    checked_out.push(check_out(flow, window, &tape).await);
                }
                checked_out
            });
        }
        let checked_out = trading.join_all().await.concat();
        (checked_out, begun.elapsed())
    }

    /// Every booking is active and paid once, and gateway and store agree.
    async fn check_books(&self) {
        let windows = self.customers.concat();
        self.world.drive(&windows).await;
        for window in &windows {
            let (booking, orders) = self.world.stored(window).await;
            assert_eq!(booking.status, BookingStatus::Active, "{booking:?}");
            assert_eq!((orders.len(), orders[0].status), (1, OrderStatus::Paid), "{orders:?}");
        }
        let captured = self.world.ledger().await.iter().filter(|it| it["closed"] == true).count();
        assert_eq!(captured, 0, "no code was closed: each was paid");
    }

    /// The calls of each customer, in their order.
    fn lanes(&self, calls: &[Call]) -> Vec<Vec<Call>> {
        let mut lane_of = HashMap::new();
        for (lane, windows) in self.customers.iter().enumerate() {
            lane_of.extend(windows.iter().map(|window| (partition(window), lane)));
        }
        let mut lanes = vec![vec![]; self.customers.len()];
        for call in calls {
            let booking = call.booking().expect("every call is about a booking");
            lanes[lane_of[booking]].push(call.clone());
        }
        lanes
    }
}

/// Plays calls on a fresh store that has seen the same before, and answers how long it took: as
/// many tasks as there were customers, each with its own calls, one after the other.
async fn play(before: &[Call], lanes: Vec<Vec<Call>>) -> Duration {
    let store = EmbeddedStore::in_memory().expect("a store");
    for call in before {
        call.play(&store).await;
    }
    let mut playing = JoinSet::new();
    let begun = Instant::now();
    for lane in lanes {
        let store = store.clone();
        playing.spawn(async move {
            for call in lane {
                call.play(&store).await;
            }
        });
    }
    playing.join_all().await;
    begun.elapsed()
}
