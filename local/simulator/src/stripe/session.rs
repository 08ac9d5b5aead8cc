//! Checkout Sessions: a hosted page whose address a customer pays.

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use super::book::{Change, Expired, Metadata, Session, payment_key};
use super::currency;
use super::execution::{Execution, Payable};
use super::expiry;
use super::form::Form;
use super::list::{Created, Page};
use super::objects::{self, Expansion};
use super::refusal::Refusal;
use crate::ledger::{Code, Ledger, Money};

const EXPANDABLE: [&str; 2] = ["payment_intent", "payment_intent.latest_charge"];
const EXPANDABLE_IN_LIST: [&str; 2] = ["data.payment_intent", "data.payment_intent.latest_charge"];

/// The shortest life of a session, in seconds.
const LIFE_S_MIN: i64 = 30 * 60;

/// The life of a session that asks for none; a session that asks must stay below it, in seconds.
const LIFE_S: i64 = 24 * 60 * 60;

const LINE_ITEMS_MAX: usize = 100;
const REFERENCE_LEN_MAX: usize = 200;

/// How many letters and digits follow the session's id in its address.
///
/// Real addresses carry about as many after `#`; whoever shows or stores them should see that.
const FRAGMENT_LEN: usize = 250;

/// What can be asked for by name, and what is offered where nothing is.
const METHODS: [&str; 4] = ["alipay", "card", "link", "wechat_pay"];
const METHODS_OFFERED: [&str; 2] = ["card", "alipay"];

/// A checked request for a session.
///
/// <https://docs.stripe.com/api/checkout/sessions/create> (read 2026-11-24).
pub(super) struct NewSession {
    amount: Money,
    client_reference_id: Option<String>,
    metadata: Metadata,
    intent_metadata: Metadata,
    description: Option<String>,
    success_url: String,
    cancel_url: Option<String>,
    payment_method_types: Vec<String>,
    expires_at: Timestamp,
    expansion: Expansion,
}

/// A line as it came: only its names and numbers are read yet.
struct Line {
    path: String,
    currency: Option<String>,
    unit_amount: Option<i64>,
    product_name: Option<String>,
    quantity: Option<i64>,
}

/// What a list of sessions is asked for.
pub(super) struct ListSessions {
    payment_intent: Option<String>,
    status: Option<String>,
    created: Created,
    page: Page,
    expansion: Expansion,
}

/// What an expanded reply about one session is asked for.
pub(super) fn read_expansion(mut form: Form) -> Result<Expansion, Refusal> {
    let expansion = Expansion::take(&mut form, &EXPANDABLE)?;
    form.finish()?;
    Ok(expansion)
}

impl NewSession {
    /// Unknown parameters are refused first, then missing ones, then wrong ones.
    pub(super) fn read(mut form: Form, now: Timestamp) -> Result<Self, Refusal> {
        let mode = form.choice("mode", &["payment", "setup", "subscription"])?;
        let lines: Result<Vec<Line>, _> =
            form.forms("line_items")?.into_iter().map(Line::read).collect();
        let success_url = form.text("success_url")?;
        let cancel_url = form.text("cancel_url")?;
        let client_reference_id = form.short_text("client_reference_id", REFERENCE_LEN_MAX)?;
        let metadata = form.metadata()?;
        let mut intent = form.nested("payment_intent_data")?;
        let (intent_metadata, description) = (intent.metadata()?, intent.text("description")?);
        intent.finish()?;
        let expires_at = form.integer("expires_at")?;
        let types = form.texts("payment_method_types")?;
        let client = wechat_pay_client(&mut form)?;
        let expansion = Expansion::take(&mut form, &EXPANDABLE)?;
        form.finish()?;
        let mode = mode.ok_or_else(|| Refusal::missing("mode"))?;
        if mode != "payment" {
            return Err(Refusal::invalid(format!("mode {mode} is not simulated")).param("mode"));
        }
        let amount = total(&lines?)?;
        let success_url = success_url.ok_or_else(|| Refusal::missing("success_url"))?;
        check_url(&success_url, "success_url")?;
        cancel_url.as_deref().map_or(Ok(()), |url| check_url(url, "cancel_url"))?;
        Ok(Self {
            payment_method_types: methods(types, client.as_deref(), &amount)?,
            amount,
            client_reference_id,
            metadata,
            intent_metadata,
            description,
            success_url,
            cancel_url,
            expires_at: end(expires_at, now)?,
            expansion,
        })
    }
}

