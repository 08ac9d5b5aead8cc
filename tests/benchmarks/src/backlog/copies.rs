//! Many voided orders out of one.

use serde_json::{Value, json};
use store::schema::{DUE_AT, DUE_SHARD, DUE_SHARDS, SK, TASK};
use tests::history::stored_in;
use tests::{Window, World};

use crate::side_by_side::{import_all, shared_out};

/// How many digits of each id tell copies apart.
const DIGITS: usize = 8;
/// Odd, so that numbers and their products with it stand for each other, and neighbours end up far
/// apart in every shard, as the digits of an HMAC do. From Knuth, The Art of Computer Programming,
/// volume 3, section 6.4.
const SCATTER: u32 = 2_654_435_761;

/// A booking with a voided code, as it is stored.
#[derive(Clone, Debug)]
pub struct Model {
    /// What is copied, as text: the booking, its voided order and the task to close the code.
    items: Vec<String>,
    /// The ids in it that every copy has its own of, and where their digits begin.
    ids: Vec<(String, usize)>,
    /// What Stripe calls the payment.
    pub session: String,
    /// When its task was due, in milliseconds since 1970.
    due_at_ms: i64,
}

impl Model {
    /// The booking of a window whose code was just voided.
    ///
    /// # Panics
    /// If it is no such booking.
    pub fn of(world: &World, window: &Window) -> Self {
        let stored = items(world, window.booking_id().key());
        let copied =
            |sk: &str| ["summary", "order#", "task#close#"].iter().any(|it| sk.starts_with(it));
        let stored: Vec<Value> =
            stored.into_iter().filter(|item| copied(item[SK]["S"].as_str().unwrap())).collect();
        let [order, booking, task] = stored.as_slice() else { panic!("{stored:?}") };
        let payment = &order["payments"]["L"][0]["M"];
        let text = |value: &Value| value["S"].as_str().unwrap().to_owned();
        let session = text(&payment["gateway_ref"]);
        let ids = vec![
            (window.booking_id().key().to_owned(), 0),
            (text(&order["order_id"]), 0),
            (text(&booking["live_order"]["M"]["order_id"]), 0),
            (text(&payment["payment_id"]), 0),
            (session.clone(), session.rfind('_').unwrap() + 1),
        ];
        let due_at_ms = task[DUE_AT]["N"].as_str().unwrap().parse().unwrap();
        let items = stored.iter().map(Value::to_string).collect();
        Self { items, ids, session, due_at_ms }
    }

    /// The text with the ids of a copy in place of the model's.
    #[must_use]
    pub fn renumbered(&self, text: &str, number: u32) -> String {
        let digits = format!("{:08x}", number.wrapping_mul(SCATTER));
        self.ids.iter().fold(text.to_owned(), |text, (id, from)| {
            let mut own = id.clone();
            own.replace_range(*from..from + DIGITS, &digits);
            text.replace(id, &own)
        })
    }

    /// The number of the copy that Stripe knows under this name; `None` for the model itself.
    #[must_use]
    pub fn number_of(&self, session: &str) -> Option<u32> {
        let from = self.session.rfind('_').unwrap() + 1;
        let digits = session.get(from..from + DIGITS)?;
        // What undoes the multiplication, by Newton's iteration.
        let inverse = (0..5)
            .fold(SCATTER, |it, _| it.wrapping_mul(2_u32.wrapping_sub(SCATTER.wrapping_mul(it))));
        let number = u32::from_str_radix(digits, 16).ok()?.wrapping_mul(inverse);
        (session != self.session).then_some(number)
    }

    /// Puts so many copies into the store, whose tasks are due in the order of their numbers.
    ///
    /// # Panics
    /// If the store refuses them.
    pub fn add_copies(&self, world: &World, count: u32) {
        import_all(world, count, |number| {
            let earlier_ms = i64::from(count - number);
            self.items.iter().map(move |item| self.copy(item, number, earlier_ms))
        });
    }

    fn copy(&self, item: &str, number: u32, earlier_ms: i64) -> Value {
        let mut item: Value = serde_json::from_str(&self.renumbered(item, number)).unwrap();
        if item[SK]["S"].as_str().unwrap().starts_with(TASK) {
            let shard = number.wrapping_mul(SCATTER) % DUE_SHARDS;
            item[DUE_SHARD]["S"] = json!(format!("due#{shard}"));
            item[DUE_AT]["N"] = json!((self.due_at_ms - earlier_ms).to_string());
        }
        item
    }

    /// How many tasks wait for a person, after all of them were done.
    ///
    /// # Panics
    /// If one is left, or a code is not stored as closed.
    #[must_use]
    pub fn raised_when_all_closed(&self, world: &World, count: u32) -> usize {
        let (key, _) = &self.ids[0];
        let raised = shared_out(count, |numbers| {
            let copies = numbers.flat_map(|number| items(world, &self.renumbered(key, number)));
            copies.filter(is_raised).count()
        });
        raised.into_iter().sum()
    }
}

/// Whether an item waits for a person.
fn is_raised(item: &Value) -> bool {
    let sk = item[SK]["S"].as_str().unwrap();
    let payment = &item["payments"]["L"][0]["M"];
    assert!(!sk.starts_with(TASK), "{item}");
    assert!(!sk.starts_with("order#") || payment["status"]["S"] == "closed", "{item}");
    sk.starts_with("attention#")
}

/// All items of a booking.
fn items(world: &World, key: &str) -> Vec<Value> {
    stored_in(world, &format!("booking#{key}"))
}
