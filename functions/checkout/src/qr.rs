//! QR codes as pictures.

use std::fmt::Write;

use api::problem::Problem;
use api::respond::{Answer, svg};
use qrcodegen::{QrCode, QrCodeEcc};

/// The longest code that is drawn, in bytes; the longest that a gateway gives is a page's address.
/// A QR code of that length can still be read from a screen by a phone.
const CODE_LEN_MAX: usize = 1_024;
/// The light border around a code, in modules (ISO/IEC 18004, 5.3.8 wants four).
const QUIET_ZONE: i32 = 4;

/// A code as a picture, dark on light whatever the page's colours are, because not every wallet
/// reads it the other way round.
///
/// # Errors
/// [`Problem::InvalidRequest`] for a code of no or too many characters.
pub(crate) fn picture(code: &str) -> Result<Answer, Problem> {
    let rule = || Problem::invalid("code", format!("1 to {CODE_LEN_MAX} bytes"));
    if !(1..=CODE_LEN_MAX).contains(&code.len()) {
        return Err(rule());
    }
    let drawn = QrCode::encode_text(code, QrCodeEcc::Medium).map_err(|_| rule())?;
    Ok(svg(document(&drawn)))
}

fn document(code: &QrCode) -> String {
    let size = code.size().saturating_add(QUIET_ZONE.saturating_mul(2));
    let mut path = String::new();
    for y in 0..code.size() {
        for (x, length) in runs(code, y) {
            let (x, y) = (x.saturating_add(QUIET_ZONE), y.saturating_add(QUIET_ZONE));
            // Writing to a text cannot fail.
            let _ = write!(path, "M{x} {y}h{length}v1h-{length}z");
        }
    }
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {size} {size}\" \
         shape-rendering=\"crispEdges\"><path fill=\"#fff\" d=\"M0 0h{size}v{size}H0z\"/>\
         <path fill=\"#000\" d=\"{path}\"/></svg>"
    )
}

/// The dark modules of a row that stand side by side: where they begin and how many they are.
fn runs(code: &QrCode, y: i32) -> Vec<(i32, i32)> {
    let mut runs: Vec<(i32, i32)> = vec![];
    for x in (0..code.size()).filter(|x| code.get_module(*x, y)) {
        match runs.last_mut() {
            Some((start, length)) if start.saturating_add(*length) == x => {
                *length = length.saturating_add(1);
            }
            Some(_) | None => runs.push((x, 1)),
        }
    }
    runs
}
