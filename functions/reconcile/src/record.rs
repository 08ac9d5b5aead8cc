//! Passing all that is recorded by the bills, once for all of them.

use api::problem::Problem;
use domain::reconcile::Comparison;
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use runtime::deps::Deps;
use store::captures::{CapturesPage, CapturesStart, SEGMENTS};
use store::error::StoreError;

/// How many pages of a segment are read: 1 MB each of what the table holds.
const PAGES_MAX: u32 = 250_000;

/// A page that was asked for, and whose segment it is.
struct Asked {
    segment: u32,
    pages: u32,
    page: Result<CapturesPage, StoreError>,
}

/// Shows every order and all unmatched money to each comparison. One page of each segment is held
/// at a time.
///
/// # Errors
/// [`Problem::StoreUnavailable`] if a page cannot be read: half the record proves nothing.
pub(crate) async fn show(deps: &Deps, comparisons: &mut [Comparison<'_>]) -> Result<(), Problem> {
    let mut asked: FuturesUnordered<_> =
        (0..SEGMENTS).map(|segment| ask(deps, segment, 1, None)).collect();
    while let Some(Asked { segment, pages, page }) = asked.next().await {
        let page = page?;
        for comparison in comparisons.iter_mut() {
            for (booking_key, order) in &page.orders {
                comparison.see_order(booking_key, order);
            }
            for unmatched in &page.unmatched {
                comparison.see_unmatched(unmatched);
            }
        }
        if let Some(next) = page.next {
            if pages >= PAGES_MAX {
                return Err(Problem::Internal("the table is too large to be compared".to_owned()));
            }
            asked.push(ask(deps, segment, pages.saturating_add(1), Some(next)));
        }
    }
    Ok(())
}

async fn ask(deps: &Deps, segment: u32, pages: u32, from: Option<CapturesStart>) -> Asked {
    Asked { segment, pages, page: deps.store.captures_page(segment, from).await }
}
