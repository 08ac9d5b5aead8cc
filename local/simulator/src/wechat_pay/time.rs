//! Times as WeChat Pay writes them: Beijing time, whole seconds.

use jiff::Timestamp;
use jiff::tz::Offset;

const TEMPLATE: &[u8] = b"0000-00-00T00:00:00+00:00";

/// `YYYY-MM-DDTHH:mm:ss+08:00`.
pub(super) fn beijing(at: Timestamp) -> String {
    Offset::constant(8).to_datetime(at).strftime("%Y-%m-%dT%H:%M:%S+08:00").to_string()
}

/// `YYYY-MM-DD HH:mm:ss`, as bills write it.
pub(super) fn beijing_moment(at: Timestamp) -> String {
    Offset::constant(8).to_datetime(at).strftime("%Y-%m-%d %H:%M:%S").to_string()
}

/// `YYYYMMDD`, as ids carry it.
pub(super) fn beijing_date(at: Timestamp) -> String {
    Offset::constant(8).to_datetime(at).strftime("%Y%m%d").to_string()
}

/// Reads a time that is written exactly so; neither fractions nor `Z` are accepted.
pub(super) fn parse(text: &str) -> Option<Timestamp> {
    let fits = |(byte, template): (&u8, &u8)| match template {
        b'0' => byte.is_ascii_digit(),
        b'+' => matches!(byte, b'+' | b'-'),
        _ => byte == template,
    };
    let well_formed =
        text.len() == TEMPLATE.len() && text.as_bytes().iter().zip(TEMPLATE).all(fits);
    well_formed.then(|| text.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_and_read_in_beijing_time() {
        let at: Timestamp = "2026-01-01T00:00:00.9Z".parse().unwrap();
        assert_eq!(beijing(at), "2026-01-01T08:00:00+08:00");
        assert_eq!(beijing_date(at), "20260101");
        assert_eq!(
            parse("2026-01-01T08:00:00+08:00"),
            Some("2026-01-01T00:00:00Z".parse().unwrap())
        );
    }

    #[test]
    fn another_form_of_time_is_refused() {
        for text in [
            "2026-01-01T00:00:00Z",
            "2026-01-01T08:00:00.000+08:00",
            "2026-01-01 08:00:00+08:00",
            "2026-01-01T08:00:00+0800",
            "2026-13-01T08:00:00+08:00",
            "20260101080000",
            "",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
