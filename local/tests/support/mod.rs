//! The real program as a child process, customers who shop while it is killed, and the check of
//! what it has left behind.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test ends here")]
#![expect(clippy::expect_used, clippy::arithmetic_side_effects, reason = "a test ends here")]

use std::collections::HashSet;
use std::fmt;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use domain::booking::OrderStatus;
use http::Method;
use local::client::{Call, Client, Reply};
use serde_json::{Value, json};
use tests::books::fen;
use tests::{Window, World, text};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};
use tokio::task::JoinSet;

/// Far more than starting takes: how long it really takes is measured elsewhere.
const READY: Duration = Duration::from_secs(20);
/// How many hours pass at most until no task is left.
const HOURS_MAX: u32 = 12;
/// For how many lives of the program customers go on with a booking.
const LIVES: u32 = 4;

/// The program.
const PROGRAM: &str = env!("CARGO_BIN_EXE_latchpay");

/// A folder for data, empty at first and gone in the end.
pub(crate) struct Folder(pub(crate) PathBuf);

impl Folder {
    pub(crate) fn new(name: &str) -> Self {
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        let _ = std::fs::remove_dir_all(&path);
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// The running program. Dropping it kills it.
pub(crate) struct Program {
    child: Child,
    base_url: String,
}

impl Program {
    pub(crate) fn spawn(folder: &Folder, port: u16) -> Child {
        Command::new(PROGRAM)
            .args(["--port", &port.to_string(), "--log", "off", "--data"])
            .arg(&folder.0)
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap()
    }

    /// Starts it and waits until it says that it serves.
    pub(crate) async fn start(folder: &Folder, port: u16) -> Self {
        let mut child = Self::spawn(folder, port);
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let line = tokio::time::timeout(READY, lines.next_line()).await;
        let line =
            line.expect("it is ready in time").unwrap().expect("it ended instead of starting");
        let base_url = line.strip_prefix("ready ").expect("it says that it is ready").to_owned();
        // The rest of what it says must be read too.
        tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
        Self { child, base_url }
    }

    pub(crate) fn port(&self) -> u16 {
        self.base_url.rsplit(':').next().unwrap().parse().unwrap()
    }

    pub(crate) fn client(&self) -> Client {
        tests::contract::client(&self.base_url)
    }

    /// `kill -9`.
    pub(crate) async fn kill(mut self) {
        self.child.start_kill().unwrap();
        self.child.wait().await.unwrap();
    }
}

/// Sends a call; `None` when the program is dead.
pub(crate) async fn send(
    client: &Client,
    path: &str,
    body: &Value,
    key: Option<&str>,
) -> Option<Reply> {
    let call = Call::new(Method::POST, path).json(body);
    let call = key.into_iter().fold(call, |call, key| call.header("idempotency-key", key));
    client.send(call).await.ok()
}

/// What the program has answered: none of it may ever be forgotten.
#[derive(Default)]
pub(crate) struct Answered {
    pub(crate) requests: u32,
    pub(crate) bookings: HashSet<String>,
    pub(crate) payments: HashSet<String>,
    pub(crate) transactions: HashSet<String>,
}

/// The customers of one program after the other, each with some windows.
#[derive(Clone)]
pub(crate) struct Customers {
    pub(crate) customers: u32,
    pub(crate) windows: u32,
    /// How long a customer looks at each code.
    pub(crate) pause: Duration,
    pub(crate) answered: Arc<Mutex<Answered>>,
}

impl Customers {
    pub(crate) fn new(customers: u32, windows: u32, pause: Duration) -> Self {
        Self { customers, windows, pause, answered: Arc::default() }
    }

    /// Has everybody shop at the program until its time has come, and kills it.
    pub(crate) async fn shop_until_killed(
        &self,
        program: Program,
        round: u32,
        end: impl Future<Output = ()>,
    ) {
        let client = program.client();
        let mut shopping = JoinSet::new();
        for customer in 0..self.customers {
            for _ in 0..self.windows {
                let shopper = Shopper { shop: self.clone(), nobody: client.clone(), customer };
                shopping.spawn(async move { shopper.shop(round).await });
            }
        }
        end.await;
        program.kill().await;
        while let Some(shopped) = shopping.join_next().await {
            shopped.unwrap();
        }
    }

    /// Everything that was ever answered is still so.
    pub(crate) async fn check_remembered(&self, client: &Client) {
        let ledger = client.get("/simulator/ledger").await.unwrap().body["payments"].clone();
        let ledger = ledger.as_array().unwrap();
        let ids = |of: &Value, name: &str| text(&of[name]);
        let payments: HashSet<_> = ledger.iter().map(|it| ids(it, "payment_id")).collect();
        let transactions = ledger.iter().flat_map(|it| it["transactions"].as_array().unwrap());
        let transactions: HashSet<_> = transactions.map(|it| ids(it, "transaction_id")).collect();
        let answered = self.answered.lock().unwrap();
        assert_eq!(answered.payments.difference(&payments).next(), None, "a payment is lost");
        let lost = answered.transactions.difference(&transactions).next();
        assert_eq!(lost, None, "a transaction is lost");
    }

    /// The bookings that were ever opened, each as its customer's window.
    async fn windows(&self, world: &World) -> Vec<Window> {
        let mut windows = vec![];
        for customer in 0..self.customers {
            let client = world.nobody().as_customer(&format!("customer-{customer}"));
            let mut path = "/v1/bookings".to_owned();
            loop {
                let page = client.get(&path).await.unwrap().body;
                for booking in page["bookings"].as_array().unwrap() {
                    let path = format!("/v1/bookings/{}", text(&booking["booking_id"]));
                    windows.push(Window {
                        client: client.clone(),
                        path,
                        gateway: tests::gateway(),
                    });
                }
                let Some(cursor) = page["next_cursor"].as_str() else { break };
                path = format!("/v1/bookings?cursor={}", cursor.replace('#', "%23"));
            }
        }
        for path in &self.answered.lock().unwrap().bookings {
            assert!(windows.iter().any(|window| window.path == *path), "{path} is lost");
        }
        windows
    }

    /// Runs the same stack on the same data and port, healed, with a clock that needs no patience,
    /// until nothing is left to do; then every fen is accounted for. Answers the final ledger and
    /// what it came to.
    pub(crate) async fn settle_and_check(&self, folder: &Folder, port: u16) -> (Vec<Value>, Sums) {
        let world = World::start_with(|options| {
            options.port = port;
            options.data = Some(folder.0.clone());
            options.settle = false;
        })
        .await;
        self.check_remembered(&world.nobody()).await;
        let windows = self.windows(&world).await;
        world.drive(&windows).await;
        // What is still for sale by then ends, too, and leaves nothing to do.
        let mut hours = 0;
        while world.has_work().await {
            assert!(hours < HOURS_MAX, "work is left");
            hours += 1;
            world.clock.advance_s(3_600);
            world.settle().await;
        }
        world.drive(&windows).await;
        let ledger = world.ledger().await;
        let sums = sums(&world, &windows, &ledger).await;
        (ledger, sums)
    }
}

/// What a ledger and the bookings come to.
#[derive(Debug)]
pub(crate) struct Sums {
    pub(crate) captured: usize,
    pub(crate) applied: usize,
    pub(crate) refunded: usize,
    pub(crate) kept_fen: i64,
}

impl fmt::Display for Sums {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { captured, applied, refunded, kept_fen } = self;
        write!(f, "{captured} payments captured, {applied} applied, {refunded} refunded, ")?;
        write!(f, "{kept_fen} fen kept")
    }
}

/// Adds up, over all bookings, what [`World::drive`] has checked in each: every payment of the
/// gateway belongs to an order, every transaction is applied or went back, and what the gateway
/// keeps is what the paid orders cost.
async fn sums(world: &World, windows: &[Window], ledger: &[Value]) -> Sums {
    let (mut known, mut applied, mut paid_fen) = (HashSet::new(), 0, 0);
    for window in windows {
        for order in world.stored(window).await.1 {
            known.extend(order.payments.iter().map(|it| it.payment_id.as_str().to_owned()));
            if order.status == OrderStatus::Paid {
                applied += 1;
                paid_fen += order.amount.amount;
            }
        }
    }
    let (mut captured, mut refunded, mut kept_fen) = (0, 0, 0);
    for entry in ledger {
        assert!(known.contains(&text(&entry["payment_id"])), "no order has {entry:#}");
        captured += entry["transactions"].as_array().unwrap().len();
        let refunds = entry["refunds"].as_array().unwrap().iter();
        refunded += refunds.filter(|refund| refund["status"] == "success").count();
        kept_fen += fen(&entry["captured"]) - fen(&entry["refunded"]);
    }
    assert_eq!(applied + refunded, captured, "each transaction is applied or went back, once");
    assert_eq!(kept_fen, paid_fen, "what is kept is what was bought");
    Sums { captured, applied, refunded, kept_fen }
}

/// One window of a customer who buys, changes their mind, pays old and new codes and renews.
struct Shopper {
    shop: Customers,
    nobody: Client,
    customer: u32,
}

impl Shopper {
    /// Shops until the program is dead.
    async fn shop(&self, round: u32) -> Option<()> {
        let product = ["desk-submit", "desk-order", "desk-instant"][(self.customer % 3) as usize];
        let client = self.nobody.as_customer(&format!("customer-{}", self.customer));
        let mut old = None;
        for number in 0.. {
            // The other windows of the customer, and the next lives, go on with the same booking.
            let key = format!("booking-{}-{}", round / LIVES, number / 4);
            let body = json!({ "product_id": product });
            let booking = self.send(&client, "/v1/bookings", &body, Some(&key)).await?;
            if !matches!(booking.status, 200 | 201) {
                continue;
            }
            let path = format!("/v1/bookings/{}", text(&booking.body["booking_id"]));
            self.answered(|answered| answered.bookings.insert(path.clone()));
            let payment = self.code(&client, &path, product, number % 3 + 1).await?;
            let Some(code_url) = payment["code_url"].as_str().map(str::to_owned) else { continue };
            let payment_id = text(&payment["payment_id"]);
            self.answered(|answered| answered.payments.insert(payment_id));
            tokio::time::sleep(self.shop.pause).await;
            // Of four codes the second is paid after the third.
            match number % 4 {
                1 => old = Some(code_url),
                _ => self.pay(&code_url).await?,
            }
            if number % 4 == 2
                && let Some(code_url) = old.take()
            {
                self.pay(&code_url).await?;
            }
        }
        None
    }

