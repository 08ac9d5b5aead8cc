//! The figures of a day, a page of the table at a time.

use api::cursor;
use api::problem::Problem;
use api::request::{Request, SCOPE_ATTENTION_WRITE};
use api::respond::{Answer, json};
use domain::figures::Figures;
use domain::reconcile::Window;
use http::StatusCode;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use runtime::deps::Deps;

use crate::view::FiguresView;

/// The zone whose days are meant unless a request names one.
const TIME_ZONE: &str = "UTC";

/// Adds up what one page of the table has of a day. The sum of all pages is the day's.
///
/// There is no index by day, and a counter that every commit wrote would be in the way of all of
/// them. So the table is read, a page a request, whoever asks and whatever it holds.
pub(crate) async fn get(deps: &Deps, request: &Request) -> Result<Answer, Problem> {
    request.require_scope(SCOPE_ATTENTION_WRITE)?;
    let zone_name = request.query_parameter("time_zone")?.unwrap_or_else(|| TIME_ZONE.to_owned());
    let zone = TimeZone::get(&zone_name)
        .map_err(|_| Problem::invalid("time_zone", "not in the IANA time zone database"))?;
    let date = date(deps, request, &zone)?;
    let window =
        Window::of_day(date, &zone).ok_or_else(|| Problem::invalid("day", "out of range"))?;
    let from = request.cursor(cursor::read)?;
    let page = deps.store.records_page(from).await?;
    let mut figures = Figures::of(window);
    page.bookings.iter().for_each(|booking| figures.see_booking(booking));
    page.orders.iter().for_each(|order| figures.see_order(order));
    page.unmatched.iter().for_each(|unmatched| figures.see_unmatched(unmatched));
    let next_cursor = page.next.as_ref().map(cursor::write);
    let view = FiguresView::of(&figures, (date, &zone_name, window), next_cursor);
    json(StatusCode::OK, &view)
}

fn date(deps: &Deps, request: &Request, zone: &TimeZone) -> Result<Date, Problem> {
    match request.query_parameter("day")? {
        Some(text) => text.parse().map_err(|_| Problem::invalid("day", "YYYY-MM-DD")),
        None => Ok(deps.now().to_zoned(zone.clone()).date()),
    }
}
