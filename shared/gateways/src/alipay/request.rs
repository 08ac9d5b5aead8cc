//! Building requests: public parameters in the query, contents and signature in the form.
//!
//! `charset` has to be readable from the query, or Alipay may decode Chinese texts wrongly.

use std::collections::BTreeMap;

use bytes::Bytes;
use http::header::{ACCEPT, CONTENT_TYPE, USER_AGENT};
use http::{HeaderValue, Method, Request, Uri};
use jiff::civil::Date;

use super::Alipay;
use super::trust::{SIGN_TYPE, signed_text};
use super::wire::{ByNumber, ByTransaction, NewRefund, OfDay, Order, RefundByNumber, StoredBody};
use crate::beijing;
use crate::text::{cut, json, percent_encoded};
use crate::{NewPayment, RefundRequest, Stamp, yuan};

/// `string(256)` in the documentation does not say what it counts; bytes are the fewer.
const TEXT_LEN_MAX: usize = 256;

/// What `subject` must not hold: "不可使用特殊字符，如 /，=，& 等".
const SUBJECT_FORBIDDEN: [char; 3] = ['/', '=', '&'];

pub(super) const PRECREATE: &str = "alipay.trade.precreate";
pub(super) const QUERY: &str = "alipay.trade.query";
pub(super) const CLOSE: &str = "alipay.trade.close";
pub(super) const REFUND: &str = "alipay.trade.refund";
pub(super) const REFUND_QUERY: &str = "alipay.trade.fastpay.refund.query";
pub(super) const BILL: &str = "alipay.data.dataservice.bill.downloadurl.query";

/// One call, before it is signed.
struct Call<'a> {
    method: &'a str,
    /// The exact text of the contents.
    biz_content: &'a str,
    /// Where notifications are to come; empty where the call causes none.
    notify_url: &'a str,
}

impl Alipay {
    /// What must be the same in every sending: the contents' exact text, and where notifications
    /// go. Time and signature are made for each.
    ///
    /// The end of the order is absolute. The relative timeouts count from each sending, in whole
    /// minutes, and the longest lifetime of a payment is that of a code anyway.
    pub(super) fn stored_body(&self, payment: &NewPayment<'_>) -> String {
        let subject = payment.description.replace(SUBJECT_FORBIDDEN, "-");
        let order = Order {
            out_trade_no: payment.payment_id,
            total_amount: yuan::text(payment.amount),
            subject: cut(&subject, TEXT_LEN_MAX),
            time_expire: beijing::text(payment.expires_at, ' '),
            seller_id: &self.seller_id,
            passback_params: payment.echo,
        };
        json(&StoredBody { biz_content: json(&order), notify_url: self.notify_url.clone() })
    }

    /// A stored body that cannot be read makes a request without contents, which is refused.
    pub(super) fn precreate(&self, stored: &str, stamp: Stamp) -> Request<Bytes> {
        let stored: StoredBody = serde_json::from_str(stored).unwrap_or_default();
        let StoredBody { biz_content, notify_url } = &stored;
        self.call(&Call { method: PRECREATE, biz_content, notify_url }, stamp)
    }

    pub(super) fn query_by_number(&self, out_trade_no: &str, stamp: Stamp) -> Request<Bytes> {
        self.call_quietly(QUERY, &json(&ByNumber { out_trade_no }), stamp)
    }

    pub(super) fn query_by_transaction(&self, trade_no: &str, stamp: Stamp) -> Request<Bytes> {
        self.call_quietly(QUERY, &json(&ByTransaction { trade_no }), stamp)
    }

    pub(super) fn close_by_number(&self, out_trade_no: &str, stamp: Stamp) -> Request<Bytes> {
        self.call_quietly(CLOSE, &json(&ByNumber { out_trade_no }), stamp)
    }

    pub(super) fn make_refund(&self, refund: &RefundRequest<'_>, stamp: Stamp) -> Request<Bytes> {
        let contents = json(&NewRefund {
            trade_no: refund.transaction_id,
            refund_amount: yuan::text(refund.amount),
            out_request_no: refund.number,
            refund_reason: cut(refund.reason, TEXT_LEN_MAX),
        });
        self.call_quietly(REFUND, &contents, stamp)
    }

    pub(super) fn ask_for_refund(
        &self,
        refund: &RefundRequest<'_>,
        stamp: Stamp,
    ) -> Request<Bytes> {
        let contents = json(&RefundByNumber {
            trade_no: refund.transaction_id,
            out_request_no: refund.number,
        });
        self.call_quietly(REFUND_QUERY, &contents, stamp)
    }

    pub(super) fn ask_for_bill(&self, day: Date, stamp: Stamp) -> Request<Bytes> {
        let contents = json(&OfDay { bill_type: "trade", bill_date: day.to_string() });
        self.call_quietly(BILL, &contents, stamp)
    }

    /// A call that causes no notification of its own: those of a refund go where those of its
    /// payment go.
    fn call_quietly(&self, method: &str, biz_content: &str, stamp: Stamp) -> Request<Bytes> {
        self.call(&Call { method, biz_content, notify_url: "" }, stamp)
    }

    fn call(&self, call: &Call<'_>, stamp: Stamp) -> Request<Bytes> {
        let timestamp = beijing::text(stamp.now, ' ');
        let mut parameters = BTreeMap::from([
            ("app_id", self.app_id.as_str()),
            ("biz_content", call.biz_content),
            ("charset", "utf-8"),
            ("method", call.method),
            ("notify_url", call.notify_url),
            ("sign_type", SIGN_TYPE),
            ("timestamp", timestamp.as_str()),
            ("version", "1.0"),
        ]);
        parameters.retain(|_, value| !value.is_empty());
        let text = signed_text(parameters.iter().map(|(name, value)| (*name, *value)));
        let signature = self.signing_key.sign(text.as_bytes());
        parameters.remove("biz_content");
        let contents = [("biz_content", call.biz_content), ("sign", signature.as_str())];

        let mut request = Request::new(Bytes::from(form(contents)));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = self.endpoint.uri(&format!("/gateway.do?{}", form(parameters)));
        let headers = request.headers_mut();
        let form = HeaderValue::from_static("application/x-www-form-urlencoded;charset=utf-8");
        headers.insert(CONTENT_TYPE, form);
        headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
        headers.insert(USER_AGENT, HeaderValue::from_static("latchpay"));
        request
    }
}

/// The request that downloads a file. It carries nothing of ours: its address is its permission.
pub(super) fn download(uri: Uri) -> Request<Bytes> {
    let mut request = Request::new(Bytes::new());
    *request.uri_mut() = uri;
    let headers = request.headers_mut();
    headers.insert(ACCEPT, HeaderValue::from_static("*/*"));
    headers.insert(USER_AGENT, HeaderValue::from_static("latchpay"));
    request
}

fn form<'a>(pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> String {
    let pairs = pairs.into_iter().map(|(name, value)| format!("{name}={}", percent_encoded(value)));
    pairs.collect::<Vec<_>>().join("&")
}
