//! Beijing time, which China's gateways write and read.

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::Offset;

/// Eight hours ahead of UTC, all year.
pub(crate) const BEIJING: Offset = Offset::constant(8);

/// Date and time in whole seconds, with `separator` between them.
pub(crate) fn text(at: Timestamp, separator: char) -> String {
    let local = BEIJING.to_datetime(at);
    format!(
        "{:04}-{:02}-{:02}{separator}{:02}:{:02}:{:02}",
        local.year(),
        local.month(),
        local.day(),
        local.hour(),
        local.minute(),
        local.second()
    )
}

/// The instant of `yyyy-MM-dd HH:mm:ss`; `None` if it is anything else.
pub(crate) fn instant(written: &str) -> Option<Timestamp> {
    let local = DateTime::strptime("%Y-%m-%d %H:%M:%S", written).ok()?;
    let at = BEIJING.to_timestamp(local).ok()?;
    // Parsing alone would take signs, missing digits, spaces anywhere and a sixtieth second.
    (text(at, ' ') == written).then_some(at)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_instant_is_read_in_beijing_time_and_only_with_all_its_digits() {
        let read = instant("2026-11-23 23:59:59").unwrap();
        assert_eq!(read.to_string(), "2026-11-23T15:59:59Z");
        for text in [
            "2026-11-23",
            "2026-11-23 23:59",
            "2026-11-23 24:00:00",
            "2026-02-30 00:00:00",
            "2026-11-23T23:59:59",
            "2026-1-23 23:59:59",
            "2026-1-23 23:59:59 ",
            "",
        ] {
            assert_eq!(instant(text), None, "{text:?}");
        }
    }
}
