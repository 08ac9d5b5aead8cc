//! Building requests: bodies, paths and headers.

use bytes::Bytes;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, USER_AGENT};
use http::{HeaderValue, Method, Request, Uri};
use jiff::Timestamp;

use super::WechatPay;
use super::sign::Unsigned;
use super::wire::{CloseOrder, NativeOrder, NewRefund, NewRefundAmount, OrderAmount};
use crate::beijing;
use crate::text::{cut, json};
use crate::{NewPayment, RefundRequest, Stamp};

/// `string(127)` in the documentation does not say what it counts; bytes are the fewer.
const DESCRIPTION_LEN_MAX: usize = 127;
/// `string(80)`, likewise.
const REASON_LEN_MAX: usize = 80;

impl WechatPay {
    pub(super) fn order_body(&self, payment: &NewPayment<'_>) -> String {
        json(&NativeOrder {
            appid: &self.appid,
            mchid: &self.mchid,
            description: cut(payment.description, DESCRIPTION_LEN_MAX),
            out_trade_no: payment.payment_id,
            time_expire: beijing_time(payment.expires_at),
            attach: payment.echo,
            notify_url: &self.notify_url,
            amount: OrderAmount {
                total: payment.amount.amount,
                currency: payment.amount.currency.as_str(),
            },
        })
    }

    pub(super) fn close_body(&self) -> String {
        json(&CloseOrder { mchid: &self.mchid })
    }

    pub(super) fn refund_body(&self, refund: &RefundRequest<'_>) -> String {
        json(&NewRefund {
            transaction_id: refund.transaction_id,
            out_refund_no: refund.number,
            reason: cut(refund.reason, REASON_LEN_MAX),
            notify_url: &self.notify_url,
            amount: NewRefundAmount {
                refund: refund.amount.amount,
                total: refund.amount.amount,
                currency: refund.amount.currency.as_str(),
            },
        })
    }

    pub(super) fn get(&self, path: &str, stamp: Stamp) -> Request<Bytes> {
        self.request(Method::GET, path, "", stamp)
    }

    pub(super) fn post(&self, path: &str, body: &str, stamp: Stamp) -> Request<Bytes> {
        let mut request = self.request(Method::POST, path, body, stamp);
        let json = HeaderValue::from_static("application/json");
        request.headers_mut().insert(CONTENT_TYPE, json);
        request
    }

    fn request(&self, method: Method, path: &str, body: &str, stamp: Stamp) -> Request<Bytes> {
        self.request_to(self.endpoint.uri(path), method, body, stamp)
    }

    /// The request to a whole URI, which must be the gateway's own: it carries our signature.
    pub(super) fn request_to(
        &self,
        uri: Uri,
        method: Method,
        body: &str,
        stamp: Stamp,
    ) -> Request<Bytes> {
        let target = uri.path_and_query().map_or("/", |target| target.as_str());
        let authorization =
            self.signer.authorization(&Unsigned { method: &method, target, body }, stamp);
        let mut request = Request::new(Bytes::copy_from_slice(body.as_bytes()));
        *request.method_mut() = method;
        *request.uri_mut() = uri;
        let headers = request.headers_mut();
        headers.insert(AUTHORIZATION, authorization);
        headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
        headers.insert(USER_AGENT, HeaderValue::from_static("latchpay"));
        if let Some(id) = &self.public_key_id {
            headers.insert("wechatpay-serial", id.clone());
        }
        request
    }
}

/// Whole seconds, with the offset that the documentation's examples have.
fn beijing_time(at: Timestamp) -> String {
    format!("{}+08:00", beijing::text(at, 'T'))
}
