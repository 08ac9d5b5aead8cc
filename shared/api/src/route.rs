//! Routes: the one list of methods, paths and the functions behind them.

use domain::attention::{Action, AttentionId};
use domain::gateway::GatewayName;
use domain::ids::{BookingId, BookingReference, OrderId};
use http::Method;

use crate::problem::Problem;

/// A route as templates and documents write it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RouteSpec {
    /// Method.
    pub method: &'static str,
    /// Path with its parameters in braces.
    pub path: &'static str,
    /// The function that serves it.
    pub function: &'static str,
    /// Who may call it.
    pub access: Access,
}

/// Whom API Gateway lets through to a route.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Access {
    /// Who brings a valid JWT.
    Jwt,
    /// Everybody, to be let in by the checkout link that they bring.
    Link,
    /// Everybody.
    Open,
}

/// Where the routes begin that a checkout link opens, and no others.
pub const LINK_PREFIX: &str = "/v1/checkout/";

/// Every route.
pub const ROUTES: [RouteSpec; 30] = [
    open("GET", "/v1/openapi.json", "products"),
    route("GET", "/v1/products/{product_id}", "products"),
    route("PUT", "/v1/products/{product_id}", "products"),
    route("POST", "/v1/bookings", "bookings"),
    route("GET", "/v1/bookings", "bookings"),
    route("GET", "/v1/bookings/{booking_id}", "bookings"),
    route("POST", "/v1/bookings/{booking_id}/cancel", "bookings"),
    route("POST", "/v1/bookings/{booking_id}/orders/{order_id}/cancel", "bookings"),
    route("POST", "/v1/bookings/{booking_id}/quotes", "quote"),
    route("POST", "/v1/bookings/{booking_id}/orders", "create-order"),
    route("POST", "/v1/bookings/{booking_id}/payments", "generate-payment"),
    route("POST", "/v1/bookings/{booking_id}/checkout-link", "checkout"),
    open("GET", "/checkout", "checkout"),
    link("GET", "/v1/checkout/bookings/{booking_id}", "bookings"),
    link("GET", "/v1/checkout/bookings/{booking_id}/product", "bookings"),
    link("POST", "/v1/checkout/bookings/{booking_id}/cancel", "bookings"),
    link("POST", "/v1/checkout/bookings/{booking_id}/orders/{order_id}/cancel", "bookings"),
    link("POST", "/v1/checkout/bookings/{booking_id}/quotes", "quote"),
    link("POST", "/v1/checkout/bookings/{booking_id}/orders", "create-order"),
    link("POST", "/v1/checkout/bookings/{booking_id}/payments", "generate-payment"),
    link("POST", "/v1/checkout/bookings/{booking_id}/qr", "checkout"),
    route("GET", "/v1/attention", "attention"),
    route("GET", "/v1/attention/{booking_id}", "attention"),
    route("POST", "/v1/attention/{booking_id}/{attention_id}/retry", "attention"),
    route("POST", "/v1/attention/{booking_id}/{attention_id}/resolve", "attention"),
    open("GET", "/operator", "operations"),
    route("GET", "/v1/operations/bookings/{reference}", "operations"),
    route("GET", "/v1/operations/tasks", "operations"),
    route("GET", "/v1/operations/figures", "operations"),
    open("POST", "/v1/callbacks/{gateway}", "callback"),
];

const fn route(method: &'static str, path: &'static str, function: &'static str) -> RouteSpec {
    RouteSpec { method, path, function, access: Access::Jwt }
}

const fn link(method: &'static str, path: &'static str, function: &'static str) -> RouteSpec {
    RouteSpec { access: Access::Link, ..route(method, path, function) }
}

const fn open(method: &'static str, path: &'static str, function: &'static str) -> RouteSpec {
    RouteSpec { access: Access::Open, ..route(method, path, function) }
}

