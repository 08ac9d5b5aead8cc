//! One binary under the played Runtime API, and what the kernel says of its process.

use std::fs;
use std::io::{Cursor, Write};
use std::path::Path;
use std::time::{Duration, Instant};

use bytes::Bytes;
use sandbox::sandbox::{Function, Sandbox};
use serde_json::Value;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

/// How long one invocation may take.
const TIMEOUT: Duration = Duration::from_secs(29);

/// What one cold start came to.
#[derive(Clone, Copy, Debug)]
pub struct Cold {
    /// From before the process was there to its first answer, in milliseconds.
    pub wall_ms: f64,
    /// On a CPU until then, in milliseconds.
    pub cpu_ms: f64,
}

/// A process that has answered at least once.
pub struct Warm {
    sandbox: Sandbox,
}

/// Starts a binary and has it answer one event.
///
/// # Errors
/// A line that says what it did instead.
pub async fn start(function: &Function, event: &Value) -> Result<(Cold, Warm), String> {
    let (cold, warm, _) = first_answer(function, event).await?;
    Ok((cold, warm))
}

/// The same with the answer.
///
/// # Errors
/// A line that says what it did instead.
pub async fn first_answer(
    function: &Function,
    event: &Value,
) -> Result<(Cold, Warm, Value), String> {
    let event = Bytes::from(event.to_string());
    let begun = Instant::now();
    let sandbox = Sandbox::start(function).await;
    let mut warm = Warm { sandbox: sandbox.map_err(|error| chain(function, &error))? };
    let answer = warm.sandbox.invoke_raw(event, TIMEOUT).await;
    let wall_ms = begun.elapsed().as_secs_f64() * 1e3;
    let cpu_ms = warm.cpu_ms()?;
    let answer = check(function, &answer.map_err(|error| chain(function, &error))?)?;
    Ok((Cold { wall_ms, cpu_ms }, warm, answer))
}

impl Warm {
    /// Has it answer, and says how long that took, in microseconds.
    ///
    /// # Errors
    /// A line that says what it did instead.
    pub async fn answer(&mut self, function: &Function, event: &Value) -> Result<f64, String> {
        let event = Bytes::from(event.to_string());
        let begun = Instant::now();
        let answer = self.sandbox.invoke_raw(event, TIMEOUT).await;
        let us = begun.elapsed().as_secs_f64() * 1e6;
        check(function, &answer.map_err(|error| chain(function, &error))?)?;
        Ok(us)
    }

    /// How long its threads have been on a CPU so far, in milliseconds.
    ///
    /// # Errors
    /// A line, where the kernel does not say.
    pub fn cpu_ms(&self) -> Result<f64, String> {
        let tasks = fs::read_dir(self.place("task")?).map_err(|error| error.to_string())?;
        let mut ns = 0.0;
        for task in tasks {
            let path = task.map_err(|error| error.to_string())?.path().join("schedstat");
            // A thread that has ended since is not counted: it had its time before.
            let Ok(text) = fs::read_to_string(path) else { continue };
            let first = text.split_whitespace().next().and_then(|ns| ns.parse::<f64>().ok());
            ns += first.ok_or("schedstat has no figures")?;
        }
        Ok(ns / 1e6)
    }

    /// The most memory that it has held so far, in mebibytes.
    ///
    /// # Errors
    /// A line, where the kernel does not say.
    pub fn peak_mib(&self) -> Result<f64, String> {
        let status =
            fs::read_to_string(self.place("status")?).map_err(|error| error.to_string())?;
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kib = peak.and_then(|peak| peak.trim().trim_end_matches(" kB").parse::<f64>().ok());
        Ok(kib.ok_or("status has no peak")? / 1_024.0)
    }

    fn place(&self, file: &str) -> Result<String, String> {
        let id = self.sandbox.process_id().ok_or("the process has ended")?;
        Ok(format!("/proc/{id}/{file}"))
    }
}

/// The bytes of a binary in a zip, as it is uploaded.
///
/// # Errors
/// A line that says what failed.
pub fn zipped_len(bootstrap: &Path) -> Result<usize, String> {
    let binary =
        fs::read(bootstrap).map_err(|error| format!("{}: {error}", bootstrap.display()))?;
    let mut zip = ZipWriter::new(Cursor::new(vec![]));
    let options = SimpleFileOptions::default().compression_method(CompressionMethod::Deflated);
    let zipped = zip.start_file("bootstrap", options).map_err(|error| error.to_string());
    zipped.and_then(|()| zip.write_all(&binary).map_err(|error| error.to_string()))?;
    let zipped = zip.finish().map_err(|error| error.to_string())?;
    Ok(zipped.into_inner().len())
}

/// An answer that says of itself that something went wrong is no figure.
fn check(function: &Function, answer: &[u8]) -> Result<Value, String> {
    let answer: Value = serde_json::from_slice(answer).map_err(|error| error.to_string())?;
    let failed = answer["batchItemFailures"].as_array().is_some_and(|failed| !failed.is_empty());
    match answer["statusCode"].as_u64() {
        Some(200..300) | None if !failed => Ok(answer),
        Some(_) | None => Err(format!("{} answered {answer}", function.name)),
    }
}

fn chain(function: &Function, error: &dyn std::error::Error) -> String {
    format!("{}: {}", function.name, api::problem::error_chain(error))
}