    async fn send(
        &self,
        client: &Client,
        path: &str,
        body: &Value,
        key: Option<&str>,
    ) -> Option<Reply> {
        self.answered(|answered| answered.requests += 1);
        send(client, path, body, key).await
    }

    fn answered<T>(&self, note: impl FnOnce(&mut Answered) -> T) {
        note(&mut self.shop.answered.lock().unwrap());
    }

    /// A payment for a quantity by whatever the product's flow asks for; null if there is none.
    async fn code(
        &self,
        client: &Client,
        path: &str,
        product: &str,
        quantity: u32,
    ) -> Option<Value> {
        let body = json!({ "quantity": quantity, "gateway": "wechat_pay" });
        let quoted = self.send(client, &format!("{path}/quotes"), &body, None).await?.body;
        let mut submit = json!({
            "quote_token": quoted["quote"]["token"],
            "gateway": "wechat_pay",
        });
        let made = match product {
            "desk-submit" => self.send(client, &format!("{path}/orders"), &submit, None).await?,
            "desk-order" => {
                submit["order_id"] = quoted["order"]["order_id"].clone();
                self.send(client, &format!("{path}/payments"), &submit, None).await?
            }
            _ => return Some(quoted["payment"].clone()),
        };
        Some(made.body["payment"].clone())
    }

    /// Pays a code, if its gateway still takes money for it: nothing that it has closed is ever
    /// paid, and nobody could hear of it if its notification were lost.
    async fn pay(&self, code_url: &str) -> Option<()> {
        let pay = json!({ "code_url": code_url });
        let paid = self.send(&self.nobody, "/simulator/pay", &pay, None).await?;
        if paid.status == 200 {
            let transaction_id = text(&paid.body["transaction_id"]);
            self.answered(|answered| answered.transactions.insert(transaction_id));
        } else {
            assert_eq!((paid.status, &paid.body["code"]), (409, &json!("code_closed")));
        }
        Some(())
    }
}