/// A request's route with its parameters read.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Route {
    /// Reads the OpenAPI description of the routes.
    GetDescription,
    /// Reads a product.
    GetProduct(String),
    /// Defines a product.
    PutProduct(String),
    /// Opens a booking.
    OpenBooking,
    /// Lists the caller's bookings.
    ListBookings,
    /// Reads a booking.
    GetBooking(BookingId),
    /// Cancels a booking.
    CancelBooking(BookingId),
    /// Drops a pending order.
    CancelOrder(BookingId, OrderId),
    /// Asks for a price.
    Quote(BookingId),
    /// Creates the order of a quote.
    CreateOrder(BookingId),
    /// Generates the payment of an order.
    GeneratePayment(BookingId),
    /// Reads the product of a booking.
    GetBookedProduct(BookingId),
    /// Makes a checkout link of a booking.
    MakeLink(BookingId),
    /// Reads the checkout page.
    GetCheckoutPage,
    /// Draws a code as a QR code.
    DrawCode(BookingId),
    /// Lists what waits for a person.
    ListAttention,
    /// Reads what waits on a booking, and what people did about it.
    GetAttention(BookingId),
    /// Does something about what waits.
    ReleaseAttention(BookingId, AttentionId, Action),
    /// Reads the operator's page.
    GetOperatorPage,
    /// Reads all that is stored of a booking.
    InspectBooking(BookingReference),
    /// Lists the tasks.
    ListTasks,
    /// Adds up the figures of a day.
    GetFigures,
    /// A gateway's notification.
    Callback(GatewayName),
}

impl Route {
    /// Reads a method and a path. An id that cannot be one is not found.
    ///
    /// # Errors
    /// [`Problem::NotFound`].
    pub fn parse(method: &Method, path: &str) -> Result<Self, Problem> {
        let parts: Vec<&str> = path.split('/').collect();
        Self::of(method.as_str(), &parts).ok_or(Problem::NotFound)
    }

    fn of(method: &str, parts: &[&str]) -> Option<Self> {
        match (method, parts) {
            ("GET", ["", "v1", "openapi.json"]) => Some(Self::GetDescription),
            ("GET", ["", "v1", "products", id]) => Some(Self::GetProduct((*id).to_owned())),
            ("PUT", ["", "v1", "products", id]) => Some(Self::PutProduct((*id).to_owned())),
            ("POST", ["", "v1", "bookings"]) => Some(Self::OpenBooking),
            ("GET", ["", "v1", "bookings"]) => Some(Self::ListBookings),
            ("GET", ["", "v1", "bookings", id]) => Some(Self::GetBooking(BookingId::parse(id)?)),
            ("POST", ["", "v1", "bookings", id, "checkout-link"]) => {
                Some(Self::MakeLink(BookingId::parse(id)?))
            }
            ("POST", ["", "v1", "bookings", id, rest @ ..]) => {
                Self::of_booking(BookingId::parse(id)?, rest)
            }
            ("GET", ["", "checkout"]) => Some(Self::GetCheckoutPage),
            (_, ["", "v1", "checkout", "bookings", id, rest @ ..]) => {
                Self::of_link(method, BookingId::parse(id)?, rest)
            }
            (_, ["", "v1", "attention", rest @ ..]) => Self::of_attention(method, rest),
            ("GET", ["", "operator"]) => Some(Self::GetOperatorPage),
            ("GET", ["", "v1", "operations", rest @ ..]) => Self::of_operations(rest),
            ("POST", ["", "v1", "callbacks", gateway]) => {
                Some(Self::Callback(GatewayName::parse(gateway)?))
            }
            _ => None,
        }
    }

    fn of_booking(id: BookingId, rest: &[&str]) -> Option<Self> {
        match rest {
            ["cancel"] => Some(Self::CancelBooking(id)),
            ["orders", order, "cancel"] => Some(Self::CancelOrder(id, OrderId::parse(order)?)),
            ["quotes"] => Some(Self::Quote(id)),
            ["orders"] => Some(Self::CreateOrder(id)),
            ["payments"] => Some(Self::GeneratePayment(id)),
            _ => None,
        }
    }

