//! The store on a port.

use std::io::{Read, Result, Write};
use std::net::{SocketAddr, TcpStream};

use tokio::net::TcpListener;
use tokio::sync::oneshot;

use crate::table::{get, item, number, put, store};

/// Posts `body` as another process would, and answers the whole reply.
fn post(address: SocketAddr, operation: &str, body: &str) -> Result<String> {
    let mut stream = TcpStream::connect(address)?;
    let length = body.len();
    write!(
        stream,
        "POST / HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\
         content-type: application/x-amz-json-1.0\r\ncontent-length: {length}\r\n\
         x-amz-target: DynamoDB_20120810.{operation}\r\n\r\n{body}"
    )?;
    let mut reply = String::new();
    stream.read_to_string(&mut reply)?;
    Ok(reply)
}

async fn reply(address: SocketAddr, operation: &'static str, body: &'static str) -> Result<String> {
    tokio::task::spawn_blocking(move || post(address, operation, body)).await?
}

#[tokio::test]
async fn another_process_sees_the_same_items() {
    let (store, client) = store().await;
    put(&client, item("booking", [("version", number(7))])).await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (stop, stopped) = oneshot::channel::<()>();
    let mut writes = store.writes();
    let server = tokio::spawn(async move {
        let shutdown = async move { drop(stopped.await) };
        store.serve(listener, shutdown).await
    });

    let key = r#"{"TableName":"bookings","Key":{"pk":{"S":"booking"},"sk":{"S":"booking"}}}"#;
    let found = reply(address, "GetItem", key).await.unwrap();
    assert!(found.starts_with("HTTP/1.1 200"), "{found}");
    assert!(found.contains(r#""version":{"N":"7"}"#), "{found}");
    let refused = reply(address, "ListBackups", "{}").await.unwrap();
    assert!(refused.starts_with("HTTP/1.1 501"), "{refused}");

    let task = r#"{"TableName":"bookings","Item":{"pk":{"S":"booking"},"sk":{"S":"task"}}}"#;
    reply(address, "PutItem", task).await.unwrap();
    assert!(get(&client, "task").await.is_some());
    assert_eq!(writes.try_recv().unwrap().sk, "task", "the settle worker hears of it");
    stop.send(()).unwrap();
    server.await.unwrap().unwrap();
}
