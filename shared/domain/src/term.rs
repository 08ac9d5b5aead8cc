//! Calendar arithmetic: from a start and a quantity to an end.

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Span, Timestamp};

use crate::booking::Pins;
use crate::product::Unit;

/// The end of a term of `quantity` units from `starts_at`; `None` past the calendar's end.
///
/// Always from the start, so that clamped month ends do not add up: 31 January and two months
/// is 31 March. Days and months are the zone's own, whatever its clocks do in between; an hour
/// is 3,600 seconds.
#[must_use]
pub fn valid_until(starts_at: Timestamp, quantity: u32, pins: &Pins) -> Option<Timestamp> {
    let hours = || starts_at.checked_add(SignedDuration::from_hours(i64::from(quantity))).ok();
    let span = match pins.unit {
        Unit::Hour => return hours(),
        Unit::Day => Span::new().try_days(quantity).ok()?,
        Unit::Month => Span::new().try_months(quantity).ok()?,
    };
    let zone = TimeZone::get(&pins.time_zone).ok()?;
    Some(starts_at.to_zoned(zone).checked_add(span).ok()?.timestamp())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::money::Currency;

    fn check(unit: Unit, time_zone: &str, starts_at: &str, cases: &[(u32, &str)]) {
        let pins = Pins {
            unit,
            time_zone: time_zone.to_owned(),
            currency: Currency::parse("CNY").unwrap(),
            max_renewals: 0,
        };
        for (quantity, end) in cases {
            let got = valid_until(starts_at.parse().unwrap(), *quantity, &pins);
            assert_eq!(got, Some(end.parse().unwrap()), "{starts_at} + {quantity} {unit:?}");
        }
    }

    #[test]
    fn month_ends_are_clamped_from_the_start_and_do_not_add_up() {
        check(
            Unit::Month,
            "Asia/Shanghai",
            "2026-01-31T10:00:00+08:00",
            &[
                (1, "2026-02-28T10:00:00+08:00"),
                (2, "2026-03-31T10:00:00+08:00"),
                (3, "2026-04-30T10:00:00+08:00"),
                (25, "2028-02-29T10:00:00+08:00"),
            ],
        );
    }

    #[test]
    fn the_month_is_that_of_the_zone_and_not_of_utc() {
        // 31 January in Shanghai is still 30 January in UTC.
        check(Unit::Month, "Asia/Shanghai", "2026-01-30T17:00:00Z", &[(1, "2026-02-27T17:00:00Z")]);
    }

    #[test]
    fn a_day_keeps_the_wall_clock_through_clock_changes_and_an_hour_does_not() {
        let (before_spring, before_autumn) =
            ("2026-03-28T12:00:00+01:00", "2026-10-24T12:00:00+02:00");
        check(Unit::Day, "Europe/Berlin", before_spring, &[(1, "2026-03-29T12:00:00+02:00")]);
        check(Unit::Day, "Europe/Berlin", before_autumn, &[(1, "2026-10-25T12:00:00+01:00")]);
        check(Unit::Hour, "Europe/Berlin", before_spring, &[(24, "2026-03-29T13:00:00+02:00")]);
        check(Unit::Hour, "Europe/Berlin", before_autumn, &[(24, "2026-10-25T11:00:00+01:00")]);
    }

    #[test]
    fn a_wall_clock_time_that_does_not_exist_moves_past_the_gap() {
        // 02:30 is skipped on 29 March 2026 in Berlin.
        check(
            Unit::Day,
            "Europe/Berlin",
            "2026-03-28T02:30:00+01:00",
            &[(1, "2026-03-29T03:30:00+02:00"), (2, "2026-03-30T02:30:00+02:00")],
        );
    }

    #[test]
    fn past_the_calendar_there_is_no_end() {
        let pins = Pins {
            unit: Unit::Month,
            time_zone: "UTC".to_owned(),
            currency: Currency::parse("CNY").unwrap(),
            max_renewals: 0,
        };
        assert_eq!(valid_until("2026-01-01T00:00:00Z".parse().unwrap(), 2_000_000, &pins), None);
    }
}
