//! The functions' roles: what the template lets each do at the table, held against what it does.
//!
//! Every stack of the tests refuses what a role does not allow, as AWS would. What is done for no
//! function, such as a test's own look into the store, passes.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient,
    SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_runtime_api::http::StatusCode;
use aws_smithy_types::body::SdkBody;
use local::dispatch::at_work;
use local::stack::WrapStore;
use serde_json::{Value, json};
use store::schema::DUE_INDEX;

use crate::template::{functions, resource_name};

/// What a role allows: `dynamodb:GetItem` at the table, `dynamodb:Query due` at the index.
pub type Actions = BTreeSet<String>;

/// What each function did so far, by the name of its resource in the template.
#[derive(Clone, Debug, Default)]
pub struct Roles(Arc<Mutex<BTreeMap<String, Actions>>>);

impl Roles {
    /// What the functions of this stack did so far.
    #[must_use]
    pub fn used(&self) -> BTreeMap<String, Actions> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// For `Options::wrap_store`: the roles over whatever else stands there.
    #[must_use]
    pub fn wrap_store(&self, other: Option<WrapStore>) -> WrapStore {
        let roles = self.clone();
        Arc::new(move |store| {
            let inner = match &other {
                Some(wrap) => wrap(store),
                None => SharedHttpClient::new(store),
            };
            SharedHttpClient::new(Guarded { inner, roles: roles.clone() })
        })
    }

    /// What a function may not do of what it is about to do.
    fn refused(&self, function: &str, actions: &Actions) -> Actions {
        let role = resource_name(function);
        let allowed = ALLOWED.get(&role).cloned().unwrap_or_default();
        let mut used = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        used.entry(role).or_default().extend(actions.iter().cloned());
        actions.difference(&allowed).cloned().collect()
    }
}

/// What the template allows each function, by the name of its resource.
pub static ALLOWED: LazyLock<BTreeMap<String, Actions>> = LazyLock::new(|| {
    functions().iter().map(|(name, block)| (name.clone(), allowed(block))).collect()
});

/// The actions of a function's policies, each statement's with the resource that follows them.
fn allowed(block: &str) -> Actions {
    let (mut allowed, mut statement) = (Actions::new(), vec![]);
    for line in block.lines() {
        let line = line.trim().trim_start_matches("- ").trim_start_matches("Action: ");
        if line.starts_with("dynamodb:") {
            statement.push(line.to_owned());
        } else if let Some(resource) = line.strip_prefix("Resource: ") {
            let at = match resource {
                "!GetAtt Table.Arn" => String::new(),
                "!Sub \"${Table.Arn}/index/due\"" => format!(" {DUE_INDEX}"),
                other => panic!("{other} is nothing that a function needs"),
            };
            allowed.extend(statement.drain(..).map(|action| format!("{action}{at}")));
        }
    }
    allowed
}

/// The actions that a call needs. Source: Amazon DynamoDB Developer Guide, "Using IAM with DynamoDB
/// transactions", for the parts of a transaction; read 2026-11-25.
fn needed(request: &HttpRequest) -> Actions {
    let target = request.headers().get("x-amz-target").unwrap_or_default();
    let operation = target.rsplit('.').next().unwrap_or_default();
    let body = request.body().bytes().unwrap_or_default();
    let body: Value = serde_json::from_slice(body).unwrap_or_default();
    match operation {
        "TransactWriteItems" => {
            let parts = body["TransactItems"].as_array().into_iter().flatten();
            let kinds = parts.filter_map(|part| part.as_object()?.keys().next());
            kinds.map(|kind| format!("dynamodb:{}", action_of(kind))).collect()
        }
        "Query" if body["IndexName"] == DUE_INDEX => {
            Actions::from([format!("dynamodb:Query {DUE_INDEX}")])
        }
        other => Actions::from([format!("dynamodb:{other}")]),
    }
}

/// `Put` in a transaction is allowed by `PutItem`.
fn action_of(kind: &str) -> String {
    match kind {
        "ConditionCheck" => "ConditionCheckItem".to_owned(),
        kind => format!("{kind}Item"),
    }
}

#[derive(Debug)]
struct Guarded {
    inner: SharedHttpClient,
    roles: Roles,
}

impl HttpClient for Guarded {
    fn http_connector(
        &self,
        settings: &HttpConnectorSettings,
        components: &RuntimeComponents,
    ) -> SharedHttpConnector {
        let inner = self.inner.http_connector(settings, components);
        SharedHttpConnector::new(GuardedConnector { inner, roles: self.roles.clone() })
    }
}

#[derive(Debug)]
struct GuardedConnector {
    inner: SharedHttpConnector,
    roles: Roles,
}

impl HttpConnector for GuardedConnector {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let Some(function) = at_work() else { return self.inner.call(request) };
        let refused = self.roles.refused(function, &needed(&request));
        if refused.is_empty() { self.inner.call(request) } else { denied(function, &refused) }
    }
}

/// As DynamoDB words it.
fn denied(function: &str, refused: &Actions) -> HttpConnectorFuture {
    eprintln!("{function} is not authorized to perform {refused:?}");
    let message = format!("{function} is not authorized to perform: {refused:?}");
    let kind = "com.amazon.coral.service#AccessDeniedException";
    let body = json!({ "__type": kind, "Message": message });
    let status = StatusCode::try_from(400).unwrap();
    HttpConnectorFuture::ready(Ok(HttpResponse::new(status, SdkBody::from(body.to_string()))))
}
