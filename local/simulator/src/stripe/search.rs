//! Searching PaymentIntents: only what has become searchable is found.
//!
//! <https://docs.stripe.com/search> (read 2026-11-24). Of the query language this server knows
//! exact matches of metadata, status and currency, joined by AND.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::book::Intent;
use super::currency;
use super::form::Form;
use super::list::take_limit;
use super::objects::{self, Expansion};
use super::refusal::Refusal;
use crate::ledger::Ledger;

const EXPANDABLE: [&str; 1] = ["data.latest_charge"];

/// How many clauses a query may have.
const CLAUSES_MAX: usize = 10;

/// One thing that a found object has.
#[derive(Debug, PartialEq, Eq)]
enum Clause {
    Metadata { key: String, value: String },
    Status(String),
    Currency(String),
}

/// What a search is asked for.
pub(super) struct Search {
    clauses: Vec<Clause>,
    limit: usize,
    /// How many results earlier pages had.
    skipped: usize,
    expansion: Expansion,
}

impl Search {
    /// <https://docs.stripe.com/api/payment_intents/search> (read 2026-11-24).
    pub(super) fn read(mut form: Form) -> Result<Self, Refusal> {
        let query = form.text("query")?;
        let limit = take_limit(&mut form)?;
        let page = form.integer("page")?.unwrap_or_default();
        let expansion = Expansion::take(&mut form, &EXPANDABLE)?.below("data");
        form.finish()?;
        let query = query.ok_or_else(|| Refusal::missing("query"))?;
        let unreadable = || {
            let message = "We were unable to parse your search query.";
            Refusal::invalid(message).param("query")
        };
        let clauses = parse(&query).ok_or_else(unreadable)?;
        let skipped = usize::try_from(page).unwrap_or(usize::MAX);
        Ok(Self { clauses, limit, skipped, expansion })
    }

    /// What is found now, the newest first.
    pub(super) fn answer(&self, ledger: &Ledger, now: Timestamp) -> Value {
        let searchable = ledger.stripe().intents().filter(|intent| intent.searchable_at <= now);
        let mut found: Vec<&Intent> =
            searchable.filter(|intent| self.clauses.iter().all(|it| it.holds(intent))).collect();
        found.reverse();
        let end = self.skipped.saturating_add(self.limit);
        let has_more = end < found.len();
        let page = found.into_iter().skip(self.skipped).take(self.limit);
        let shown = page.map(|intent| objects::expanded_intent(ledger, intent, &self.expansion));
        json!({
            "object": "search_result",
            "url": "/v1/payment_intents/search",
            "has_more": has_more,
            "next_page": has_more.then(|| end.to_string()),
            "data": shown.collect::<Vec<_>>(),
        })
    }
}

impl Clause {
    fn holds(&self, intent: &Intent) -> bool {
        match self {
            Self::Metadata { key, value } => intent.metadata.get(key) == Some(value),
            Self::Status(status) => objects::intent_status(intent.status) == status,
            Self::Currency(name) => currency::wire(&intent.amount.currency) == *name,
        }
    }
}

/// `field:'value' AND metadata['key']:'value'`, in either kind of quotes.
fn parse(query: &str) -> Option<Vec<Clause>> {
    let mut clauses = Vec::new();
    let mut rest = query.trim();
    for _ in 0..CLAUSES_MAX {
        let (clause, after) = clause(rest)?;
        clauses.push(clause);
        if after.is_empty() {
            return Some(clauses);
        }
        let joined = after.strip_prefix(" AND ").or_else(|| after.strip_prefix(" and "));
        rest = joined?.trim_start();
    }
    None
}

fn clause(text: &str) -> Option<(Clause, &str)> {
    if let Some(rest) = text.strip_prefix("metadata[") {
        let (key, rest) = quoted(rest)?;
        let (value, rest) = quoted(rest.strip_prefix("]:")?)?;
        return Some((Clause::Metadata { key, value }, rest));
    }
    let (field, rest) = text.split_once(':')?;
    let (value, rest) = quoted(rest)?;
    match field {
        "status" => Some((Clause::Status(value), rest)),
        "currency" => Some((Clause::Currency(value), rest)),
        _ => None,
    }
}

/// A quoted text, in which a backslash takes the next letter as it is; and what follows it.
fn quoted(text: &str) -> Option<(String, &str)> {
    let quote = text.chars().next().filter(|letter| matches!(letter, '\'' | '"'))?;
    let inner = text.strip_prefix(quote)?;
    let mut value = String::new();
    let mut letters = inner.char_indices();
    while let Some((position, letter)) = letters.next() {
        match letter {
            '\\' => value.push(letters.next()?.1),
            letter if letter == quote => {
                let rest = inner.get(position..)?.strip_prefix(quote)?;
                return Some((value, rest));
            }
            letter => value.push(letter),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_names_what_is_searched_for() {
        let metadata = |key: &str, value: &str| Clause::Metadata {
            key: key.to_owned(),
            value: value.to_owned(),
        };
        for (query, clauses) in [
            ("metadata['payment_id']:'a'", vec![metadata("payment_id", "a")]),
            ("metadata[\"k\"]:\"it's\"", vec![metadata("k", "it's")]),
            (r"metadata['k']:'it\'s'", vec![metadata("k", "it's")]),
            (
                "status:'succeeded' AND metadata['k']:'v'",
                vec![Clause::Status("succeeded".to_owned()), metadata("k", "v")],
            ),
            ("currency:'cny'", vec![Clause::Currency("cny".to_owned())]),
        ] {
            assert_eq!(parse(query), Some(clauses), "{query}");
        }
    }

    #[test]
    fn a_query_that_cannot_be_read_is_refused() {
        for query in [
            "",
            "a",
            "amount>5",
            "metadata[k]:'v'",
            "metadata['k']:v",
            "metadata['k':'v'",
            "metadata['k']:'v",
            "metadata['k']:'v' OR status:'x'",
            "metadata['k']:'v' AND",
            "name:'x'",
            &["status:'a'"; 11].join(" AND "),
        ] {
            assert_eq!(parse(query), None, "{query}");
        }
        assert!(parse(&["status:'a'"; 10].join(" AND ")).is_some());
    }
}
