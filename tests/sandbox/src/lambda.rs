//! The Lambda API's call to invoke a function, over sandboxes that start when they are needed.

use std::collections::HashMap;
use std::ffi::OsString;
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use api::problem::error_chain;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use axum::{Json, Router, routing};
use bytes::Bytes;
use http::StatusCode;
use local::lambda::{Environment, invocation_path};
use serde_json::json;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;

use crate::sandbox::{Function, InvokeError, Sandbox, StartError};

/// How many invocations run at the same time.
const CONCURRENCY_MAX: usize = 32;
/// Says that the function failed.
const FUNCTION_ERROR: &str = "x-amz-function-error";

/// An endpoint of functions. Dropping it ends them.
#[derive(Debug)]
pub struct Lambda {
    /// Where it is called, such as `http://127.0.0.1:9000`.
    pub url: String,
    functions: Arc<Functions>,
    serving: JoinHandle<()>,
}

#[derive(Debug)]
struct Functions {
    folder: PathBuf,
    timeout: Duration,
    deployed: Mutex<Deployed>,
    permits: Semaphore,
}

/// What holds until the next deployment.
#[derive(Debug, Default)]
struct Deployed {
    number: u64,
    environment: Option<Vec<(OsString, OsString)>>,
    idle: HashMap<String, Vec<Sandbox>>,
}

/// Why a call is not answered.
#[derive(Debug, thiserror::Error)]
enum CallError {
    #[error("the functions have no environment yet")]
    NotDeployed,
    #[error(transparent)]
    Start(#[from] StartError),
    #[error(transparent)]
    Invoke(#[from] InvokeError),
}

impl Drop for Lambda {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

impl Lambda {
    /// An endpoint on any free port, for the binaries that `cargo lambda build` left below
    /// `folder`. Each invocation is cut off after `timeout`.
    ///
    /// # Errors
    /// The port.
    pub async fn start(folder: PathBuf, timeout: Duration) -> io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let url = format!("http://{}", listener.local_addr()?);
        let functions = Arc::new(Functions {
            folder,
            timeout,
            deployed: Mutex::default(),
            permits: Semaphore::new(CONCURRENCY_MAX),
        });
        let router = Router::new()
            .route(&invocation_path("{function}"), routing::post(invoke))
            .with_state(Arc::clone(&functions));
        let serving = tokio::spawn(async move {
            // It serves until it is aborted.
            let _ = axum::serve(listener, router).await;
        });
        Ok(Self { url, functions, serving })
    }

    /// Gives the functions their environment. Those that run with an older one end after what they
    /// are doing.
    pub fn deploy(&self, environment: &Environment) {
        let mut deployed = self.functions.deployed();
        let number = deployed.number.saturating_add(1);
        let environment = Some(environment.variables());
        *deployed = Deployed { number, environment, idle: HashMap::new() };
    }
}

impl Functions {
    fn deployed(&self) -> MutexGuard<'_, Deployed> {
        self.deployed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn call(&self, name: &str, event: Bytes) -> Result<Bytes, CallError> {
        // The semaphore is never closed.
        let _permit = self.permits.acquire().await;
        let (number, mut sandbox) = self.take(name).await?;
        let answer = sandbox.invoke_raw(event, self.timeout).await;
        if matches!(answer, Ok(_) | Err(InvokeError::Function(_))) {
            let mut deployed = self.deployed();
            if deployed.number == number {
                deployed.idle.entry(name.to_owned()).or_default().push(sandbox);
            }
        }
        Ok(answer?)
    }

    /// A sandbox that is idle, or a new one, with the number of its deployment.
    async fn take(&self, name: &str) -> Result<(u64, Sandbox), CallError> {
        let (number, environment) = {
            let mut deployed = self.deployed();
            if let Some(sandbox) = deployed.idle.get_mut(name).and_then(Vec::pop) {
                return Ok((deployed.number, sandbox));
            }
            (deployed.number, deployed.environment.clone().ok_or(CallError::NotDeployed)?)
        };
        let function = Function::below(&self.folder, name, environment);
        Ok((number, Sandbox::start(&function).await?))
    }
}

async fn invoke(
    State(functions): State<Arc<Functions>>,
    Path(name): Path<String>,
    event: Bytes,
) -> Response {
    match functions.call(&name, event).await {
        Ok(answer) => answer.into_response(),
        Err(CallError::Invoke(error)) => {
            let said = json!({
                "errorType": "Unhandled",
                "errorMessage": error_chain(&error),
            });
            ([(FUNCTION_ERROR, "Unhandled")], Json(said)).into_response()
        }
        Err(error @ (CallError::NotDeployed | CallError::Start(_))) => {
            let said = json!({ "Message": error_chain(&error) });
            (StatusCode::BAD_GATEWAY, Json(said)).into_response()
        }
    }
}
