//! Reading a gateway's bill, step by step.

use domain::reconcile::BillRow;
use gateways::bill::{BILL_ROWS_MAX, BillOutcome, BillStep, Bills};
use gateways::{Gateway, Refusal};
use jiff::civil::Date;
use runtime::deps::Deps;
use runtime::gateway_calls::bill_step;

/// How many steps a bill may take.
const STEPS_MAX: usize = 2_000;

/// Why there is no bill to compare. It is asked for again at the next run.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NoBill {
    /// The gateway has not written it yet.
    #[error("the bill of {day} is not ready: {}", refusal.code)]
    NotReady {
        /// Its day.
        day: Date,
        /// The gateway's words.
        refusal: Refusal,
    },
    /// The gateway gave no usable answer.
    #[error("the bill of {day} cannot be read: {} {}", refusal.code, refusal.message)]
    Unusable {
        /// Its day.
        day: Date,
        /// The gateway's words, or ours.
        refusal: Refusal,
    },
    /// It has more rows, or comes in more pieces, than are read.
    #[error("the bill of {day} is larger than {BILL_ROWS_MAX} rows or {STEPS_MAX} steps")]
    TooLarge {
        /// Its day.
        day: Date,
    },
}

/// Reads the whole bill of a day.
///
/// # Errors
/// [`NoBill`]; half a bill is none.
pub(crate) async fn read(
    deps: &Deps,
    (gateway, bills): (&dyn Gateway, &dyn Bills),
    day: Date,
) -> Result<Vec<BillRow>, NoBill> {
    let (mut rows, mut step) = (vec![], BillStep::Day(day));
    for _ in 0..STEPS_MAX {
        let (more, next) = match bill_step(deps, (gateway, bills), &step).await {
            BillOutcome::Read { rows, next } => (rows, next),
            BillOutcome::NotReady(refusal) => return Err(NoBill::NotReady { day, refusal }),
            BillOutcome::Unknown(refusal) => return Err(NoBill::Unusable { day, refusal }),
        };
        rows.extend(more);
        if rows.len() > BILL_ROWS_MAX {
            break;
        }
        match next {
            Some(next) => step = next,
            None => return Ok(rows),
        }
    }
    Err(NoBill::TooLarge { day })
}
