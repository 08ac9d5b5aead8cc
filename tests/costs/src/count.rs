//! What AWS would bill for, counted beneath the SDK and in the log while a part of a checkout runs.

use embedded::meter::{Call, Meter, Traces};
use serde_json::Value;
use store::schema::TASK;
use tests::lines::Lines;

/// What a part of a checkout, or all of it, comes to.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Count {
    /// Requests at API Gateway, notifications included.
    pub api_requests: u64,
    /// Changes of tasks that the stream tells the worker of: at most as many invocations.
    pub stream_records: u64,
    /// Calls to gateways.
    pub gateway_calls: u64,
    /// Calls to the table.
    pub store_calls: u64,
    /// Halves of read units.
    pub read_half_units: u64,
    /// Write units, of the table and its index.
    pub write_units: u64,
    /// Of these, the index's.
    pub index_write_units: u64,
    /// By how many billed bytes table and index have grown.
    pub kept_bytes: i64,
    /// Bytes that the functions wrote to their log.
    pub log_bytes: u64,
}

impl Count {
    /// How often a function runs: once for each request, and at most once for each record.
    #[must_use]
    pub const fn invocations(&self) -> u64 {
        self.api_requests + self.stream_records
    }
}

/// Counts from when it was made, or last asked.
pub struct Counter {
    meter: Meter,
    lines: Lines,
    calls: Vec<Call>,
    before: Before,
}

/// What earlier counts came to.
#[derive(Clone, Copy, Default)]
struct Before {
    traces: Traces,
    changes: u64,
    log_len: usize,
}

impl Counter {
    /// A counter of what `meter` sees and this thread logs.
    #[must_use]
    pub fn new(meter: Meter) -> Self {
        Self { meter, lines: Lines::keep("info"), calls: vec![], before: Before::default() }
    }

    /// Does something whose reads are not counted.
    pub async fn aside<T>(&mut self, work: impl Future<Output = T>) -> T {
        self.calls.extend(self.meter.take());
        let answer = work.await;
        drop(self.meter.take());
        answer
    }

    /// What has happened since, in so many requests.
    pub fn take(&mut self, api_requests: u64) -> Count {
        let mut calls = std::mem::take(&mut self.calls);
        calls.extend(self.meter.take());
        let log = self.lines.text();
        let now = Before {
            traces: self.meter.traces(),
            changes: self.meter.changes(TASK),
            log_len: log.len(),
        };
        let before = std::mem::replace(&mut self.before, now);
        let written = &log[before.log_len..];
        let traces = now.traces;
        Count {
            api_requests,
            stream_records: now.changes - before.changes,
            gateway_calls: gateway_calls(written),
            store_calls: u64::try_from(calls.len()).unwrap(),
            read_half_units: calls.iter().map(|call| call.read_half_units).sum(),
            write_units: calls.iter().map(|call| call.write_units).sum(),
            index_write_units: traces.index_write_units - before.traces.index_write_units,
            kept_bytes: traces.table_bytes - before.traces.table_bytes + traces.index_bytes
                - before.traces.index_bytes,
            log_bytes: u64::try_from(written.len()).unwrap(),
        }
    }

    /// Every custom metric of the log so far, by name and dimensions: each is billed by itself.
    #[must_use]
    pub fn metrics(&self) -> Vec<String> {
        let mut metrics: Vec<String> = self.lines.all().iter().flat_map(metrics_of).collect();
        metrics.sort();
        metrics.dedup();
        metrics
    }
}

/// How many calls to gateways the measurements tell of.
fn gateway_calls(log: &str) -> u64 {
    let lines = log.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    lines.filter_map(|line| line["gateway_calls"].as_u64()).sum()
}

/// The metrics of one line, one for each of its sets of dimensions.
fn metrics_of(line: &Value) -> Vec<String> {
    let directives = line["_aws"]["CloudWatchMetrics"].as_array().cloned().unwrap_or_default();
    let mut metrics = vec![];
    for directive in directives {
        for dimensions in directive["Dimensions"].as_array().unwrap() {
            let dimensions = dimensions.as_array().unwrap().iter();
            let values: Vec<String> =
                dimensions.map(|name| format!("{name}={}", line[name.as_str().unwrap()])).collect();
            for metric in directive["Metrics"].as_array().unwrap() {
                metrics.push(format!("{} {}", metric["Name"], values.join(" ")));
            }
        }
    }
    metrics
}
