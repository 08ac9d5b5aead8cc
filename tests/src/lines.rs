//! What is logged while a test runs, on its own thread.

use std::io;
use std::sync::{Arc, Mutex, Once};

use runtime::config::system_clock;
use runtime::telemetry::json_lines;
use serde_json::Value;
use tracing::subscriber::{DefaultGuard, set_default, set_global_default};
use tracing_subscriber::filter::dynamic_filter_fn;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::{Context, SubscriberExt};
use tracing_subscriber::registry;
use tracing_subscriber::registry::Registry;

/// The deployment that these tests' metrics are of.
pub const STAGE: &str = "test";

/// Has every place that logs ask anew each time whether somebody listens.
///
/// Otherwise a place that a test without [`Lines`] comes to first, at the very moment that another
/// test begins to keep them, is taken for one that nobody listens to, for good: the place looks for
/// listeners before the other is one, and stores what it found after it.
pub fn listen() {
    static LISTENING: Once = Once::new();
    LISTENING.call_once(|| {
        let nothing = dynamic_filter_fn(|_, _: &Context<'_, Registry>| false);
        set_global_default(registry().with(nothing)).expect("no test sets another");
    });
}

/// Keeps the log lines of this thread until it is dropped.
pub struct Lines {
    written: Written,
    _guard: DefaultGuard,
}

#[derive(Clone, Default)]
struct Written(Arc<Mutex<Vec<u8>>>);

impl Lines {
    /// Starts to keep what a function would log at a level, such as `info`.
    #[must_use]
    pub fn keep(level: &str) -> Self {
        listen();
        let written = Written::default();
        let lines =
            json_lines(level.parse().unwrap(), STAGE.to_owned(), system_clock(), written.clone());
        let guard = set_default(lines);
        Self { written, _guard: guard }
    }

    /// All that was logged so far, as it was written.
    #[must_use]
    pub fn text(&self) -> String {
        String::from_utf8(self.written.0.lock().unwrap().clone()).unwrap()
    }

    /// The lines so far.
    #[must_use]
    pub fn all(&self) -> Vec<Value> {
        self.text().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}

impl io::Write for Written {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Written {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}
