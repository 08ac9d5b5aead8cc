//! The operator's command, as a process, against a running stack.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test ends here")]

use std::process::Output;

use domain::attention::Attention;
use domain::change::{Change, close_task};
use serde_json::Value;
use store::attention::PAGE_LEN;
use tests::{Window, World, expect, text};
use tokio::process::Command;

/// The program.
const PROGRAM: &str = env!("CARGO_BIN_EXE_latchpay");

async fn command(url: &str, token: Option<&str>, arguments: &[&str]) -> Output {
    let mut command = Command::new(PROGRAM);
    command.args(["attention", "--url", url]).args(arguments);
    match token {
        Some(token) => command.env("LATCHPAY_TOKEN", token),
        None => command.env_remove("LATCHPAY_TOKEN"),
    };
    command.output().await.unwrap()
}

/// What the command prints when it succeeds.
async fn told(world: &World, arguments: &[&str]) -> String {
    let output = command(&world.stack.base_url, None, arguments).await;
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// What it says when it does not.
async fn refused(url: &str, token: Option<&str>, arguments: &[&str]) -> String {
    let output = command(url, token, arguments).await;
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert!(output.stdout.is_empty(), "{output:?}");
    String::from_utf8(output.stderr).unwrap()
}

/// A booking on which something waits, and its name.
async fn waiting(world: &World, customer: &str) -> (Window, String) {
    let window = world.booking_of(customer, "desk-order").await;
    window.code_for(1).await;
    let (booking, orders) = world.stored(&window).await;
    let deps = &world.stack.deps;
    let payment_id = &orders[0].payments[0].payment_id;
    let task = close_task(&booking, &orders[0], payment_id, deps.now());
    let attention = Attention::of_task(&task, deps.now());
    let name = attention.attention_id.to_path();
    let change = Change { raised: vec![attention], ..Change::of(&booking) };
    deps.store.commit(&change, &deps.request_token()).await.unwrap();
    (window, name)
}

#[tokio::test]
async fn the_command_lists_shows_and_releases_what_waits() {
    let world = World::start_unsettled().await;
    assert_eq!(told(&world, &["list"]).await, "Nothing waits for a person.\n");
    let (window, name) = waiting(&world, "alice").await;
    let id = window.booking_id().to_string();
    for arguments in [&["list"][..], &["show", &id]] {
        let table = told(&world, arguments).await;
        let [header, row] = table.lines().collect::<Vec<_>>()[..] else { panic!("{table}") };
        assert!(header.starts_with("since "), "{table}");
        let cells: Vec<&str> = row.split_whitespace().collect();
        assert_eq!(cells[1..], [&id, &name, "many_tries", "-"], "{table}");
    }
    let retried = told(&world, &["retry", &id, &name, "--note", "网关已恢复"]).await;
    assert!(retried.ends_with(&format!("  retry {name} by admin: 网关已恢复\n")), "{retried}");
    let shown = told(&world, &["show", &id]).await;
    assert_eq!(shown, format!("Nothing waits for a person.\n{retried}"));
    let (window, name) = waiting(&world, "bob").await;
    let id = window.booking_id().to_string();
    let resolved = told(&world, &["resolve", &id, &name, "--note", "closed by hand"]).await;
    assert!(resolved.ends_with(&format!("  resolve {name} by admin: closed by hand\n")));
}

#[tokio::test]
async fn the_command_goes_on_where_a_page_ended() {
    let world = World::start_unsettled().await;
    for number in 0..=PAGE_LEN {
        waiting(&world, &format!("customer-{number}")).await;
    }
    let first = told(&world, &["list"]).await;
    assert_eq!(first.lines().count(), 1 + PAGE_LEN + 1, "a header, a page and the cursor: {first}");
    let cursor = first.lines().last().unwrap().rsplit(' ').next().unwrap();
    let second = told(&world, &["list", "--cursor", cursor]).await;
    assert_eq!(second.lines().count(), 2, "a header and what is left: {second}");
}

#[tokio::test]
async fn a_problem_is_told_by_title_and_detail_with_exit_code_1() {
    let world = World::start_unsettled().await;
    let (window, name) = waiting(&world, "alice").await;
    let id = window.booking_id().to_string();
    for (token, arguments, expected) in [
        (Some("dev:alice"), &["list"][..], "Not allowed (403): You may not do this."),
        (Some("x"), &["list"][..], "Sign in first (401)"),
        (None, &["show", "x/../y"], "Not found (404)"),
        (None, &["list", "--cursor", "a&b=c"], "`cursor` is not acceptable"),
        (None, &["resolve", &id, &name, "--note", ""], "`note` is not acceptable"),
        (None, &["resolve", &id, "refund", "--note", "n"], "Not found (404)"),
    ] {
        let said = refused(&world.stack.base_url, token, arguments).await;
        assert!(said.contains(expected), "{arguments:?}: {said}");
    }
    let shown = world.admin().get(format!("/v1/attention/{id}")).await.unwrap();
    let shown: Value = expect(200, shown);
    assert_eq!(text(&shown["attention"][0]["attention_id"]), name);
}

#[tokio::test]
async fn without_an_answer_the_command_says_so() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    for scheme in ["http", "https"] {
        let url = format!("{scheme}://{address}");
        let said = refused(&url, None, &["list"]).await;
        assert!(said.contains("the API did not answer"), "{said}");
    }
}