impl Line {
    fn read(mut form: Form) -> Result<Self, Refusal> {
        let path = form.path().to_owned();
        let mut price = form.nested("price_data")?;
        let mut product = price.nested("product_data")?;
        let product_name = product.text("name")?;
        product.text("description")?;
        product.finish()?;
        let currency = price.text("currency")?;
        let unit_amount = price.integer("unit_amount")?;
        price.finish()?;
        let quantity = form.positive("quantity")?;
        form.finish()?;
        Ok(Self { path, currency, unit_amount, product_name, quantity })
    }

    /// The line's amount in minor units, and its currency.
    fn amount(&self) -> Result<(i64, &str), Refusal> {
        let name = |field: &str| format!("{}{field}", self.path);
        let missing = |field: &str| Refusal::missing(name(field));
        let currency = self.currency.as_deref().ok_or_else(|| missing("[price_data][currency]"))?;
        let unit = self.unit_amount.ok_or_else(|| missing("[price_data][unit_amount]"))?;
        if self.product_name.is_none() {
            return Err(missing("[price_data][product_data][name]"));
        }
        let quantity = self.quantity.ok_or_else(|| missing("[quantity]"))?;
        currency::check_name(currency, &name("[price_data][currency]"))?;
        currency::check_step(unit, currency, &name("[price_data][unit_amount]"))?;
        let too_large = || Refusal::invalid("The amount is too large").code("amount_too_large");
        Ok((unit.checked_mul(quantity).ok_or_else(too_large)?, currency))
    }
}

/// Opens a session.
pub(super) fn create(execution: &mut Execution<'_>, request: NewSession) -> Result<Value, Refusal> {
    let number = execution.state.ledger.next_number();
    let id = objects::session_id(number, &mut execution.state.random);
    let fragment = execution.state.random.alphanumerics(FRAGMENT_LEN);
    let merchants = request.client_reference_id.as_ref().or(request.metadata.get("payment_id"));
    let session = Session {
        number,
        payment: payment_key(merchants.unwrap_or(&id)),
        url: format!("https://checkout.stripe.com/c/pay/{id}#fid{fragment}"),
        id,
        amount: request.amount,
        client_reference_id: request.client_reference_id,
        metadata: request.metadata,
        intent_metadata: request.intent_metadata,
        description: request.description,
        success_url: request.success_url,
        cancel_url: request.cancel_url,
        payment_method_types: request.payment_method_types,
        created_at: execution.now,
        expires_at: request.expires_at,
        expired: None,
        tried: None,
        intents: Vec::new(),
    };
    execution.open(Payable {
        payment: &session.payment,
        amount: &session.amount,
        echo: session.metadata.get("echo"),
        expires_at: session.expires_at,
        code: Some(Code { number, url: session.url.clone(), valid_until: session.expires_at }),
    });
    execution.expire_in_time(&session);
    execution.change(Change::Session(session.clone()));
    Ok(objects::expanded_session(&execution.state.ledger, &session, &request.expansion))
}

