//! What problems say to people, in English and Chinese.

use http::{HeaderMap, header};

use crate::problem::Problem;

/// A language that problems are told in.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Language {
    /// English.
    English,
    /// 中文.
    Chinese,
}

impl Language {
    /// The best language for a request; English where it does not say.
    #[must_use]
    pub fn of(headers: &HeaderMap) -> Self {
        let wanted = headers.get(header::ACCEPT_LANGUAGE).and_then(|value| value.to_str().ok());
        let ranked = accept_language::parse(wanted.unwrap_or_default());
        let known = ranked.iter().find_map(|tag| match tag.split('-').next() {
            Some(primary) if primary.eq_ignore_ascii_case("zh") => Some(Self::Chinese),
            Some(primary) if primary.eq_ignore_ascii_case("en") => Some(Self::English),
            Some(_) | None => None,
        });
        known.unwrap_or(Self::English)
    }

    /// The tag for `Content-Language`.
    #[must_use]
    pub const fn tag(self) -> &'static str {
        match self {
            Self::English => "en",
            Self::Chinese => "zh-CN",
        }
    }
}

/// What a problem is called and what it says, in a language.
#[must_use]
pub fn texts(problem: &Problem, language: Language) -> (&'static str, String) {
    let ([title, title_zh], [detail, detail_zh]) = both(problem);
    match language {
        Language::English => (title, detail),
        Language::Chinese => (title_zh, detail_zh),
    }
}

type Both<T> = [T; 2];

