//! One process of one function.

use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use runtime::config::{system_clock, system_randomness};
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader};
use tokio::net::TcpListener;
use tokio::process::{Child, Command};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

pub use crate::api::FunctionError;
use crate::api::{Handle, Invocation, Outcome, runtime_api};

/// How long a function may take to start: Lambda allows as much.
const START_TIMEOUT: Duration = Duration::from_secs(10);
/// How long what an ended process has written may be on its way.
const LAST_WORDS_TIMEOUT: Duration = Duration::from_secs(5);
/// The memory that the function is told it has, in MB; nothing holds it to that.
const MEMORY_MB: &str = "256";

/// What is started.
#[derive(Clone, Debug)]
pub struct Function {
    /// Its name, as the template has it.
    pub name: String,
    /// Its binary.
    pub bootstrap: PathBuf,
    /// The environment that the template gives it, beside what Lambda sets itself.
    pub environment: Vec<(OsString, OsString)>,
}

impl Function {
    /// A function whose binary is where `cargo lambda build` puts it below `folder`.
    #[must_use]
    pub fn below(folder: &Path, name: &str, environment: Vec<(OsString, OsString)>) -> Self {
        let bootstrap = folder.join(name).join("bootstrap");
        Self { name: name.to_owned(), bootstrap, environment }
    }
}

