//! The tasks of all bookings.

use api::problem::Problem;
use api::request::{Request, SCOPE_ATTENTION_WRITE};
use api::respond::{Answer, json};
use futures_util::future::try_join_all;
use http::StatusCode;
use runtime::deps::Deps;
use store::index::PageStart;
use store::schema::DUE_SHARDS;

use crate::view::{TaskView, TasksView};

/// How many tasks one page lists.
pub(crate) const PAGE_LEN: usize = 20;

/// What is between the shards' places in a cursor.
const BETWEEN: char = '~';

/// Lists the tasks, the longest due first, and those that are not due yet behind them.
pub(crate) async fn list(deps: &Deps, request: &Request) -> Result<Answer, Problem> {
    request.require_scope(SCOPE_ATTENTION_WRITE)?;
    let first = || vec![None; usize::try_from(DUE_SHARDS).unwrap_or_default()];
    let starts = request.cursor(read_starts)?.unwrap_or_else(first);
    // One more than the page: whether there is one says whether there is a next page.
    let limit = PAGE_LEN.saturating_add(1);
    let reads = (0..DUE_SHARDS)
        .zip(&starts)
        .map(|(shard, from)| deps.store.task_places(shard, from.as_ref(), limit));
    let shards = try_join_all(reads).await?;
    let page = merge(starts, shards);
    let tasks = deps.store.tasks_at(&page.places).await?;
    let view = TasksView {
        tasks: tasks.iter().map(TaskView::of).collect(),
        next_cursor: page.next.as_deref().map(write_starts),
    };
    json(StatusCode::OK, &view)
}

/// A page of all shards together.
#[derive(PartialEq, Eq, Debug)]
struct Page {
    places: Vec<PageStart>,
    /// Where the next page starts in each shard; `None` on the last page.
    next: Option<Vec<Option<PageStart>>>,
}

/// Takes the first places of all shards, each of which is in order.
fn merge(mut starts: Vec<Option<PageStart>>, shards: Vec<Vec<PageStart>>) -> Page {
    let numbered = shards.into_iter().enumerate();
    let mut places: Vec<(PageStart, usize)> = numbered
        .flat_map(|(shard, places)| places.into_iter().map(move |it| (it, shard)))
        .collect();
    // Stable: a shard goes on behind its last place, in the order in which it gave them.
    places.sort_by_key(|(place, _)| place.at_ms());
    let is_last = places.len() <= PAGE_LEN;
    places.truncate(PAGE_LEN);
    for (place, shard) in &places {
        if let Some(start) = starts.get_mut(*shard) {
            *start = Some(place.clone());
        }
    }
    let places = places.into_iter().map(|(place, _)| place).collect();
    Page { places, next: (!is_last).then_some(starts) }
}

fn write_starts(starts: &[Option<PageStart>]) -> String {
    let parts = starts.iter().map(|start| start.as_ref().map(PageStart::to_text));
    let parts: Vec<String> = parts.map(Option::unwrap_or_default).collect();
    parts.join(&BETWEEN.to_string())
}

fn read_starts(text: &str) -> Option<Vec<Option<PageStart>>> {
    let parts = text.split(BETWEEN).map(|part| match part {
        "" => Some(None),
        part => PageStart::parse(part).map(Some),
    });
    let starts: Vec<Option<PageStart>> = parts.collect::<Option<_>>()?;
    // Of the first page nobody has a cursor.
    let fits = u32::try_from(starts.len()) == Ok(DUE_SHARDS) && starts.iter().any(Option::is_some);
    fits.then_some(starts)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(at_ms: usize) -> PageStart {
        let (key, id) = ("a".repeat(22), format!("{at_ms:032x}"));
        PageStart::parse(&format!("{at_ms}.{key}.close-{id}")).unwrap()
    }

    fn places(at_ms: impl IntoIterator<Item = usize>) -> Vec<PageStart> {
        at_ms.into_iter().map(place).collect()
    }

    #[test]
    fn a_page_takes_the_first_of_all_shards_and_goes_on_in_each() {
        let shards = vec![places(0..21), places([]), places((100..121).rev().take(0)), vec![]];
        let page = merge(vec![None; 4], shards);
        assert_eq!(page.places, places(0..20));
        assert_eq!(page.next, Some(vec![Some(place(19)), None, None, None]));

        let starts = vec![Some(place(19)), None, Some(place(3)), None];
        let shards = vec![places([20, 40]), places((1..40).step_by(2)), vec![], places([2])];
        let page = merge(starts, shards);
        assert_eq!(page.places.len(), PAGE_LEN);
        assert!(page.places.is_sorted_by_key(PageStart::at_ms));
        let next = vec![Some(place(20)), Some(place(35)), Some(place(3)), Some(place(2))];
        assert_eq!(page.next, Some(next));
    }

    #[test]
    fn a_full_page_is_the_last_if_nothing_is_behind_it() {
        for (len, is_last) in [(0, true), (19, true), (20, true), (21, false)] {
            let page = merge(vec![None; 4], vec![places(0..len), vec![], vec![], vec![]]);
            assert_eq!((page.places.len(), page.next.is_none()), (len.min(PAGE_LEN), is_last));
        }
    }

    #[test]
    fn a_cursor_comes_back_and_names_every_shard() {
        for starts in [
            vec![Some(place(1)), None, Some(place(2)), None],
            vec![None, None, None, Some(place(1))],
            vec![Some(place(1)); 4],
        ] {
            assert_eq!(read_starts(&write_starts(&starts)), Some(starts));
        }
        let one = place(1).to_text();
        for text in ["", "~~~", "x", &one, &format!("{one}~~"), &format!("{one}~~~~")] {
            assert_eq!(read_starts(text), None, "{text}");
        }
    }
}