/// Expires a session that nobody has paid.
///
/// <https://docs.stripe.com/api/checkout/sessions/expire> (read 2026-11-24).
pub(super) fn expire(
    execution: &mut Execution<'_>,
    id: &str,
    expansion: &Expansion,
) -> Result<Value, Refusal> {
    let mut session = known(&execution.state.ledger, id)?.clone();
    if !session.is_open() {
        return Err(Refusal::invalid(format!(
            "Only Checkout Sessions with a status in [\"open\"] can be expired. This Checkout \
             Session has a status of `{}`.",
            objects::session_status(&session)
        )));
    }
    let now = execution.now;
    expiry::expire(execution, &mut session, Expired::ByMerchant, now);
    Ok(objects::expanded_session(&execution.state.ledger, &session, expansion))
}

/// One session.
///
/// <https://docs.stripe.com/api/checkout/sessions/retrieve> (read 2026-11-24).
pub(super) fn retrieve(ledger: &Ledger, id: &str, form: Form) -> Result<Value, Refusal> {
    let expansion = read_expansion(form)?;
    Ok(objects::expanded_session(ledger, known(ledger, id)?, &expansion))
}

impl ListSessions {
    /// <https://docs.stripe.com/api/checkout/sessions/list> (read 2026-11-24).
    pub(super) fn read(mut form: Form) -> Result<Self, Refusal> {
        let request = Self {
            payment_intent: form.text("payment_intent")?,
            status: form.choice("status", &["complete", "expired", "open"])?,
            created: Created::take(&mut form)?,
            page: Page::take(&mut form)?,
            expansion: Expansion::take(&mut form, &EXPANDABLE_IN_LIST)?.below("data"),
        };
        form.finish()?;
        Ok(request)
    }

    /// The sessions, the newest first.
    pub(super) fn answer(&self, ledger: &Ledger) -> Result<Value, Refusal> {
        let asked = |session: &&Session| {
            let paid = self.payment_intent.as_ref();
            paid.is_none_or(|intent| session.shown_intent() == Some(intent))
                && self.status.as_ref().is_none_or(|it| objects::session_status(session) == it)
                && self.created.holds(session.created_at)
        };
        let mut found: Vec<&Session> = ledger.stripe().sessions().filter(asked).collect();
        found.reverse();
        let shown = found
            .into_iter()
            .map(|session| objects::expanded_session(ledger, session, &self.expansion));
        self.page.cut("/v1/checkout/sessions", "checkout.session", shown.collect())
    }
}

fn known<'a>(ledger: &'a Ledger, id: &str) -> Result<&'a Session, Refusal> {
    let session = ledger.stripe().session(id);
    session.ok_or_else(|| Refusal::no_such("checkout.session", id, "session"))
}

/// `payment_method_options[wechat_pay][client]`: where WeChat Pay will be shown.
///
/// <https://docs.stripe.com/payments/wechat-pay/accept-a-payment> (read 2026-11-24).
pub(super) fn wechat_pay_client(form: &mut Form) -> Result<Option<String>, Refusal> {
    let mut options = form.nested("payment_method_options")?;
    let mut wechat_pay = options.nested("wechat_pay")?;
    let client = wechat_pay.choice("client", &["web", "android", "ios"])?;
    wechat_pay.finish()?;
    options.finish()?;
    Ok(client)
}

/// The sum of all lines; each currency alike.
fn total(lines: &[Line]) -> Result<Money, Refusal> {
    if lines.is_empty() {
        return Err(Refusal::missing("line_items"));
    }
    if lines.len() > LINE_ITEMS_MAX {
        let message = format!("A Checkout Session has at most {LINE_ITEMS_MAX} line items");
        return Err(Refusal::invalid(message).param("line_items"));
    }
    let mut sum: Option<(i64, &str)> = None;
    for line in lines {
        let (amount, currency) = line.amount()?;
        let (before, first) = sum.unwrap_or((0, currency));
        if first != currency {
            let message = "All line items must have the same currency";
            return Err(Refusal::invalid(message).param("line_items"));
        }
        sum = Some((before.saturating_add(amount), currency));
    }
    let (amount, currency) = sum.ok_or_else(|| Refusal::missing("line_items"))?;
    let money = Money { amount, currency: currency::ledger(currency) };
    currency::check_charge(&money, "line_items")?;
    Ok(money)
}