/// Why there is no sandbox.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The binary or the port.
    #[error("{0} cannot be started")]
    Io(PathBuf, #[source] io::Error),
    /// The process.
    #[error("the process cannot be waited for")]
    Lost(#[source] io::Error),
    /// The function says itself that it cannot start.
    #[error("it cannot start")]
    Function(#[source] FunctionError),
    /// It ended before it asked for an invocation.
    #[error("it ended at its start, with {0}; it said: {1}")]
    Ended(ExitStatus, String),
    /// It did not ask for an invocation in time.
    #[error("it was not ready within {START_TIMEOUT:?}; it said: {0}")]
    Late(String),
}

/// Why an invocation has no answer.
#[derive(Debug, thiserror::Error)]
pub enum InvokeError {
    /// The function says so itself.
    #[error("the function failed")]
    Function(#[from] FunctionError),
    /// It was cut off, as Lambda does it.
    #[error("it was cut off after {0:?}")]
    CutOff(Duration),
    /// The process ended, now or earlier.
    #[error("the process has ended; it said: {0}")]
    Ended(String),
    /// The answer is no JSON.
    #[error("the answer is no JSON")]
    Unreadable(#[from] serde_json::Error),
}

/// A running process of a function. Dropping it ends it.
#[derive(Debug)]
pub struct Sandbox {
    process: Child,
    handle: Handle,
    lines: Lines,
    serving: JoinHandle<()>,
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

impl Sandbox {
    /// Starts a process; it waits for its first invocation when this returns.
    ///
    /// # Errors
    /// [`StartError`] says what it said instead.
    pub async fn start(function: &Function) -> Result<Self, StartError> {
        let failed = |error| StartError::Io(function.bootstrap.clone(), error);
        let listener = TcpListener::bind("127.0.0.1:0").await.map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        let (router, handle) = runtime_api();
        let mut process = command(function, &address.to_string()).spawn().map_err(failed)?;
        let mut lines = Lines::default();
        if let Some(output) = process.stdout.take() {
            lines.follow(output);
        }
        if let Some(output) = process.stderr.take() {
            lines.follow(output);
        }
        let serving = tokio::spawn(async move {
            // It serves until it is aborted.
            let _ = axum::serve(listener, router).await;
        });
        let mut sandbox = Self { process, handle, lines, serving };
        sandbox.ready().await?;
        Ok(sandbox)
    }

    async fn ready(&mut self) -> Result<(), StartError> {
        let asked = self.handle.asked.wait_for(|times| *times > 0);
        let status = tokio::select! {
            ended = self.process.wait() => ended.map_err(StartError::Lost)?,
            asked = tokio::time::timeout(START_TIMEOUT, asked) => return match asked {
                Ok(Ok(_)) => Ok(()),
                Ok(Err(_)) | Err(_) => Err(StartError::Late(self.lines.text())),
            },
        };
        let said = self.handle.not_started.borrow().clone();
        match said {
            Some(error) => Err(StartError::Function(error)),
            None => Err(StartError::Ended(status, self.lines.last_words().await)),
        }
    }

    /// Invokes the function, and ends the process if `timeout` is over before it has answered.
    ///
    /// # Errors
    /// [`InvokeError`]; after all but [`InvokeError::Function`] the sandbox is of no more use.
    pub async fn invoke(&mut self, event: &Value, timeout: Duration) -> Result<Value, InvokeError> {
        let answer = self.invoke_raw(Bytes::from(event.to_string()), timeout).await?;
        Ok(serde_json::from_slice(&answer)?)
    }

    /// The same with the event's and the answer's bytes.
    ///
    /// # Errors
    /// The same.
    pub async fn invoke_raw(
        &mut self,
        event: Bytes,
        timeout: Duration,
    ) -> Result<Bytes, InvokeError> {
        let (answered, answer) = oneshot::channel();
        let request_id = request_id();
        let deadline = system_clock()().saturating_add(timeout).unwrap_or_default();
        let deadline_ms = deadline.as_millisecond();
        let invocation = Invocation { request_id, event, deadline_ms, answered };
        if self.handle.invocations.send(invocation).await.is_err() {
            return Err(InvokeError::Ended(self.lines.last_words().await));
        }
        self.outcome(answer, timeout).await
    }

    async fn outcome(
        &mut self,
        answer: oneshot::Receiver<Outcome>,
        timeout: Duration,
    ) -> Result<Bytes, InvokeError> {
        tokio::select! {
            outcome = answer => match outcome {
                Ok(outcome) => Ok(outcome?),
                Err(_) => Err(InvokeError::Ended(self.lines.last_words().await)),
            },
            _ = self.process.wait() => {
                Err(InvokeError::Ended(self.lines.last_words().await))
            }
            () = tokio::time::sleep(timeout) => {
                // An error means that it has ended by itself.
                let _ = self.process.kill().await;
                Err(InvokeError::CutOff(timeout))
            }
        }
    }

    /// The process's id, while it runs.
    #[must_use]
    pub fn process_id(&self) -> Option<u32> {
        self.process.id()
    }

    /// What the process has written so far, line by line.
    #[must_use]
    pub fn lines(&self) -> Vec<String> {
        self.lines.all()
    }
}

fn command(function: &Function, runtime_api: &str) -> Command {
    let mut command = Command::new(&function.bootstrap);
    command
        .env_clear()
        .envs(function.environment.iter().map(|(name, value)| (name, value)))
        .env("AWS_LAMBDA_RUNTIME_API", runtime_api)
        .env("AWS_LAMBDA_FUNCTION_NAME", &function.name)
        .env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", MEMORY_MB)
        .env("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    command
}

/// A fresh id in the form that Lambda's have.
fn request_id() -> String {
    let digits = u128::from_be_bytes(system_randomness()());
    let digits = format!("{digits:032x}");
    let part = |from, to| digits.get(from..to).unwrap_or_default();
    [part(0, 8), part(8, 12), part(12, 16), part(16, 20), part(20, 32)].join("-")
}

/// What a process writes. Its outputs are followed until they end.
#[derive(Default, Debug)]
struct Lines {
    written: Arc<Mutex<Vec<String>>>,
    followed: Vec<JoinHandle<()>>,
}

impl Lines {
    fn follow(&mut self, output: impl AsyncRead + Unpin + Send + 'static) {
        let written = Arc::clone(&self.written);
        self.followed.push(tokio::spawn(async move {
            let mut output = BufReader::new(output).lines();
            while let Ok(Some(line)) = output.next_line().await {
                written.lock().unwrap_or_else(PoisonError::into_inner).push(line);
            }
        }));
    }

    fn all(&self) -> Vec<String> {
        self.written.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn text(&self) -> String {
        self.all().join("\n")
    }

    /// All that a process has written which has ended.
    async fn last_words(&mut self) -> String {
        for followed in self.followed.drain(..) {
            // Too late is as good as a panic: what has arrived is told.
            let _ = tokio::time::timeout(LAST_WORDS_TIMEOUT, followed).await;
        }
        self.text()
    }
}
