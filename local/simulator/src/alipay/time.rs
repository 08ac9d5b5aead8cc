//! Times as Alipay writes them: Beijing time, whole seconds unless said otherwise.

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::Offset;

const TEMPLATE: &[u8] = b"0000-00-00 00:00:00";

/// Eight hours ahead of UTC, all year.
pub(super) const BEIJING: Offset = Offset::constant(8);

/// `yyyy-MM-dd HH:mm:ss`.
pub(super) fn beijing(at: Timestamp) -> String {
    written(at, "%Y-%m-%d %H:%M:%S")
}

/// `yyyy-MM-dd HH:mm:ss.SSS`, as refunds are dated in notifications.
pub(super) fn beijing_milliseconds(at: Timestamp) -> String {
    written(at, "%Y-%m-%d %H:%M:%S%.3f")
}

/// `yyyyMMdd`, as trades are numbered.
pub(super) fn beijing_date(at: Timestamp) -> String {
    written(at, "%Y%m%d")
}

/// Reads a time that is written exactly so, without fraction or offset.
pub(super) fn parse(text: &str) -> Option<Timestamp> {
    let fits = |(byte, template): (&u8, &u8)| match template {
        b'0' => byte.is_ascii_digit(),
        _ => byte == template,
    };
    let well_formed =
        text.len() == TEMPLATE.len() && text.as_bytes().iter().zip(TEMPLATE).all(fits);
    let at: DateTime = well_formed.then(|| text.parse().ok()).flatten()?;
    BEIJING.to_timestamp(at).ok()
}

/// The next midnight in Beijing.
pub(super) fn midnight(now: Timestamp) -> Option<Timestamp> {
    let tomorrow = BEIJING.to_datetime(now).date().tomorrow().ok()?;
    BEIJING.to_timestamp(tomorrow.at(0, 0, 0, 0)).ok()
}

fn written(at: Timestamp, format: &str) -> String {
    BEIJING.to_datetime(at).strftime(format).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn times_are_written_and_read_in_beijing_time() {
        let fraction = at("2026-01-01T16:00:00.9Z");
        assert_eq!(beijing(fraction), "2026-01-02 00:00:00");
        assert_eq!(beijing_milliseconds(fraction), "2026-01-02 00:00:00.900");
        assert_eq!(beijing_date(fraction), "20260102");
        assert_eq!(parse("2026-01-02 00:00:00"), Some(at("2026-01-01T16:00:00Z")));
    }

    #[test]
    fn another_form_of_time_is_refused() {
        for text in [
            "2026-01-01T08:00:00",
            "2026-01-01 08:00:00.0",
            "2026-01-01 08:00",
            "2026-01-01 08:00:00Z",
            "2026-13-01 08:00:00",
            "2026-1-01 08:00:00",
            "",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }

    #[test]
    fn midnight_is_that_of_beijing() {
        for (now, next) in [
            ("2026-01-01T15:59:59Z", "2026-01-01T16:00:00Z"),
            ("2026-01-01T16:00:00Z", "2026-01-02T16:00:00Z"),
        ] {
            assert_eq!(midnight(at(now)), Some(at(next)));
        }
    }
}
