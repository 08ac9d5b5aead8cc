//! `products`: reading and defining products, and the description of all routes.

use api::problem::Problem;
use api::request::{Request, SCOPE_PRODUCTS_WRITE};
use api::respond::{Answer, json, lasting_json};
use api::route::Route;
use api::view::ProductView;
use domain::product::{Product, ProductDefinition};
use http::StatusCode;
use runtime::deps::Deps;
use runtime::serve::Handled;
use store::products::Stored;

/// The OpenAPI description of every route: `docs/openapi.yaml` as JSON.
pub const DESCRIPTION: &str = include_str!(concat!(env!("OUT_DIR"), "/openapi.json"));

/// How long the description may be kept, in seconds: it changes only with a release.
const DESCRIPTION_AGE_S_MAX: u32 = 3_600;

/// Serves the routes of products, and the description of all routes.
pub fn handle<'a>(deps: &'a Deps, request: &'a Request) -> Handled<'a> {
    Box::pin(async move {
        match Route::parse(&request.method, &request.path)? {
            Route::GetDescription => Ok(lasting_json(DESCRIPTION, DESCRIPTION_AGE_S_MAX)),
            Route::GetProduct(product_id) => get(deps, request, &product_id).await,
            Route::PutProduct(product_id) => put(deps, request, &product_id).await,
            Route::OpenBooking
            | Route::ListBookings
            | Route::GetBooking(_)
            | Route::CancelBooking(_)
            | Route::CancelOrder(..)
            | Route::Quote(_)
            | Route::CreateOrder(_)
            | Route::GeneratePayment(_)
            | Route::GetBookedProduct(_)
            | Route::MakeLink(_)
            | Route::GetCheckoutPage
            | Route::DrawCode(_)
            | Route::ListAttention
            | Route::GetAttention(_)
            | Route::ReleaseAttention(..)
            | Route::GetOperatorPage
            | Route::InspectBooking(_)
            | Route::ListTasks
            | Route::GetFigures
            | Route::Callback(_) => Err(Problem::NotFound),
        }
    })
}

async fn get(deps: &Deps, request: &Request, product_id: &str) -> Result<Answer, Problem> {
    request.customer()?;
    let tag = deps.ids.product_tag(product_id);
    let product = deps.store.product(product_id, &tag).await?.ok_or(Problem::NotFound)?;
    json(StatusCode::OK, &ProductView::of(&product))
}

async fn put(deps: &Deps, request: &Request, product_id: &str) -> Result<Answer, Problem> {
    request.require_scope(SCOPE_PRODUCTS_WRITE)?;
    let definition: ProductDefinition = request.json()?;
    let product = Product::define(product_id, definition)
        .map_err(|error| Problem::invalid(error.field, error.rule))?;
    check_gateways(deps, &product)?;
    match deps.store.put_product(&product, &deps.ids.product_tag(product_id)).await? {
        Stored::Yes => json(StatusCode::OK, &ProductView::of(&product)),
        Stored::TagTaken => Err(Problem::invalid("product_id", "taken by a product like it")),
    }
}

/// Refuses what one of the product's gateways could not take.
fn check_gateways(deps: &Deps, product: &Product) -> Result<(), Problem> {
    let (smallest, largest) = product.amount_range();
    for name in &product.gateways {
        let unknown = || Problem::invalid("gateways", format!("{name} is not configured"));
        let gateway = deps.gateway(name).ok_or_else(unknown)?;
        let currency = product.currency;
        let limits = gateway.limits(currency).ok_or_else(|| {
            Problem::invalid("currency", format!("{name} does not take {currency}"))
        })?;
        if smallest < limits.min || largest > limits.max {
            let rule = format!(
                "{name} takes {} to {} minor units in one payment, and an order can come to \
                 {smallest} to {largest}",
                limits.min, limits.max
            );
            return Err(Problem::invalid("gateways", rule));
        }
        if !product.comes_in_multiples_of(limits.step) {
            let rule = format!(
                "{name} takes multiples of {} minor units, and an order can come to another amount",
                limits.step
            );
            return Err(Problem::invalid("gateways", rule));
        }
    }
    Ok(())
}
