//! Problems: everything that a caller is told when a request does not succeed (RFC 9457).

use domain::booking::Booking;
use domain::decide::Rejection;
use domain::decide::release::NotReleased;
use domain::ids::Ids;
use domain::product::Flow;
use domain::quote::{Offer, Quote};
use http::StatusCode;
use store::error::{CommitError, StoreError};

use crate::view::{OrderView, QuoteView, ViewContext};

/// What a caller is told. The codes are stable; `docs/problems.md` has one section for each.
#[derive(Debug)]
pub enum Problem {
    /// A field is missing or malformed.
    InvalidRequest {
        /// The field, or the header, or `body`.
        field: String,
        /// The rule that it breaks.
        rule: String,
    },
    /// Nobody vouches for the caller.
    Unauthenticated,
    /// The checkout link was not made here, or was changed.
    LinkInvalid,
    /// The checkout link's time is over.
    LinkExpired,
    /// The caller may not do this.
    Forbidden,
    /// There is no such thing, or it is somebody else's.
    NotFound,
    /// What was quoted no longer holds.
    QuoteStale {
        /// The quote as it would be now.
        offer: Option<Box<QuoteView>>,
    },
    /// The quote's time is over.
    QuoteExpired {
        /// The quote as it would be now.
        offer: Option<Box<QuoteView>>,
    },
    /// A newer order replaced this one.
    OrderSuperseded {
        /// The live order as it stands.
        live_order: Option<Box<OrderView>>,
    },
    /// The order has ended.
    OrderClosed {
        /// The quote as it would be now.
        offer: Option<Box<QuoteView>>,
    },
    /// The order is paid.
    OrderAlreadyPaid,
    /// The booking's state takes no payment.
    BookingNotPayable,
    /// The booking was renewed as often as allowed.
    RenewalLimitReached {
        /// How often that is.
        max_renewals: u32,
    },
    /// The product's flow does not take this call.
    FlowMismatch,
    /// No attempt is left at that gateway.
    AttemptsExhausted,
    /// It cannot be tried again.
    RetryNotPossible,
    /// Too many others change the booking at once.
    VersionConflict,
    /// The token was not made for this.
    QuoteTampered,
    /// The quantity is outside the product's range.
    QuantityOutOfRange {
        /// Smallest.
        min: u32,
        /// Largest.
        max: u32,
    },
    /// The product does not accept that gateway.
    GatewayNotAccepted,
    /// The same key was used with other content.
    IdempotencyMismatch,
    /// The body is over the bound.
    TooLarge,
    /// The body is not JSON.
    NotJson,
    /// The gateway finally refused.
    GatewayRefused,
    /// The gateway gave no usable answer.
    GatewayUnavailable,
    /// The store gave no usable answer.
    StoreUnavailable(Option<StoreError>),
    /// The work was not done when the time for it was up. How far it came is not known.
    OutOfTime,
    /// We failed. Logged, never told.
    Internal(String),
}

impl Problem {
    /// A malformed field.
    #[must_use]
    pub fn invalid(field: impl Into<String>, rule: impl Into<String>) -> Self {
        Self::InvalidRequest { field: field.into(), rule: rule.into() }
    }

    /// Status and stable code.
    #[must_use]
    pub const fn spec(&self) -> (StatusCode, &'static str) {
        match self {
            Self::InvalidRequest { .. } => (StatusCode::BAD_REQUEST, "invalid_request"),
            Self::Unauthenticated => (StatusCode::UNAUTHORIZED, "unauthenticated"),
            Self::LinkInvalid => (StatusCode::UNAUTHORIZED, "link_invalid"),
            Self::LinkExpired => (StatusCode::UNAUTHORIZED, "link_expired"),
            Self::Forbidden => (StatusCode::FORBIDDEN, "forbidden"),
            Self::NotFound => (StatusCode::NOT_FOUND, "not_found"),
            Self::QuoteStale { .. } => (StatusCode::CONFLICT, "quote_stale"),
            Self::QuoteExpired { .. } => (StatusCode::CONFLICT, "quote_expired"),
            Self::OrderSuperseded { .. } => (StatusCode::CONFLICT, "order_superseded"),
            Self::OrderClosed { .. } => (StatusCode::CONFLICT, "order_closed"),
            Self::OrderAlreadyPaid => (StatusCode::CONFLICT, "order_already_paid"),
            Self::BookingNotPayable => (StatusCode::CONFLICT, "booking_not_payable"),
            Self::RenewalLimitReached { .. } => (StatusCode::CONFLICT, "renewal_limit_reached"),
            Self::FlowMismatch => (StatusCode::CONFLICT, "flow_mismatch"),
            Self::AttemptsExhausted => (StatusCode::CONFLICT, "attempts_exhausted"),
            Self::RetryNotPossible => (StatusCode::CONFLICT, "retry_not_possible"),
            Self::VersionConflict => (StatusCode::CONFLICT, "version_conflict"),
            Self::QuoteTampered => (StatusCode::UNPROCESSABLE_ENTITY, "quote_tampered"),
            Self::QuantityOutOfRange { .. } => {
                (StatusCode::UNPROCESSABLE_ENTITY, "quantity_out_of_range")
            }
            Self::GatewayNotAccepted => (StatusCode::UNPROCESSABLE_ENTITY, "gateway_not_accepted"),
            Self::IdempotencyMismatch => (StatusCode::UNPROCESSABLE_ENTITY, "idempotency_mismatch"),
            Self::TooLarge => (StatusCode::PAYLOAD_TOO_LARGE, "too_large"),
            Self::NotJson => (StatusCode::UNSUPPORTED_MEDIA_TYPE, "not_json"),
            Self::GatewayRefused => (StatusCode::BAD_GATEWAY, "gateway_refused"),
            Self::GatewayUnavailable => (StatusCode::SERVICE_UNAVAILABLE, "gateway_unavailable"),
            Self::StoreUnavailable(_) => (StatusCode::SERVICE_UNAVAILABLE, "store_unavailable"),
            Self::OutOfTime => (StatusCode::SERVICE_UNAVAILABLE, "out_of_time"),
            Self::Internal(_) => (StatusCode::INTERNAL_SERVER_ERROR, "internal"),
        }
    }

