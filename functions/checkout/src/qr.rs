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

#[cfg(test)]
mod tests {
    use super::*;

    /// The picture's modules, dark ones `true`, read from its path and nothing else.
    fn modules(svg: &str) -> Vec<Vec<bool>> {
        let (_, size) = svg.split_once("viewBox=\"0 0 ").unwrap();
        let size: usize = size.split(' ').next().unwrap().parse().unwrap();
        let (_, path) = svg.split_once("fill=\"#000\" d=\"").unwrap();
        let mut modules = vec![vec![false; size]; size];
        for run in path.split('"').next().unwrap().split('M').skip(1) {
            let numbers: Vec<usize> = run
                .split(|letter: char| !letter.is_ascii_digit())
                .filter_map(|number| number.parse().ok())
                .collect();
            let [x, y, length, ..] = numbers[..] else { panic!("{run}") };
            modules[y][x..x.saturating_add(length)].fill(true);
        }
        modules
    }

    /// What a scanner reads off a picture of some pixels for each module.
    fn scanned(svg: &str) -> String {
        const PIXELS: usize = 4;
        let modules = modules(svg);
        let side = modules.len().saturating_mul(PIXELS);
        let shade = |x: usize, y: usize| if modules[y / PIXELS][x / PIXELS] { 0 } else { 255 };
        let mut image = rqrr::PreparedImage::prepare_from_greyscale(side, side, shade);
        let grids = image.detect_grids();
        let [grid] = grids.as_slice() else { panic!("{} codes", grids.len()) };
        grid.decode().unwrap().1
    }

    fn drawn(code: &str) -> String {
        String::from_utf8(picture(code).unwrap().into_body().to_vec()).unwrap()
    }

    #[test]
    fn a_scanner_reads_what_was_drawn() {
        for code in [
            "weixin://wxpay/bizpayurl?pr=gvu58z21z1",
            "https://qr.alipay.com/bax03431ljhokirwl38f00a7",
            "A",
            "0123456789",
            "预定 & <code> \"é\"",
            &format!("https://checkout.stripe.com/c/pay/cs_live_{}", "a1B2".repeat(90)),
            &"x".repeat(CODE_LEN_MAX),
        ] {
            assert_eq!(scanned(&drawn(code)), code);
        }
    }

    #[test]
    fn a_code_has_a_light_border_of_four_modules() {
        let modules = modules(&drawn("weixin://wxpay/bizpayurl?pr=gvu58z21z1"));
        let last = modules.len() - 1;
        for (y, row) in modules.iter().enumerate() {
            for (x, dark) in row.iter().enumerate() {
                let distance = [x, y, last - x, last - y].into_iter().min().unwrap();
                assert!(distance >= 4 || !dark, "({x}, {y}) is dark");
            }
        }
        // The corners of the finder patterns touch the border.
        assert!(modules[4][4] && modules[4][last - 4] && modules[last - 4][4]);
    }

    #[test]
    fn a_code_has_a_longest_and_is_not_empty() {
        for (code, fits) in [
            (String::new(), false),
            ("a".repeat(CODE_LEN_MAX), true),
            ("a".repeat(CODE_LEN_MAX + 1), false),
        ] {
            assert_eq!(picture(&code).is_ok(), fits, "{} bytes", code.len());
        }
    }
}
