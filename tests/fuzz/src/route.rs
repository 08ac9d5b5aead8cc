//! Routes: a method and a path, as `GET /v1/bookings`.
//!
//! - A route that is read is one of the list, goes to that row's function, and its parameters put
//!   back into the row's path give the path that came.
//! - Exactly the routes that a checkout link opens stand where the link is asked for, and each of
//!   them names the booking that the link has to be of.

use api::problem::Problem;
use api::route::{Access, LINK_PREFIX, ROUTES, Route};
use domain::attention::Action;
use http::Method;

/// Checks the properties above.
pub fn check(bytes: &[u8]) {
    let Some((method, path)) = str::from_utf8(bytes).ok().and_then(|text| text.split_once(' '))
    else {
        return;
    };
    let Ok(method) = method.parse::<Method>() else { return };
    match Route::parse(&method, path) {
        Ok(route) => {
            let (mut template, mut written) = write(&route);
            let linked = template.replacen("/v1/", LINK_PREFIX, 1);
            let is_by_link = path.starts_with(LINK_PREFIX);
            if is_by_link {
                written = written.replacen("/v1/", LINK_PREFIX, 1);
                template = &linked;
            }
            assert_eq!(written, path);
            let row = ROUTES.iter().find(|row| row.path == template && method == row.method);
            let row = row.unwrap_or_else(|| panic!("{method} {path} is in no row"));
            assert_eq!(route.function(), row.function);
            assert_eq!(is_by_link, row.access == Access::Link);
            assert!(!is_by_link || route.booking_id().is_some(), "{path} names no booking");
        }
        Err(problem) => assert!(matches!(problem, Problem::NotFound)),
    }
}

/// The row's path, and the same with the parameters in it; where a link opens it, without that
/// being said.
fn write(route: &Route) -> (&'static str, String) {
    let of_booking =
        |template: &'static str, id: &str| (template, template.replace("{booking_id}", id));
    match route {
        Route::GetDescription => ("/v1/openapi.json", "/v1/openapi.json".to_owned()),
        Route::GetProduct(id) | Route::PutProduct(id) => {
            ("/v1/products/{product_id}", format!("/v1/products/{id}"))
        }
        Route::OpenBooking | Route::ListBookings => ("/v1/bookings", "/v1/bookings".to_owned()),
        Route::GetBooking(id) => of_booking("/v1/bookings/{booking_id}", id.as_str()),
        Route::CancelBooking(id) => of_booking("/v1/bookings/{booking_id}/cancel", id.as_str()),
        Route::CancelOrder(id, order_id) => {
            let template = "/v1/bookings/{booking_id}/orders/{order_id}/cancel";
            let (_, path) = of_booking(template, id.as_str());
            (template, path.replace("{order_id}", order_id.as_str()))
        }
        Route::Quote(id) => of_booking("/v1/bookings/{booking_id}/quotes", id.as_str()),
        Route::CreateOrder(id) => of_booking("/v1/bookings/{booking_id}/orders", id.as_str()),
        Route::GeneratePayment(id) => of_booking("/v1/bookings/{booking_id}/payments", id.as_str()),
        Route::GetBookedProduct(id) => of_booking("/v1/bookings/{booking_id}/product", id.as_str()),
        Route::MakeLink(id) => of_booking("/v1/bookings/{booking_id}/checkout-link", id.as_str()),
        Route::GetCheckoutPage => ("/checkout", "/checkout".to_owned()),
        Route::DrawCode(id) => of_booking("/v1/bookings/{booking_id}/qr", id.as_str()),
        Route::ListAttention => ("/v1/attention", "/v1/attention".to_owned()),
        Route::GetAttention(id) => of_booking("/v1/attention/{booking_id}", id.as_str()),
        Route::ReleaseAttention(id, attention_id, action) => {
            let template = match action {
                Action::Retry => "/v1/attention/{booking_id}/{attention_id}/retry",
                Action::Resolve => "/v1/attention/{booking_id}/{attention_id}/resolve",
            };
            let (_, path) = of_booking(template, id.as_str());
            (template, path.replace("{attention_id}", &attention_id.to_path()))
        }
        Route::GetOperatorPage => ("/operator", "/operator".to_owned()),
        Route::InspectBooking(reference) => {
            let template = "/v1/operations/bookings/{reference}";
            (template, template.replace("{reference}", &reference.to_text()))
        }
        Route::ListTasks => ("/v1/operations/tasks", "/v1/operations/tasks".to_owned()),
        Route::GetFigures => ("/v1/operations/figures", "/v1/operations/figures".to_owned()),
        Route::Callback(name) => ("/v1/callbacks/{gateway}", format!("/v1/callbacks/{name}")),
    }
}
