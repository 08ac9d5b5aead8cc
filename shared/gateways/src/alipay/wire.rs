//! The JSON objects of the open platform. Fields that nothing reads are left out.
//!
//! Fields and their meanings: the pages named at each struct and the field comments of Alipay's
//! own Java SDK (`com.alipay.api.domain`, `com.alipay.api.response`), read 2026-11-23.

use std::fmt;

use domain::gateway::Capture;
use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::value::RawValue;

use crate::text::id;
use crate::{beijing, yuan};

/// What every sending of one create has in common.
#[derive(Default, Serialize, Deserialize)]
pub(super) struct StoredBody {
    pub(super) biz_content: String,
    pub(super) notify_url: String,
}

/// Contents of "alipay.trade.precreate", <https://opendocs.alipay.com/open/02ekfg>.
#[derive(Serialize)]
pub(super) struct Order<'a> {
    pub(super) out_trade_no: &'a str,
    pub(super) total_amount: String,
    pub(super) subject: &'a str,
    pub(super) time_expire: String,
    /// The default is the contract's account. Named, a wrong setting fails when a code is made,
    /// and not when its notification is refused.
    pub(super) seller_id: &'a str,
    /// At most 512 characters, carried back as they are. An echo needs no escaping.
    #[serde(skip_serializing_if = "str::is_empty")]
    pub(super) passback_params: &'a str,
}

/// Contents of "alipay.trade.query", <https://opendocs.alipay.com/open/02ekfh>, and of
/// "alipay.trade.close", <https://opendocs.alipay.com/open/02o6e7>.
#[derive(Serialize)]
pub(super) struct ByNumber<'a> {
    pub(super) out_trade_no: &'a str,
}

/// Contents of "alipay.trade.query" by Alipay's own id.
#[derive(Serialize)]
pub(super) struct ByTransaction<'a> {
    pub(super) trade_no: &'a str,
}

/// Contents of "alipay.trade.refund", <https://opendocs.alipay.com/open/02ekfk>.
#[derive(Serialize)]
pub(super) struct NewRefund<'a> {
    pub(super) trade_no: &'a str,
    pub(super) refund_amount: String,
    pub(super) out_request_no: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    pub(super) refund_reason: &'a str,
}

/// Contents of "alipay.trade.fastpay.refund.query", <https://opendocs.alipay.com/open/02ekfl>.
#[derive(Serialize)]
pub(super) struct RefundByNumber<'a> {
    pub(super) trade_no: &'a str,
    pub(super) out_request_no: &'a str,
}

/// Contents of "alipay.data.dataservice.bill.downloadurl.query",
/// <https://opendocs.alipay.com/apis/api_15/alipay.data.dataservice.bill.downloadurl.query>.
#[derive(Serialize)]
pub(super) struct OfDay {
    /// `trade`: what was sold, and not what moved on the account.
    pub(super) bill_type: &'static str,
    pub(super) bill_date: String,
}

/// The members of a reply, each as the very text that came: the signature covers that text, with
/// its spaces and escaped slashes.
pub(super) struct Envelope<'a>(Vec<(String, &'a RawValue)>);

impl<'a> Envelope<'a> {
    /// The text of the only member with one of these names.
    pub(super) fn only(&self, names: &[&str]) -> Option<(&str, &'a str)> {
        let mut found = self.0.iter().filter(|(name, _)| names.contains(&name.as_str()));
        match (found.next(), found.next()) {
            (Some((name, value)), None) => Some((name, value.get())),
            (None | Some(_), None | Some(_)) => None,
        }
    }
}

impl<'de> Deserialize<'de> for Envelope<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Members;

        impl<'de> Visitor<'de> for Members {
            type Value = Envelope<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(Envelope(members))
            }
        }

        deserializer.deserialize_map(Members)
    }
}

/// What every reply's inner object begins with: "公共响应参数".
#[derive(Deserialize)]
pub(super) struct Head {
    pub(super) code: String,
    #[serde(default)]
    pub(super) msg: String,
    pub(super) sub_code: Option<String>,
    pub(super) sub_msg: Option<String>,
}

/// 10000 of "alipay.trade.precreate".
#[derive(Deserialize)]
pub(super) struct Created {
    pub(super) qr_code: String,
}

/// 10000 of "alipay.trade.close", of which nothing more is read.
#[derive(Deserialize)]
pub(super) struct Closed {}

/// 10000 of "alipay.trade.query".
#[derive(Deserialize)]
pub(super) struct Trade {
    pub(super) out_trade_no: String,
    pub(super) trade_status: String,
    trade_no: Option<String>,
    /// The order's amount. `receipt_amount` and `buyer_pay_amount` are lower by discounts.
    total_amount: Option<String>,
    /// When the money went to the seller: the payment time.
    send_pay_date: Option<String>,
    passback_params: Option<String>,
}

impl Trade {
    /// Whether money was captured at some time.
    pub(super) fn was_paid(&self) -> bool {
        self.send_pay_date.as_deref().is_some_and(|date| !date.is_empty())
    }

    /// What was captured; `None` where a part of it is absent or malformed.
    pub(super) fn capture(&self) -> Option<Capture> {
        capture(
            self.trade_no.as_deref()?,
            self.total_amount.as_deref()?,
            self.send_pay_date.as_deref()?,
        )
    }

    /// The echo field, where it is not empty.
    pub(super) fn echo(self) -> Option<String> {
        self.passback_params.filter(|echo| !echo.is_empty())
    }
}

/// A capture of Alipay's texts; `None` where one of them is malformed.
pub(super) fn capture(trade_no: &str, total_amount: &str, paid_at: &str) -> Option<Capture> {
    let captured = yuan::amount(total_amount).filter(|money| money.amount > 0)?;
    Some(Capture { transaction_id: id(trade_no)?, captured, paid_at: beijing::instant(paid_at)? })
}

/// 10000 of "alipay.trade.refund".
#[derive(Deserialize)]
pub(super) struct Refunded {
    pub(super) trade_no: String,
    pub(super) out_trade_no: String,
    /// Whether this call moved money: `Y`.
    pub(super) fund_change: Option<String>,
    /// What has gone back of the trade in all, through this refund and others.
    pub(super) refund_fee: Option<String>,
}

/// 10000 of "alipay.trade.fastpay.refund.query", which only means that asking worked.
#[derive(Deserialize)]
pub(super) struct FoundRefund {
    pub(super) trade_no: Option<String>,
    pub(super) out_trade_no: Option<String>,
    pub(super) out_request_no: Option<String>,
    /// What goes back through this refund.
    pub(super) refund_amount: Option<String>,
    pub(super) refund_status: Option<String>,
}

/// 10000 of "alipay.data.dataservice.bill.downloadurl.query".
#[derive(Deserialize)]
pub(super) struct BillPlace {
    /// Good for 30 seconds.
    pub(super) bill_download_url: String,
}
