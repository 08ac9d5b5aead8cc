//! The real program under load and faults, killed every few seconds, for as long as one likes.
//!
//! `LATCHPAY_SOAK_S` says for how many seconds; [`SOAK_S`] unless given.
#![expect(clippy::expect_used, clippy::print_stdout, reason = "a test ends and tells here")]

mod support;

use std::time::{Duration, Instant};

use serde_json::json;
use support::{Customers, Folder, Program};

/// How long customers shop, in seconds.
const SOAK_S: u64 = 20;
/// The lives of the program, one after the other and over again, in milliseconds.
const LIVES_MS: [u64; 5] = [4_000, 6_500, 1_500, 5_000, 3_000];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_a_soak_the_ledger_and_the_store_agree_to_the_fen() {
    let soak = Duration::from_secs(soak_s());
    let folder = Folder::new("soak");
    // Two customers in each flow.
    let customers = Customers::new(6, 3, Duration::from_millis(50));
    let started = Instant::now();
    let (mut port, mut kills) = (0, 0);
    for life_ms in LIVES_MS.into_iter().cycle() {
        let left = soak.saturating_sub(started.elapsed());
        if left.is_zero() {
            break;
        }
        let program = Program::start(&folder, port).await;
        port = program.port();
        customers.check_remembered(&program.client()).await;
        // A restart heals every fault.
        let faults = json!({
            "notifications_dropped": 0.2,
            "notifications_duplicated": 0.2,
            "notifications_reordered": 0.1,
            "calls_failed_before": 0.05,
            "calls_failed_after": 0.05,
        });
        program.client().put("/simulator/faults", &faults).await.unwrap();
        let life = Duration::from_millis(life_ms).min(left);
        customers.shop_until_killed(program, kills, tokio::time::sleep(life)).await;
        kills += 1;
    }
    let shopped_s = started.elapsed().as_secs();
    let (_, sums) = customers.settle_and_check(&folder, port).await;
    let answered = customers.answered.lock().unwrap();
    println!(
        "{kills} kills, {} requests, {} bookings, {sums}, {shopped_s} s of shopping, {} s in all",
        answered.requests,
        answered.bookings.len(),
        started.elapsed().as_secs(),
    );
    assert!(sums.applied > 0 && sums.refunded > 0, "much was paid: {sums}");
}

fn soak_s() -> u64 {
    #[expect(clippy::disallowed_methods, reason = "a longer soak is asked for by name")]
    let asked = std::env::var("LATCHPAY_SOAK_S");
    asked.map_or(SOAK_S, |seconds| seconds.parse().expect("LATCHPAY_SOAK_S is in seconds"))
}
