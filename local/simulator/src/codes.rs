//! The codes that there are to scan, as a wallet sees them.

use jiff::Timestamp;
use serde::Serialize;

use crate::ledger::{Code, Gateway, Money, Payment};
use crate::problem::Problem;
use crate::state::{Shared, State};
use crate::{stripe, wallet};

/// How many codes are shown.
const CODES_MAX: usize = 50;

/// The newest codes.
#[derive(Serialize)]
pub(crate) struct Codes {
    codes: Vec<CodeView>,
}

/// A code, and what became of its payment.
#[derive(Serialize)]
struct CodeView {
    code_url: String,
    payment_id: String,
    gateway: Gateway,
    status: CodeStatus,
    amount: Money,
    captured: Money,
    refunded: Money,
    created_at: Timestamp,
    expires_at: Timestamp,
    /// When the wallet first read it.
    scanned_at: Option<Timestamp>,
}

/// What can be done with a code.
#[derive(Serialize)]
#[serde(rename_all = "snake_case")]
enum CodeStatus {
    /// It can be paid, and no wallet has read it.
    Open,
    /// It can be paid, and a wallet has read it.
    Scanned,
    Paid,
    Closed,
    Expired,
}

/// The newest codes of all gateways, the newest first.
pub(crate) fn newest(shared: &Shared) -> Result<Codes, Problem> {
    stripe::expiry::expire_due(shared)?;
    let now = shared.now();
    let state = shared.lock();
    let all = state.ledger.payments();
    let mut coded: Vec<_> =
        all.flat_map(|it| it.codes.iter().map(move |code| (it, code))).collect();
    coded.sort_by_key(|(_, code)| std::cmp::Reverse(code.number));
    coded.truncate(CODES_MAX);
    let codes = coded.into_iter().map(|(payment, code)| view(&state, payment, code, now));
    Ok(Codes { codes: codes.collect::<Result<_, _>>()? })
}

fn view(
    state: &State,
    payment: &Payment,
    code: &Code,
    now: Timestamp,
) -> Result<CodeView, Problem> {
    let scanned_at = state.ledger.read_at(&payment.key);
    let status = match wallet::check(&state.ledger, &code.url, now) {
        Ok(()) if scanned_at.is_some() => CodeStatus::Scanned,
        Ok(()) => CodeStatus::Open,
        Err(Problem::AlreadyPaid) => CodeStatus::Paid,
        Err(Problem::CodeExpired) => CodeStatus::Expired,
        Err(Problem::CodeClosed) => CodeStatus::Closed,
        Err(other) => return Err(other),
    };
    Ok(CodeView {
        code_url: code.url.clone(),
        payment_id: payment.key.payment_id.clone(),
        gateway: payment.key.gateway,
        status,
        amount: payment.amount.clone(),
        captured: payment.captured(),
        refunded: payment.refunded(),
        created_at: payment.created_at,
        expires_at: payment.expires_at.min(code.valid_until),
        scanned_at,
    })
}
