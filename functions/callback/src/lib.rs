//! `callback`: gateways' notifications. Verify, record, and only then acknowledge.

use api::problem::Problem;
use api::request::Request;
use api::respond::Answer;
use api::route::Route;
use domain::gateway::GatewayName;
use gateways::{Acknowledgement, Event, Gateway};
use runtime::deps::Deps;
use runtime::news::record_event;
use runtime::serve::{Handled, cause_of};
use runtime::telemetry::{Metric, count};

/// Serves the route of callbacks.
pub fn handle<'a>(deps: &'a Deps, request: &'a Request) -> Handled<'a> {
    Box::pin(async move {
        let Route::Callback(gateway) = Route::parse(&request.method, &request.path)? else {
            return Err(Problem::NotFound);
        };
        receive(deps, request, &gateway).await
    })
}

async fn receive(deps: &Deps, request: &Request, name: &GatewayName) -> Result<Answer, Problem> {
    let gateway = deps.gateway(name).ok_or(Problem::NotFound)?;
    let acknowledgement = match gateway.verify(&request.headers, &request.body, deps.now()) {
        Ok(events) => record(deps, gateway.as_ref(), &events).await,
        Err(distrust) => {
            let by = [("gateway", name.as_str()), ("reason", distrust.as_str())];
            count(Metric::NotificationRefused, &by, "");
            Acknowledgement::Refused(distrust)
        }
    };
    Ok(gateway.acknowledge(acknowledgement))
}

/// Records what a notification tells. Anything that is not durable is to be told again.
async fn record(deps: &Deps, gateway: &dyn Gateway, events: &[Event]) -> Acknowledgement {
    for event in events {
        if let Err(problem) = record_event(deps, gateway.name(), event).await {
            let (_, code) = problem.spec();
            let cause = cause_of(&problem);
            tracing::error!(gateway = gateway.name().as_str(), code, cause, "not recorded");
            return Acknowledgement::Retry;
        }
    }
    Acknowledgement::Done
}