#[expect(clippy::too_many_lines, reason = "one row for each problem")]
fn both(problem: &Problem) -> (Both<&'static str>, Both<String>) {
    let (titles, details) = match problem {
        Problem::InvalidRequest { field, rule } => {
            return (
                ["The request is malformed", "请求格式有误"],
                [
                    format!("`{field}` is not acceptable: {rule}."),
                    format!("`{field}` 不符合要求：{rule}。"),
                ],
            );
        }
        Problem::QuantityOutOfRange { min, max } => {
            return (
                ["The quantity is out of range", "数量超出范围"],
                [
                    format!("The quantity must be between {min} and {max}."),
                    format!("数量须在 {min} 与 {max} 之间。"),
                ],
            );
        }
        Problem::RenewalLimitReached { max_renewals } => {
            return (
                ["The renewal limit is reached", "已达续订次数上限"],
                [
                    format!("This booking was renewed {max_renewals} times, as often as allowed."),
                    format!("该预定已续订 {max_renewals} 次，达到上限。"),
                ],
            );
        }
        Problem::Unauthenticated => (
            ["Sign in first", "请先登录"],
            ["The request carries no valid credentials.", "请求未携带有效的身份凭证。"],
        ),
        Problem::LinkInvalid => (
            ["The link is not valid", "链接无效"],
            [
                "The link was changed on its way, or is not of this site. Ask for a new one.",
                "链接在传递中被改动，或不属于本站。请重新获取链接。",
            ],
        ),
        Problem::LinkExpired => (
            ["The link has expired", "链接已过期"],
            ["The link's time is over. Ask for a new one.", "链接已超过有效期。请重新获取链接。"],
        ),
        Problem::Forbidden => {
            (["Not allowed", "没有权限"], ["You may not do this.", "您没有执行此操作的权限。"])
        }
        Problem::NotFound => {
            (["Not found", "未找到"], ["There is nothing here for you.", "这里没有您要找的内容。"])
        }
        Problem::QuoteStale { .. } => (
            ["The offer has changed", "报价已变更"],
            [
                "What the page showed no longer holds. Nothing was ordered; the offer as it is \
                 now comes with this answer.",
                "页面显示的报价已失效。尚未下单；最新报价随此响应返回。",
            ],
        ),
        Problem::QuoteExpired { .. } => (
            ["The offer has expired", "报价已过期"],
            [
                "The offer's time is over. Nothing was ordered; the offer as it is now comes with \
                 this answer.",
                "报价已超过有效期。尚未下单；最新报价随此响应返回。",
            ],
        ),
        Problem::OrderSuperseded { .. } => (
            ["A newer order replaced this one", "订单已被新订单取代"],
            [
                "Another window made a newer order for this booking. The live order comes with \
                 this answer.",
                "另一个窗口已为该预定创建了新订单。当前有效订单随此响应返回。",
            ],
        ),
        Problem::OrderClosed { .. } => (
            ["The order is closed", "订单已关闭"],
            ["This order can no longer be paid.", "该订单已无法支付。"],
        ),
        Problem::OrderAlreadyPaid => (
            ["The order is paid", "订单已支付"],
            ["This order was paid already.", "该订单已完成支付。"],
        ),
        Problem::BookingNotPayable => (
            ["The booking cannot be paid for", "该预定无法支付"],
            [
                "The booking is cancelled, over, or no longer sold.",
                "该预定已取消、已到期或已停售。",
            ],
        ),
        Problem::FlowMismatch => (
            ["The product is sold another way", "产品的购买流程不同"],
            ["The product's flow does not take this call.", "该产品的购买流程不支持此调用。"],
        ),
        Problem::AttemptsExhausted => (
            ["No attempt is left", "尝试次数已用尽"],
            [
                "This order was tried at this gateway as often as allowed. Another gateway or a \
                 new order can be paid.",
                "该订单在此支付渠道的尝试次数已用尽。可改用其他渠道或重新下单。",
            ],
        ),
        Problem::RetryNotPossible => (
            ["It cannot be tried again", "无法重试"],
            [
                "It was not made here, or was tried as often as allowed. It can only be resolved.",
                "该项并非由本系统发起，或尝试次数已用尽，只能标记为已处理。",
            ],
        ),
        Problem::VersionConflict => (
            ["Others were faster", "操作冲突"],
            [
                "Too many changes of this booking happened at once. The same request may be sent \
                 again.",
                "该预定同时发生的变更过多，可稍后重发相同请求。",
            ],
        ),
        Problem::QuoteTampered => (
            ["The quote token is not valid here", "报价凭证无效"],
            [
                "The token was changed, or made for another booking, customer or order.",
                "凭证已被改动，或属于其他预定、客户或订单。",
            ],
        ),
        Problem::GatewayNotAccepted => (
            ["The gateway is not accepted", "不支持该支付渠道"],
            ["This product does not accept that gateway.", "该产品不支持此支付渠道。"],
        ),
        Problem::IdempotencyMismatch => (
            ["The key was used before", "幂等键已被使用"],
            ["The same key was used for another request.", "同一个键已用于另一个内容不同的请求。"],
        ),
        Problem::TooLarge => (
            ["The body is too large", "请求体过大"],
            ["A body has at most 64 KiB.", "请求体不得超过 64 KiB。"],
        ),
        Problem::NotJson => (
            ["The body is not JSON", "请求体不是 JSON"],
            ["Send `Content-Type: application/json`.", "请使用 `Content-Type: application/json`。"],
        ),
        Problem::GatewayRefused => (
            ["The gateway refused", "支付渠道拒绝"],
            [
                "The gateway refused to create the payment. Nothing can be paid by it.",
                "支付渠道拒绝创建该支付，无法通过其付款。",
            ],
        ),
        Problem::GatewayUnavailable => (
            ["The gateway does not answer", "支付渠道暂不可用"],
            [
                "The gateway gave no usable answer. The same request may be sent again.",
                "支付渠道未返回可用结果，可稍后重发相同请求。",
            ],
        ),
        Problem::StoreUnavailable(_) => (
            ["Temporarily unavailable", "服务暂不可用"],
            [
                "The store gave no usable answer. The same request may be sent again.",
                "存储暂不可用，可稍后重发相同请求。",
            ],
        ),
        Problem::OutOfTime => (
            ["It took too long", "处理超时"],
            [
                "The request was not done in time. The same request may be sent again.",
                "请求未能及时处理完毕，可稍后重发相同请求。",
            ],
        ),
        Problem::Internal(_) => {
            (["We failed", "内部错误"], ["Something went wrong here.", "服务内部出现错误。"])
        }
    };
    (titles, details.map(str::to_owned))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_best_known_language_is_taken() {
        for (wanted, language) in [
            ("", Language::English),
            ("zh", Language::Chinese),
            ("zh-CN,zh;q=0.9,en;q=0.8", Language::Chinese),
            ("en-US,en;q=0.9,zh;q=0.8", Language::English),
            ("en;q=0.2, zh-Hans;q=0.7", Language::Chinese),
            ("fr, zh;q=0.5", Language::Chinese),
            ("fr", Language::English),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(header::ACCEPT_LANGUAGE, wanted.parse().unwrap());
            assert_eq!(Language::of(&headers), language, "{wanted}");
        }
    }
}
