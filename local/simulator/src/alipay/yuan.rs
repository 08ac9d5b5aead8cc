//! Amounts as Alipay writes them: yuan with two decimals. Inside they are integer fen.

const FEN_A_YUAN: i64 = 100;

/// So many digits stand before the point of the largest amount, 100,000,000 yuan.
const YUAN_DIGITS_MAX: usize = 9;

/// `10.90` of 1,090 fen.
pub(super) fn written(fen: i64) -> String {
    let yuan = fen.checked_div(FEN_A_YUAN).unwrap_or_default();
    let rest = fen.checked_rem(FEN_A_YUAN).unwrap_or_default();
    format!("{yuan}.{rest:02}")
}

/// The same of fen that may be fewer than none.
pub(super) fn signed(fen: i64) -> String {
    let sign = if fen < 0 { "-" } else { "" };
    format!("{sign}{}", written(fen.saturating_abs()))
}

/// The fen of `10`, `10.9` or `10.90`; nothing for any other form.
pub(super) fn parse(text: &str) -> Option<i64> {
    let (yuan, decimals) = text.split_once('.').unwrap_or((text, "0"));
    let fits = |digits: &str, max: usize| {
        (1..=max).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit())
    };
    if !fits(yuan, YUAN_DIGITS_MAX) || !fits(decimals, 2) {
        return None;
    }
    let fen: i64 = format!("{decimals:0<2}").parse().ok()?;
    yuan.parse::<i64>().ok()?.checked_mul(FEN_A_YUAN)?.checked_add(fen)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fen_are_written_as_yuan_with_two_decimals() {
        for (fen, text) in [(0, "0.00"), (1, "0.01"), (90, "0.90"), (1_090, "10.90")] {
            assert_eq!(written(fen), text);
        }
    }

    #[test]
    fn fewer_than_no_fen_have_a_sign() {
        for (fen, text) in [(0, "0.00"), (1_090, "10.90"), (-1, "-0.01"), (-1_090, "-10.90")] {
            assert_eq!(signed(fen), text);
        }
    }

    #[test]
    fn yuan_are_read_with_at_most_two_decimals() {
        for (text, fen) in [
            ("10", Some(1_000)),
            ("10.9", Some(1_090)),
            ("10.90", Some(1_090)),
            ("0.01", Some(1)),
            ("100000000.00", Some(10_000_000_000)),
            ("1000000000", None),
            ("10.901", None),
            ("10.", None),
            (".9", None),
            ("-1", None),
            ("+1", None),
            ("1e2", None),
            ("1,000", None),
            (" 1", None),
            ("", None),
        ] {
            assert_eq!(parse(text), fen, "{text}");
        }
    }
}
