"use strict";

// Every text of the page: English, 中文.
const TEXTS = {
  title: ["The customer's wallet", "顾客的钱包"],
  what: [
    "Stands for the phone that scans a code. Nothing here moves real money.",
    "代表扫码的手机，这里不会动用真实资金。",
  ],
  code: ["A code's content", "付款码内容"],
  codes: ["Codes, the newest first", "付款码（最新在前）"],
  no_codes: ["No code was shown so far.", "目前还没有付款码。"],
  home: ["Open a checkout", "打开收银台"],
  gateway_wechat_pay: ["WeChat Pay", "微信支付"],
  gateway_alipay: ["Alipay", "支付宝"],
  gateway_stripe: ["Stripe", "Stripe"],
  status_open: ["Open", "可支付"],
  status_scanned: ["Scanned", "已扫码"],
  status_paid: ["Paid", "已支付"],
  status_closed: ["Closed", "已关闭"],
  status_expired: ["Expired", "已过期"],
  until: ["until {until}", "有效期至 {until}"],
  captured: ["Captured {amount}", "已收款 {amount}"],
  refunded: ["{amount} came back", "已退回 {amount}"],
  scan: ["Scan", "扫码"],
  pay: ["Pay", "支付"],
  cancel: ["Cancel", "取消支付"],
  decline: ["Let the card be declined", "让银行卡被拒"],
  force: ["Pay all the same", "仍然支付"],
  twice: ["Pay a second time", "再付一次"],
  said_scan: ["Scanned. Pay or refuse it below.", "已扫码，请在下方支付或拒绝。"],
  said_pay: ["Paid.", "已支付。"],
  said_cancel: [
    "Cancelled. The code can still be paid, and nobody was told.",
    "已取消。该码仍可支付，商户不会收到通知。",
  ],
  said_decline: [
    "The card was declined. Another one can still pay.",
    "银行卡被拒，仍可换卡支付。",
  ],
  said_force: [
    "Paid all the same: the money was on its way when the code closed.",
    "仍然支付了：关闭之时款项已在途中。",
  ],
  said_twice: ["Paid a second time.", "又支付了一次。"],
  failed: ["The gateway refuses: {why}", "网关拒绝：{why}"],
  unreachable: ["The gateways do not answer. Trying again.", "网关没有响应，正在重试。"],
};
