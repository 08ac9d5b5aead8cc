//! A gateway that has learnt one answer, and may have a limit.

use std::sync::{Arc, Mutex, PoisonError};

use aws_smithy_runtime_api::client::http::{
    HttpConnector, HttpConnectorFuture, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::http::StatusCode;
use aws_smithy_types::body::SdkBody;
use http_body_util::BodyExt;
use local::stack::WrapGateways;
use runtime::deps::Clock;

use super::copies::Model;

/// How a request to end a session goes on behind the session. Source: Stripe API reference, "Expire
/// a Checkout Session".
const EXPIRE: &str = "/expire";
/// What Stripe answers with status 429. Source: Stripe API reference, "Errors".
const TOO_OFTEN: &str = r#"{"error":{"code":"rate_limit","type":"invalid_request_error"}}"#;

/// A request that the gateway has answered.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Served {
    /// Whose code was to be closed.
    pub number: u32,
    /// Or else it was asked too often.
    pub accepted: bool,
}

/// Stands before the simulator until it has an answer of it, and then in its place.
#[derive(Clone)]
pub struct Counter {
    clock: Clock,
    limit_a_second: Option<u32>,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    answer: String,
    model: Option<Model>,
    served: Vec<Served>,
    closed: usize,
    /// The second that is running, and how many requests it has taken.
    second: (i64, u32),
}

impl Counter {
    /// A gateway that takes so many requests in each second of this clock.
    #[must_use]
    pub fn new(clock: Clock, limit_a_second: Option<u32>) -> Self {
        Self { clock, limit_a_second, state: Arc::default() }
    }

    /// For `Options::wrap_gateways`.
    #[must_use]
    pub fn wrap(&self) -> WrapGateways {
        let counter = self.clone();
        Arc::new(move |beneath| {
            SharedHttpConnector::new(Before { beneath, counter: counter.clone() })
        })
    }

    /// From now on this gateway answers for the model's copies.
    pub fn serve(&self, model: &Model) {
        self.with(|state| state.model = Some(model.clone()));
    }

    /// How many codes were closed.
    #[must_use]
    pub fn closed(&self) -> usize {
        self.with(|state| state.closed)
    }

    /// What was asked, in order.
    #[must_use]
    pub fn take(&self) -> Vec<Served> {
        self.with(|state| std::mem::take(&mut state.served))
    }

    fn with<T>(&self, work: impl FnOnce(&mut State) -> T) -> T {
        work(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn answer(&self, session: &str) -> Option<(u16, String)> {
        let second = (self.clock)().as_second();
        self.with(|state| {
            let number = state.model.as_ref()?.number_of(session)?;
            if state.second.0 != second {
                state.second = (second, 0);
            }
            let accepted = self.limit_a_second.is_none_or(|limit| state.second.1 < limit);
            state.served.push(Served { number, accepted });
            if !accepted {
                return Some((429, TOO_OFTEN.to_owned()));
            }
            state.second.1 += 1;
            state.closed += 1;
            let model = state.model.as_ref()?;
            Some((200, model.renumbered(&state.answer, number)))
        })
    }
}

struct Before {
    beneath: SharedHttpConnector,
    counter: Counter,
}

impl std::fmt::Debug for Before {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Before").finish_non_exhaustive()
    }
}

impl HttpConnector for Before {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let path = request.uri().to_owned();
        let session = path.strip_suffix(EXPIRE).and_then(|path| path.rsplit('/').next());
        let Some(session) = session else { return self.beneath.call(request) };
        if let Some((status, body)) = self.counter.answer(session) {
            let status = StatusCode::try_from(status).unwrap();
            return HttpConnectorFuture::ready(Ok(HttpResponse::new(status, SdkBody::from(body))));
        }
        let (reply, counter) = (self.beneath.call(request), self.counter.clone());
        HttpConnectorFuture::new(async move {
            let mut reply = reply.await?;
            let body = std::mem::replace(reply.body_mut(), SdkBody::taken());
            let body = body.collect().await.unwrap().to_bytes();
            let text = String::from_utf8(body.to_vec()).unwrap();
            counter.with(|state| state.answer = text);
            *reply.body_mut() = SdkBody::from(body);
            Ok(reply)
        })
    }
}
