//! The three products that the laptop stack starts with, one for each flow.

use domain::product::{InvalidProduct, Product, ProductDefinition};
use runtime::deps::Deps;
use serde_json::json;
use store::error::StoreError;

/// Why the products could not be seeded.
#[derive(Debug, thiserror::Error)]
pub enum SeedError {
    /// A definition breaks a rule.
    #[error("a seeded product is not acceptable")]
    Product(#[from] InvalidProduct),
    /// A definition is malformed.
    #[error("a seeded product is malformed")]
    Definition(#[from] serde_json::Error),
    /// The store failed.
    #[error("the products cannot be stored")]
    Store(#[from] StoreError),
}

/// Stores the products that are not there yet; what somebody changed stays as it is.
///
/// # Errors
/// [`SeedError`].
pub async fn seed(deps: &Deps) -> Result<(), SeedError> {
    for (id, name, flow) in [
        ("desk-submit", "Desk, priced then submitted", "submit_once"),
        ("desk-order", "Desk, ordered at quote", "order_first"),
        ("desk-instant", "Desk, everything at once", "instant"),
    ] {
        let product = Product::define(id, definition(deps, name, flow)?)?;
        let tag = deps.ids.product_tag(id);
        if deps.store.product(id, &tag).await?.is_none() {
            deps.store.put_product(&product, &tag).await?;
        }
    }
    Ok(())
}

fn definition(deps: &Deps, name: &str, flow: &str) -> Result<ProductDefinition, serde_json::Error> {
    let gateways: Vec<&str> = deps.gateways.names().map(|name| name.as_str()).collect();
    serde_json::from_value(json!({
        "name": name,
        "flow": flow,
        "unit": "day",
        "time_zone": "Asia/Shanghai",
        "first_unit_price": { "amount": 1280, "currency": "CNY" },
        "renewal_unit_price": { "amount": 990, "currency": "CNY" },
        "min_quantity": 1,
        "max_quantity": 90,
        "max_renewals": 12,
        "currency": "CNY",
        "gateways": gateways,
    }))
}
