//! The real program, killed at any moment and started again on what it left behind.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test ends here")]
#![expect(clippy::expect_used, clippy::arithmetic_side_effects, reason = "a test ends here")]

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use http::Method;
use local::client::{Call, Client, Reply};
use serde_json::{Value, json};
use tests::{Window, World, text};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};
use tokio::task::JoinSet;

/// Far more than starting takes: how long it really takes is measured elsewhere.
const READY: Duration = Duration::from_secs(5);
const CUSTOMERS: u32 = 6;

/// The program.
const PROGRAM: &str = env!("CARGO_BIN_EXE_latchpay");

/// A folder for data, empty at first and gone in the end.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
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
struct Program {
    child: Child,
    base_url: String,
}

impl Program {
    fn spawn(folder: &Folder, port: u16) -> Child {
        Command::new(PROGRAM)
            .args(["--port", &port.to_string(), "--log", "off", "--data"])
            .arg(&folder.0)
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap()
    }

    /// Starts it and waits until it says that it serves.
    async fn start(folder: &Folder, port: u16) -> Self {
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

    fn port(&self) -> u16 {
        self.base_url.rsplit(':').next().unwrap().parse().unwrap()
    }

    fn client(&self) -> Client {
        Client::new(&self.base_url)
    }

    /// `kill -9`.
    async fn kill(mut self) {
        self.child.start_kill().unwrap();
        self.child.wait().await.unwrap();
    }
}

/// What the program has answered: none of it may ever be forgotten.
#[derive(Default)]
struct Answered {
    bookings: Vec<String>,
    payments: Vec<Value>,
    transactions: Vec<Value>,
}

type Facts = Arc<Mutex<Answered>>;

/// Sends a call; `None` when the program is dead.
async fn send(client: &Client, path: &str, body: &Value, key: Option<&str>) -> Option<Reply> {
    let call = Call::new(Method::POST, path).json(body);
    let call = key.into_iter().fold(call, |call, key| call.header("idempotency-key", key));
    client.send(call).await.ok()
}

/// A customer who buys, changes their mind, pays old and new codes and renews, until the end.
async fn shop(nobody: Client, facts: Facts, customer: u32, round: usize) -> Option<()> {
    let product = ["desk-submit", "desk-order", "desk-instant"][(customer % 3) as usize];
    let client = nobody.as_customer(&format!("customer-{customer}"));
    for number in 0.. {
        let key = format!("booking-{round}-{}", number / 4);
        let body = json!({ "product_id": product });
        let booking = send(&client, "/v1/bookings", &body, Some(&key)).await?;
        if !matches!(booking.status, 200 | 201) {
            continue;
        }
        let path = format!("/v1/bookings/{}", text(&booking.body["booking_id"]));
        facts.lock().unwrap().bookings.push(path.clone());
        let body = json!({ "quantity": number % 3 + 1, "gateway": "wechat_pay" });
        let quoted = send(&client, &format!("{path}/quotes"), &body, None).await?.body;
        let mut submit = json!({
            "quote_token": quoted["quote"]["token"],
            "gateway": "wechat_pay",
        });
        let made = match product {
            "desk-submit" => send(&client, &format!("{path}/orders"), &submit, None).await?.body,
            "desk-order" => {
                submit["order_id"] = quoted["order"]["order_id"].clone();
                send(&client, &format!("{path}/payments"), &submit, None).await?.body
            }
            _ => quoted,
        };
        let payment = &made["payment"];
        if !payment["code_url"].is_string() {
            continue;
        }
        facts.lock().unwrap().payments.push(payment["payment_id"].clone());
        if number % 4 != 1 {
            let pay = json!({ "code_url": payment["code_url"], "force": true });
            let paid = send(&nobody, "/simulator/pay", &pay, None).await?;
            assert_eq!(paid.status, 200, "{paid:?}");
            facts.lock().unwrap().transactions.push(paid.body["transaction_id"].clone());
        }
    }
    None
}

/// Everything that was ever answered is still so.
async fn check_remembered(client: &Client, facts: &Facts) {
    let ledger = client.get("/simulator/ledger").await.unwrap().body["payments"].clone();
    let ledger = ledger.as_array().unwrap();
    let facts = facts.lock().unwrap();
    for payment_id in &facts.payments {
        assert!(ledger.iter().any(|it| it["payment_id"] == *payment_id), "{payment_id} is lost");
    }
    let transactions = ledger.iter().flat_map(|it| it["transactions"].as_array().unwrap());
    let transactions: Vec<_> = transactions.map(|it| &it["transaction_id"]).collect();
    for transaction_id in &facts.transactions {
        assert!(transactions.contains(&transaction_id), "{transaction_id} is lost");
    }
}

/// The bookings that were ever opened, each as its customer's window.
async fn windows(world: &World) -> Vec<Window> {
    let mut windows = vec![];
    for customer in 0..CUSTOMERS {
        let client = world.nobody().as_customer(&format!("customer-{customer}"));
        let mut path = "/v1/bookings".to_owned();
        loop {
            let page = client.get(&path).await.unwrap().body;
            for booking in page["bookings"].as_array().unwrap() {
                let path = format!("/v1/bookings/{}", text(&booking["booking_id"]));
                windows.push(Window { client: client.clone(), path });
            }
            let Some(cursor) = page["next_cursor"].as_str() else { break };
            path = format!("/v1/bookings?cursor={}", cursor.replace('#', "%23"));
        }
    }
    windows
}

#[tokio::test]
async fn killed_at_any_moment_it_goes_on_and_every_fen_is_accounted_for() {
    let folder = Folder::new("kills");
    let facts = Facts::default();
    let mut port = 0;
    for (round, life_ms) in [300, 40, 700, 150, 500].into_iter().enumerate() {
        let program = Program::start(&folder, port).await;
        port = program.port();
        let client = program.client();
        check_remembered(&client, &facts).await;
        let faults = json!({
            "notifications_dropped": 0.2,
            "notifications_duplicated": 0.2,
            "calls_failed_before": 0.1,
            "calls_failed_after": 0.1,
        });
        client.put("/simulator/faults", &faults).await.unwrap();
        let mut shopping = JoinSet::new();
        for customer in 0..CUSTOMERS {
            shopping.spawn(shop(client.clone(), Arc::clone(&facts), customer, round));
        }
        tokio::time::sleep(Duration::from_millis(life_ms)).await;
        program.kill().await;
        while let Some(shopped) = shopping.join_next().await {
            shopped.unwrap();
        }
    }
    assert!(facts.lock().unwrap().transactions.len() > 10, "much was paid");
    // The same stack on the same data and port, healed, with a clock that needs no patience.
    let world = World::start_with(|options| {
        options.port = port;
        options.data = Some(folder.0.clone());
    })
    .await;
    check_remembered(&world.nobody(), &facts).await;
    let windows = windows(&world).await;
    for path in &facts.lock().unwrap().bookings {
        assert!(windows.iter().any(|window| window.path == *path), "{path} is lost");
    }
    world.drive(&windows).await;
    let ledger = world.ledger().await;
    let mut known = 0;
    for window in &windows {
        let (_, orders) = world.stored(window).await;
        for payment in orders.iter().flat_map(|order| &order.payments) {
            let id = payment.payment_id.as_str();
            known += ledger.iter().filter(|entry| entry["payment_id"] == id).count();
        }
    }
    assert_eq!(known, ledger.len(), "every payment at the gateway belongs to an order");
    let settled = world.ledger().await;
    drop(world);

    let program = Program::start(&folder, port).await;
    let again = program.client().get("/simulator/ledger").await.unwrap().body;
    assert_eq!(again["payments"], json!(settled), "and nothing happens any more");
    program.kill().await;
}

#[tokio::test]
async fn killed_while_it_starts_for_the_first_time_it_starts_all_the_same() {
    for (at, life_ms) in [0, 2, 5, 10, 15, 20, 30, 40, 60, 80].into_iter().enumerate() {
        let folder = Folder::new(&format!("first-{at}"));
        let mut child = Program::spawn(&folder, 0);
        tokio::time::sleep(Duration::from_millis(life_ms)).await;
        child.start_kill().unwrap();
        child.wait().await.unwrap();
        let program = Program::start(&folder, 0).await;
        let alice = program.client().as_customer("alice");
        let product = alice.get("/v1/products/desk-instant").await.unwrap();
        assert_eq!(product.status, 200, "killed after {life_ms} ms");
        program.kill().await;
    }
}

#[tokio::test]
async fn a_booking_and_its_quote_outlive_a_restart() {
    let folder = Folder::new("outlive");
    let program = Program::start(&folder, 0).await;
    let port = program.port();
    let world = |program: &Program| program.client().as_customer("alice");
    let alice = world(&program);
    let body = json!({ "product_id": "desk-order" });
    let opened = send(&alice, "/v1/bookings", &body, Some("once")).await.unwrap();
    let window = Window {
        client: alice,
        path: format!("/v1/bookings/{}", text(&opened.body["booking_id"])),
    };
    let quoted = tests::expect(201, window.quote(2).await);
    let before = window.look().await;
    program.kill().await;

    let program = Program::start(&folder, port).await;
    assert_eq!(window.look().await, before);
    // The keys and the id secret are the old ones: the token still counts, the key is known.
    let made = tests::expect(201, window.generate(&quoted).await);
    let again = send(&world(&program), "/v1/bookings", &body, Some("once")).await.unwrap();
    assert_eq!((again.status, &again.body["booking_id"]), (200, &opened.body["booking_id"]));
    let pay = json!({ "code_url": made["payment"]["code_url"] });
    program.client().post("/simulator/pay", &pay).await.unwrap();
    program.kill().await;

    // Killed with the notification on its way: it is sent again.
    let program = Program::start(&folder, port).await;
    window.until("the payment is applied", |booking| booking["status"] == "active").await;
    program.kill().await;
}