    fn of_link(method: &str, id: BookingId, rest: &[&str]) -> Option<Self> {
        match (method, rest) {
            ("GET", []) => Some(Self::GetBooking(id)),
            ("GET", ["product"]) => Some(Self::GetBookedProduct(id)),
            ("POST", ["qr"]) => Some(Self::DrawCode(id)),
            ("POST", rest) => Self::of_booking(id, rest),
            _ => None,
        }
    }

    fn of_attention(method: &str, rest: &[&str]) -> Option<Self> {
        match (method, rest) {
            ("GET", []) => Some(Self::ListAttention),
            ("GET", [id]) => Some(Self::GetAttention(BookingId::parse(id)?)),
            ("POST", [id, attention_id, action]) => {
                let mut actions = [Action::Retry, Action::Resolve].into_iter();
                Some(Self::ReleaseAttention(
                    BookingId::parse(id)?,
                    AttentionId::from_path(attention_id)?,
                    actions.find(|known| known.as_str() == *action)?,
                ))
            }
            _ => None,
        }
    }

    fn of_operations(rest: &[&str]) -> Option<Self> {
        match rest {
            ["bookings", reference] => {
                Some(Self::InspectBooking(BookingReference::parse(reference)?))
            }
            ["tasks"] => Some(Self::ListTasks),
            ["figures"] => Some(Self::GetFigures),
            _ => None,
        }
    }

