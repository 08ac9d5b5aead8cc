//! Lists: the newest first, a page at a time.
//!
//! <https://docs.stripe.com/api/pagination> (read 2026-11-24).

use jiff::Timestamp;
use serde_json::{Value, json};

use super::form::Form;
use super::refusal::Refusal;

const LIMIT: i64 = 10;
const LIMIT_MAX: i64 = 100;

/// Which part of a list is asked for.
#[derive(Debug)]
pub(super) struct Page {
    limit: usize,
    starting_after: Option<String>,
    ending_before: Option<String>,
}

/// When the objects of a list were created, in Unix seconds; both ends count.
#[derive(Debug, Default)]
pub(super) struct Created {
    from: Option<i64>,
    to: Option<i64>,
}

/// How many objects a page has.
pub(super) fn take_limit(form: &mut Form) -> Result<usize, Refusal> {
    let limit = form.integer("limit")?.unwrap_or(LIMIT);
    if !(1..=LIMIT_MAX).contains(&limit) {
        let message = format!("Invalid limit: must be between 1 and {LIMIT_MAX}");
        return Err(Refusal::invalid(message).code("parameter_invalid_integer").param("limit"));
    }
    Ok(limit.unsigned_abs() as usize)
}

impl Page {
    pub(super) fn take(form: &mut Form) -> Result<Self, Refusal> {
        let limit = take_limit(form)?;
        let starting_after = form.text("starting_after")?;
        let ending_before = form.text("ending_before")?;
        if starting_after.is_some() && ending_before.is_some() {
            let message = "You may only specify one of these parameters: ending_before, \
                           starting_after.";
            return Err(Refusal::invalid(message));
        }
        Ok(Self { limit, starting_after, ending_before })
    }

    /// Cuts the page out of the whole list, the newest first; each object has its `id`.
    pub(super) fn cut(&self, url: &str, kind: &str, all: Vec<Value>) -> Result<Value, Refusal> {
        let position = |id: &String, param: &str| {
            let found = all.iter().position(|object| object.get("id") == Some(&json!(id)));
            found.ok_or_else(|| Refusal::no_such_parameter(kind, id, param))
        };
        let (start, end) = match (&self.starting_after, &self.ending_before) {
            (Some(id), _) => {
                let start = position(id, "starting_after")?.saturating_add(1);
                (start, start.saturating_add(self.limit).min(all.len()))
            }
            (None, Some(id)) => {
                let end = position(id, "ending_before")?;
                (end.saturating_sub(self.limit), end)
            }
            (None, None) => (0, self.limit.min(all.len())),
        };
        let has_more = if self.ending_before.is_some() { start > 0 } else { end < all.len() };
        let page: Vec<Value> =
            all.into_iter().skip(start).take(end.saturating_sub(start)).collect();
        Ok(json!({ "object": "list", "url": url, "has_more": has_more, "data": page }))
    }
}

impl Created {
    pub(super) fn take(form: &mut Form) -> Result<Self, Refusal> {
        let mut created = form.nested("created")?;
        let (gte, gt) = (created.integer("gte")?, created.integer("gt")?);
        let (lte, lt) = (created.integer("lte")?, created.integer("lt")?);
        created.finish()?;
        let from = gte.max(gt.map(|gt| gt.saturating_add(1)));
        let to = [lte, lt.map(|lt| lt.saturating_sub(1))].into_iter().flatten().min();
        Ok(Self { from, to })
    }

    pub(super) fn holds(&self, at: Timestamp) -> bool {
        let at = at.as_second();
        self.from.is_none_or(|from| from <= at) && self.to.is_none_or(|to| at <= to)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stripe::form;

    fn cut(query: &str) -> Result<(Vec<i64>, bool), Refusal> {
        let mut form = Form::new(&form::pairs(query.as_bytes())?)?;
        let all = (0..5).map(|id| json!({ "id": id.to_string(), "n": id })).collect();
        let page = Page::take(&mut form)?.cut("/v1/refunds", "refund", all)?;
        let ids = page["data"].as_array().unwrap().iter().map(|object| object["n"].as_i64());
        Ok((ids.map(Option::unwrap).collect(), page["has_more"] == true))
    }

    #[test]
    fn a_page_goes_on_after_an_object_or_back_before_one() {
        for (query, ids, has_more) in [
            ("", vec![0, 1, 2, 3, 4], false),
            ("limit=4", vec![0, 1, 2, 3], true),
            ("limit=5", vec![0, 1, 2, 3, 4], false),
            ("limit=2&starting_after=1", vec![2, 3], true),
            ("limit=2&starting_after=2", vec![3, 4], false),
            ("starting_after=4", vec![], false),
            ("limit=2&ending_before=3", vec![1, 2], true),
            ("limit=2&ending_before=2", vec![0, 1], false),
            ("ending_before=0", vec![], false),
        ] {
            assert_eq!(cut(query), Ok((ids, has_more)), "{query}");
        }
    }

    #[test]
    fn a_page_has_one_to_a_hundred_objects_and_one_side() {
        for (query, accepted) in [
            ("limit=0", false),
            ("limit=1", true),
            ("limit=100", true),
            ("limit=101", false),
            ("starting_after=9", false),
            ("starting_after=1&ending_before=2", false),
        ] {
            assert_eq!(cut(query).is_ok(), accepted, "{query}");
        }
    }

    #[test]
    fn a_time_of_creation_has_two_open_or_closed_ends() {
        for (query, first, last) in [
            ("created[gte]=5&created[lte]=7", 5, 7),
            ("created[gt]=5&created[lt]=7", 6, 6),
            ("created[gte]=5&created[lt]=7", 5, 6),
        ] {
            let mut form = Form::new(&form::pairs(query.as_bytes()).unwrap()).unwrap();
            let created = Created::take(&mut form).unwrap();
            let held: Vec<i64> = (0..10)
                .filter(|second| created.holds(Timestamp::from_second(*second).unwrap()))
                .collect();
            assert_eq!((held.first(), held.last()), (Some(&first), Some(&last)), "{query}");
        }
    }
}
