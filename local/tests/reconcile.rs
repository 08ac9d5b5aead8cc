//! The command that compares bills, as a process, against a running stack.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test ends here")]

use std::path::Path;
use std::process::Output;

use jiff::SignedDuration;
use jiff::civil::Date;
use jiff::tz::Offset;
use serde_json::{Value, json};
use tests::{World, text};
use tokio::process::Command;

/// The program.
const PROGRAM: &str = env!("CARGO_BIN_EXE_latchpay");
const BEIJING: Offset = Offset::constant(8);

async fn command(arguments: &[&str], token: Option<&str>) -> Output {
    let mut command = Command::new(PROGRAM);
    command.arg("reconcile").args(arguments);
    match token {
        Some(token) => command.env("LATCHPAY_TOKEN", token),
        None => command.env_remove("LATCHPAY_TOKEN"),
    };
    command.output().await.unwrap()
}

/// What the command prints when it succeeds.
async fn told(arguments: &[&str]) -> String {
    let output = command(arguments, None).await;
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// What it prints and says when it does not.
async fn refused(arguments: &[&str], token: Option<&str>) -> (String, String) {
    let output = command(arguments, token).await;
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap())
}

/// A world at noon of the day after one on which a code was paid and nothing was told; the day,
/// and the transaction.
async fn untold() -> (World, Date, String) {
    let world = World::start_unsettled().await;
    world.faults(json!({ "notifications_dropped": 1.0 })).await;
    let day = BEIJING.to_datetime(world.clock.now()).date().tomorrow().unwrap();
    let noon = BEIJING.to_timestamp(day.at(12, 0, 0, 0)).unwrap();
    world.clock.set(noon);
    let window = world.booking_of("alice", "desk-order").await;
    let made = window.code_for(1).await;
    let paid = world.pay(&made["payment"]["code_url"]).await;
    world.clock.set(noon.checked_add(SignedDuration::from_hours(24)).unwrap());
    (world, day, text(&paid["transaction_id"]))
}

#[tokio::test]
async fn the_command_tells_what_differs_and_a_stored_report_reads_the_same() {
    let (world, day, transaction_id) = untold().await;
    let (url, day) = (world.stack.base_url.as_str(), day.to_string());
    let asked = ["--url", url, "--day", &day, "--gateway", tests::gateway()];
    let first = told(&asked).await;
    let lines: Vec<&str> = first.lines().collect();
    assert_eq!(lines.first().unwrap(), &format!("{} {day}: differs", tests::gateway()));
    let row = lines.iter().find(|line| line.contains(&transaction_id)).unwrap();
    assert!(row.contains("not_recorded    payment") && row.ends_with("1280 CNY"), "{row}");
    assert_eq!(*lines.last().unwrap(), "  1 more wait for a person: see `attention list`");
    let json = told(&[&asked[..], &["--json"]].concat()).await;
    let report: Value = serde_json::from_str(&json).unwrap();
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join("reconcile-report.json");
    std::fs::write(&path, &json).unwrap();
    let read = told(&["--read", path.to_str().unwrap()]).await;
    std::fs::remove_file(&path).unwrap();
    // It waits already, so that nothing more waits.
    assert_eq!(report.pointer("/gateways/0/raised"), Some(&json!(0)));
    assert_eq!(read.lines().collect::<Vec<_>>(), lines[..lines.len().strict_sub(1)]);
}

#[tokio::test]
async fn a_bill_that_is_not_there_is_told_with_exit_code_1() {
    let world = World::start_unsettled().await;
    let today = BEIJING.to_datetime(world.clock.now()).date().tomorrow().unwrap().to_string();
    let asked = ["--url", &world.stack.base_url, "--day", &today];
    let (printed, said) = refused(&asked, None).await;
    for gateway in tests::gateway::EVERY_GATEWAY {
        assert!(printed.contains(&format!("{gateway} {today}: failed")), "{printed}");
    }
    assert_eq!(printed.matches("day_not_over").count(), 3, "{printed}");
    assert!(said.contains("3 of the gateways' bills could not be compared"), "{said}");
}

#[tokio::test]
async fn what_is_no_report_is_refused_with_exit_code_1() {
    let world = World::start_unsettled().await;
    let url = world.stack.base_url.as_str();
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join("reconcile-no-report.json");
    let path_text = path.to_str().unwrap();
    std::fs::write(&path, "{}").unwrap();
    for (arguments, token, expected) in [
        (&["--url", url][..], Some("dev:alice"), "not compared (403)"),
        (&["--url", url], Some("x"), "not compared (401)"),
        (&["--url", url, "--gateway", "none"], None, "InvalidRequest"),
        (&["--read", path_text], None, "the answer is no report"),
        (&["--read", "/does/not/exist"], None, "there is no report to read"),
    ] {
        let (printed, said) = refused(arguments, token).await;
        assert!(said.contains(expected) && printed.is_empty(), "{arguments:?}: {printed}{said}");
    }
    std::fs::remove_file(&path).unwrap();
}

#[tokio::test]
async fn without_an_answer_the_command_says_so() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let (_, said) = refused(&["--url", &url], None).await;
    assert!(said.contains("the endpoint did not answer"), "{said}");
}