    /// After how many seconds the same request may be sent again, where that can help.
    #[must_use]
    pub const fn retry_after_s(&self) -> Option<u32> {
        match self {
            Self::VersionConflict => Some(1),
            Self::GatewayUnavailable | Self::StoreUnavailable(_) | Self::OutOfTime => Some(2),
            Self::InvalidRequest { .. }
            | Self::Unauthenticated
            | Self::LinkInvalid
            | Self::LinkExpired
            | Self::Forbidden
            | Self::NotFound
            | Self::QuoteStale { .. }
            | Self::QuoteExpired { .. }
            | Self::OrderSuperseded { .. }
            | Self::OrderClosed { .. }
            | Self::OrderAlreadyPaid
            | Self::BookingNotPayable
            | Self::RenewalLimitReached { .. }
            | Self::FlowMismatch
            | Self::AttemptsExhausted
            | Self::RetryNotPossible
            | Self::QuoteTampered
            | Self::QuantityOutOfRange { .. }
            | Self::GatewayNotAccepted
            | Self::IdempotencyMismatch
            | Self::TooLarge
            | Self::NotJson
            | Self::GatewayRefused
            | Self::Internal(_) => None,
        }
    }

    /// What the caller is told of a refusal, with what the page needs to go on.
    #[must_use]
    pub fn rejected(rejection: Rejection, of: &Refused<'_>) -> Self {
        match rejection {
            Rejection::QuantityOutOfRange { min, max } => Self::QuantityOutOfRange { min, max },
            Rejection::BookingNotPayable => Self::BookingNotPayable,
            Rejection::RenewalLimitReached { max } => {
                Self::RenewalLimitReached { max_renewals: max }
            }
            Rejection::FlowMismatch => Self::FlowMismatch,
            Rejection::GatewayNotAccepted => Self::GatewayNotAccepted,
            Rejection::GatewayRequired => Self::invalid("gateway", "required by this product"),
            Rejection::QuoteTampered => Self::QuoteTampered,
            Rejection::QuoteExpired { offer } => Self::QuoteExpired { offer: of.offer(offer) },
            Rejection::QuoteStale { offer } => Self::QuoteStale { offer: of.offer(offer) },
            Rejection::OrderSuperseded { live } => Self::OrderSuperseded {
                live_order: live.map(|order| Box::new(OrderView::of(of.booking, &order, of.on))),
            },
            Rejection::OrderClosed { offer, .. } => Self::OrderClosed { offer: of.offer(offer) },
            Rejection::OrderAlreadyPaid => Self::OrderAlreadyPaid,
            Rejection::AttemptsExhausted => Self::AttemptsExhausted,
            Rejection::IdempotencyMismatch => Self::IdempotencyMismatch,
            Rejection::NotFound => Self::NotFound,
        }
    }
}

/// What was refused: whose request it was, and what an offer's token is made of.
#[derive(Clone, Copy, Debug)]
pub struct Refused<'a> {
    /// The booking as it was decided on.
    pub booking: &'a Booking,
    /// Derives the token id of an offer.
    pub ids: &'a Ids,
    /// Randomness for that id.
    pub fresh: [u8; 16],
    /// How orders are shown.
    pub on: ViewContext<'a>,
}

impl Refused<'_> {
    /// Shows an offer. A token comes with it only where it creates nothing.
    fn offer(&self, offer: Option<Box<Offer>>) -> Option<Box<QuoteView>> {
        let offer = *offer?;
        let token = match offer.flow {
            Flow::OrderFirst | Flow::Instant => None,
            Flow::SubmitOnce => Some(self.on.keyring.sign(&Quote {
                token_id: self.ids.fresh_token(self.fresh),
                booking_id: self.booking.booking_id.clone(),
                customer_id: self.booking.customer_id.clone(),
                order_id: None,
                offer: offer.clone(),
            })),
        };
        Some(Box::new(QuoteView::of(&offer, token)))
    }
}

impl From<NotReleased> for Problem {
    fn from(refused: NotReleased) -> Self {
        match refused {
            NotReleased::RetryNotPossible => Self::RetryNotPossible,
            NotReleased::NotStored => Self::NotFound,
        }
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Unavailable(_) => Self::StoreUnavailable(Some(error)),
            StoreError::Corrupt(_) | StoreError::UnknownShape { .. } => {
                Self::Internal(error_chain(&error))
            }
        }
    }
}

impl From<CommitError> for Problem {
    fn from(error: CommitError) -> Self {
        match error {
            CommitError::Conflict => Self::VersionConflict,
            CommitError::NotApplied(error) => error.into(),
            CommitError::Unknown(error) => Self::StoreUnavailable(Some(error)),
        }
    }
}

/// An error and its causes in one line, for the log.
#[must_use]
pub fn error_chain(error: &dyn std::error::Error) -> String {
    let mut line = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        line.push_str(": ");
        line.push_str(&cause.to_string());
        source = cause.source();
    }
    line
}