/// The methods that the page offers.
fn methods(
    asked: Vec<String>,
    client: Option<&str>,
    amount: &Money,
) -> Result<Vec<String>, Refusal> {
    let currency = currency::wire(&amount.currency);
    if asked.is_empty() {
        let wechat_pay = client.map(|_| "wechat_pay");
        let offered = METHODS_OFFERED.into_iter().chain(wechat_pay);
        let taken = offered.filter(|method| currency::check_method(method, &currency).is_ok());
        return Ok(taken.map(str::to_owned).collect());
    }
    for (index, method) in asked.iter().enumerate() {
        let param = format!("payment_method_types[{index}]");
        if !METHODS.contains(&method.as_str()) {
            let message = format!("Invalid {param}: must be one of {}", METHODS.join(", "));
            return Err(Refusal::invalid(message).param(param));
        }
        currency::check_method(method, &currency)?;
    }
    if asked.iter().any(|method| method == "wechat_pay") && client != Some("web") {
        let param = "payment_method_options[wechat_pay][client]";
        return Err(Refusal::missing(param));
    }
    Ok(asked)
}

fn check_url(url: &str, param: &str) -> Result<(), Refusal> {
    let rest = url.strip_prefix("https://").or(url.strip_prefix("http://"));
    let host = rest.and_then(|rest| rest.split(['/', '?', '#']).next());
    let plain = !url.chars().any(|letter| letter.is_whitespace() || letter.is_control());
    if plain && host.is_some_and(|host| !host.is_empty()) {
        return Ok(());
    }
    Err(Refusal::invalid("Not a valid URL").code("url_invalid").param(param))
}

/// The last moment of a session, which is between 30 minutes and 24 hours from now.
fn end(asked: Option<i64>, now: Timestamp) -> Result<Timestamp, Refusal> {
    let Some(asked) = asked else {
        let default = Timestamp::from_second(now.as_second().saturating_add(LIFE_S));
        return default.map_err(|_| Refusal::broken());
    };
    let refused = |message: &str| Refusal::invalid(message).param("expires_at");
    let end = Timestamp::from_second(asked).map_err(|_| refused("Invalid timestamp"))?;
    let life = end.duration_since(now);
    if life < SignedDuration::from_secs(LIFE_S_MIN) {
        return Err(refused(
            "The `expires_at` timestamp must be at least 30 minutes from Checkout Session \
             creation.",
        ));
    }
    if life >= SignedDuration::from_secs(LIFE_S) {
        return Err(refused(
            "The `expires_at` timestamp must be less than 24 hours from Checkout Session creation.",
        ));
    }
    Ok(end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_lives_from_thirty_minutes_to_less_than_a_day() {
        let now: Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
        let later: Timestamp = "2026-01-01T00:00:00.001Z".parse().unwrap();
        for (life_s, now, accepted) in [
            (1_799, now, false),
            (1_800, now, true),
            (1_800, later, false),
            (86_399, now, true),
            (86_400, now, false),
        ] {
            let asked = Some(1_767_225_600 + life_s);
            assert_eq!(end(asked, now).is_ok(), accepted, "{life_s} from {now}");
        }
        assert_eq!(end(None, now).unwrap().as_second(), 1_767_225_600 + 86_400);
    }

    #[test]
    fn an_address_is_one_of_the_web() {
        for (url, accepted) in [
            ("https://pay.example.com/ok?sid={CHECKOUT_SESSION_ID}", true),
            ("http://localhost:8080/", true),
            ("https://", false),
            ("https:///path", false),
            ("ftp://pay.example.com", false),
            ("pay.example.com", false),
            ("https://pay.example.com/a b", false),
        ] {
            assert_eq!(check_url(url, "success_url").is_ok(), accepted, "{url}");
        }
    }
}