    /// The route's own name, in metrics.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::GetDescription => "get_description",
            Self::GetProduct(_) => "get_product",
            Self::PutProduct(_) => "put_product",
            Self::OpenBooking => "open_booking",
            Self::ListBookings => "list_bookings",
            Self::GetBooking(_) => "get_booking",
            Self::CancelBooking(_) => "cancel_booking",
            Self::CancelOrder(..) => "cancel_order",
            Self::Quote(_) => "quote",
            Self::CreateOrder(_) => "create_order",
            Self::GeneratePayment(_) => "generate_payment",
            Self::GetBookedProduct(_) => "get_booked_product",
            Self::MakeLink(_) => "make_link",
            Self::GetCheckoutPage => "get_checkout_page",
            Self::DrawCode(_) => "draw_code",
            Self::ListAttention => "list_attention",
            Self::GetAttention(_) => "get_attention",
            Self::ReleaseAttention(..) => "release_attention",
            Self::GetOperatorPage => "get_operator_page",
            Self::InspectBooking(_) => "inspect_booking",
            Self::ListTasks => "list_tasks",
            Self::GetFigures => "get_figures",
            Self::Callback(_) => "callback",
        }
    }

    /// The booking that the route names.
    #[must_use]
    pub const fn booking_id(&self) -> Option<&BookingId> {
        match self {
            Self::GetBooking(id)
            | Self::CancelBooking(id)
            | Self::CancelOrder(id, _)
            | Self::Quote(id)
            | Self::CreateOrder(id)
            | Self::GeneratePayment(id)
            | Self::GetBookedProduct(id)
            | Self::MakeLink(id)
            | Self::DrawCode(id)
            | Self::GetAttention(id)
            | Self::ReleaseAttention(id, ..)
            | Self::InspectBooking(BookingReference::Id(id)) => Some(id),
            Self::GetDescription
            | Self::GetProduct(_)
            | Self::PutProduct(_)
            | Self::OpenBooking
            | Self::ListBookings
            | Self::GetCheckoutPage
            | Self::ListAttention
            | Self::GetOperatorPage
            | Self::InspectBooking(BookingReference::Refund(_) | BookingReference::Echo(_))
            | Self::ListTasks
            | Self::GetFigures
            | Self::Callback(_) => None,
        }
    }

    /// The function that serves the route.
    #[must_use]
    pub const fn function(&self) -> &'static str {
        match self {
            Self::GetDescription | Self::GetProduct(_) | Self::PutProduct(_) => "products",
            Self::OpenBooking
            | Self::ListBookings
            | Self::GetBooking(_)
            | Self::GetBookedProduct(_)
            | Self::CancelBooking(_)
            | Self::CancelOrder(..) => "bookings",
            Self::Quote(_) => "quote",
            Self::CreateOrder(_) => "create-order",
            Self::GeneratePayment(_) => "generate-payment",
            Self::MakeLink(_) | Self::GetCheckoutPage | Self::DrawCode(_) => "checkout",
            Self::ListAttention | Self::GetAttention(_) | Self::ReleaseAttention(..) => "attention",
            Self::GetOperatorPage
            | Self::InspectBooking(_)
            | Self::ListTasks
            | Self::GetFigures => "operations",
            Self::Callback(_) => "callback",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_listed_route_is_read_and_goes_to_its_function() {
        for spec in ROUTES {
            let path = spec
                .path
                .replace("{product_id}", "desk")
                .replace("{booking_id}", &"a".repeat(32))
                .replace("{order_id}", &"b".repeat(32))
                .replace("{attention_id}", &format!("refund-{}", "c".repeat(32)))
                .replace("{reference}", &"d".repeat(62))
                .replace("{gateway}", "wechat_pay");
            let route = Route::parse(&spec.method.parse().unwrap(), &path).unwrap();
            assert_eq!(route.function(), spec.function, "{spec:?}");
            assert_eq!(path.starts_with(LINK_PREFIX), spec.access == Access::Link, "{spec:?}");
            let names_booking = spec.path.contains("{booking_id}");
            assert_eq!(route.booking_id().is_some(), names_booking, "{spec:?}");
        }
    }

    #[test]
    fn what_waits_is_named_in_a_path_without_a_fragment() {
        let (booking, id) = ("a".repeat(32), "c".repeat(32));
        let parse = |name: &str, action: &str| {
            Route::parse(&Method::POST, &format!("/v1/attention/{booking}/{name}/{action}"))
        };
        for kind in ["refund", "close", "query", "foreign"] {
            let route = parse(&format!("{kind}-{id}"), "retry").unwrap();
            let Route::ReleaseAttention(_, named, Action::Retry) = route else {
                panic!("{route:?}");
            };
            assert_eq!(named.as_str(), format!("{kind}#{id}"));
        }
        for name in [format!("refund#{id}"), format!("other-{id}"), format!("refund-{id}0")] {
            assert!(parse(&name, "retry").is_err(), "{name}");
        }
        assert!(parse(&format!("refund-{id}"), "drop").is_err());
    }

    #[test]
    fn what_is_no_route_is_not_found() {
        for (method, path) in [
            ("GET", "/"),
            ("GET", "/v1"),
            ("GET", "/v1/bookings/"),
            ("DELETE", "/v1/products/desk"),
            ("GET", "/v1/bookings/123"),
            ("GET", "/v2/bookings"),
            ("POST", "/v1/callbacks/WeChat"),
            ("GET", "/checkout/"),
            ("POST", "/checkout"),
            ("GET", "/v1/checkout/bookings"),
            ("GET", "/v1/checkout/bookings/123"),
            ("POST", "/v1/attention"),
            ("GET", "/v1/attention/"),
            ("GET", "/v1/attention/123"),
            ("POST", "/v1/operations/tasks"),
            ("GET", "/v1/operations/bookings/123"),
        ] {
            let method: Method = method.parse().unwrap();
            assert!(matches!(Route::parse(&method, path), Err(Problem::NotFound)), "{path}");
        }
    }

    #[test]
    fn a_link_opens_nothing_that_its_booking_does_not_need() {
        let booking = "a".repeat(32);
        for (method, path) in [
            ("POST", format!("/v1/checkout/bookings/{booking}/checkout-link")),
            ("GET", format!("/v1/checkout/bookings/{booking}/")),
            ("PUT", format!("/v1/checkout/bookings/{booking}/product")),
            ("GET", "/v1/checkout/products/desk".to_owned()),
            ("POST", "/v1/checkout/bookings".to_owned()),
            ("GET", format!("/v1/bookings/{booking}/product")),
            ("POST", format!("/v1/bookings/{booking}/qr")),
            ("GET", format!("/v1/checkout/attention/{booking}")),
        ] {
            let method: Method = method.parse().unwrap();
            assert!(matches!(Route::parse(&method, &path), Err(Problem::NotFound)), "{path}");
        }
    }
}
