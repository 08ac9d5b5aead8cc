//! The table's stream, as Lambda hands it over.

use embedded::writes::WriteEvent;
use serde_json::{Value, json};
use tokio::sync::broadcast::Receiver;

/// What the stream would carry of what was written since.
pub fn batch(writes: &mut Receiver<WriteEvent>) -> Value {
    let mut records = vec![];
    while let Ok(write) = writes.try_recv() {
        records.push(record(&write, records.len()));
    }
    json!({ "Records": records })
}

/// One record of it.
/// Source: AWS Lambda Developer Guide, "Process DynamoDB records with Lambda"; read 2026-11-25.
fn record(write: &WriteEvent, number: usize) -> Value {
    json!({
        "eventID": format!("c4ca4238a0b923820dcc509a6f75849{number}"),
        "eventName": "INSERT",
        "eventVersion": "1.1",
        "eventSource": "aws:dynamodb",
        "awsRegion": "eu-central-1",
        "dynamodb": {
            "ApproximateCreationDateTime": 1_795_564_800,
            "Keys": { "pk": { "S": write.pk }, "sk": { "S": write.sk } },
            "NewImage": write.image,
            "SequenceNumber": format!("11{number}"),
            "SizeBytes": 112,
            "StreamViewType": "NEW_AND_OLD_IMAGES"
        },
        "eventSourceARN": "arn:aws:dynamodb:eu-central-1:123456789012:table/latchpay/stream/2026"
    })
}
