"use strict";

// What the page says, in both languages: English first, 中文 second.
//
// `{name}` stands for a value that the page fills in.

const LANGUAGES = ["en", "zh-CN"];

const TEXTS = {
  page_title: ["Checkout", "收银台"],
  language: ["Language", "语言"],

  first: ["First booking", "首次预定"],
  renewal: ["Renewal", "续订"],
  total: ["To pay", "应付"],
  total_paid: ["Paid", "已付"],
  total_going: ["Going back", "退回中"],
  total_back: ["Given back", "退回"],
  total_over: ["Not to be paid", "无需支付"],
  each: ["{price} / {unit}", "{price} / {unit}"],
  term: ["Valid", "有效期"],
  term_first: ["{duration} from payment", "自支付起 {duration}"],
  term_now: ["Now valid until", "当前有效期至"],
  term_then: ["Then valid until", "续订后有效期至"],
  quantity_and_amount: ["{duration} · {amount}", "{duration} · {amount}"],

  unit_hour: ["hour", "小时"],
  unit_hours: ["hours", "小时"],
  unit_day: ["day", "天"],
  unit_days: ["days", "天"],
  unit_month: ["month", "个月"],
  unit_months: ["months", "个月"],
  duration: ["{quantity} {unit}", "{quantity} {unit}"],

  quantity: ["Quantity", "数量"],
  quantity_range: ["{min} to {max} {unit}", "{min} 至 {max} {unit}"],
  less: ["One less", "减一"],
  more: ["One more", "加一"],
  wallet: ["Pay with", "支付方式"],
  wallet_wechat_pay: ["WeChat Pay", "微信支付"],
  wallet_alipay: ["Alipay", "支付宝"],
  wallet_stripe: ["Card and more (Stripe)", "银行卡等（Stripe）"],
  name_wechat_pay: ["WeChat Pay", "微信支付"],
  name_alipay: ["Alipay", "支付宝"],
  name_stripe: ["Stripe", "Stripe"],

  show_code: ["Show the payment code", "显示付款码"],
  show_code_hint: [
    "This pattern is not a code yet. Press to get the real one.",
    "此图案还不是付款码，点击后显示真正的付款码。",
  ],
  editing_hint: [
    "Your code stays good until you make a new one.",
    "在生成新码之前，原付款码仍然有效。",
  ],
  other_live: [
    "Another window has an order open: {theirs}. Making one here replaces it.",
    "另一个窗口有一笔待支付订单：{theirs}。在此下单将取代它。",
  ],
  switched_elsewhere: [
    "Another window switched this order to {wallet}, so the code shown here was closed.",
    "另一个窗口已将此订单改为 {wallet} 支付，此处的付款码已关闭。",
  ],
  making_code: ["Making your code …", "正在生成付款码……"],
  making_code_hint: ["This takes a moment.", "请稍候。"],
  checking: ["Checking that this code is still good …", "正在确认付款码是否仍然有效……"],
  veiled: [
    "The code is covered while we cannot check that it is still good.",
    "无法确认付款码是否有效，已暂时遮盖。",
  ],
  scan: ["Scan with {wallet}", "请使用{wallet}扫码"],
  scan_stripe: ["Scan with your phone's camera", "请使用手机相机扫码"],
  code_alt: ["Payment code for {wallet}: {amount}", "{wallet}付款码：{amount}"],
  open_stripe: ["Open the payment page", "打开支付页面"],
  open_wallet: ["Open {wallet} on this device", "在本设备上打开{wallet}"],
  time_left: ["Time left to pay", "剩余支付时间"],
  check_paid: ["I have paid", "我已支付"],
  change_quantity: ["Change the quantity", "修改数量"],
  keep_code: ["Back to my code", "返回付款码"],

  offline_banner: [
    "No connection. Nothing you chose is lost; we keep trying.",
    "网络已断开。您的选择不会丢失，我们会持续重试。",
  ],

  loading: ["Loading …", "加载中……"],
  link_missing: ["This link is incomplete", "链接不完整"],
  link_missing_text: [
    "Open the checkout again from the page that brought you here.",
    "请从来源页面重新打开收银台。",
  ],
  link_expired: ["This link has expired", "链接已过期"],
  link_expired_text: [
    "Open the checkout again from the page that brought you here. What you paid still " +
      "counts or goes back.",
    "请从来源页面重新打开收银台。已支付的款项仍然有效，或会退回。",
  ],
  link_invalid: ["This link is not valid", "链接无效"],
  link_invalid_text: [
    "It was changed on its way or made by somebody else. Do not pay anything that it showed.",
    "链接已被改动或并非由商家生成。请勿支付其显示的任何内容。",
  ],
  not_found: ["There is nothing to pay here", "没有可支付的内容"],
  not_found_text: [
    "This booking does not exist any more. Open the checkout again from the page that " +
      "brought you here.",
    "该预定已不存在，请从来源页面重新打开收银台。",
  ],

  replaced: ["Another window made a new order", "另一个窗口创建了新订单"],
  replaced_text: [
    "Only the newest order can be paid, so the one shown here was closed. Nothing is " +
      "charged twice.",
    "只有最新的订单可以支付，因此此处的订单已关闭，不会重复扣款。",
  ],
  order_over: ["The newer order is over", "较新的订单已结束"],
  order_over_text: [
    "Another window replaced the order shown here, and that order is over too.",
    "另一个窗口取代了此处的订单，而该订单也已结束。",
  ],
  yours: ["Yours", "此窗口"],
  theirs: ["The new one", "新订单"],
  use_live: ["Use that order", "使用该订单"],
  make_mine: ["Make mine again", "重新生成我的订单"],

  price_changed: ["The price has changed", "价格已变更"],
  price_changed_text: [
    "Nothing was charged. Do you want to go on at the new price?",
    "尚未扣款。是否按新价格继续？",
  ],
  old_price: ["Shown before", "原价格"],
  new_price: ["Now", "新价格"],
  accept: ["Go on for {amount}", "按 {amount} 继续"],
  decline: ["No, thank you", "不，谢谢"],

  expired: ["This code has expired", "付款码已过期"],
  expired_text: [
    "Please do not pay it any more. If you have just paid, wait a moment: it counts, or " +
      "it goes back.",
    "请勿再支付该码。如您刚刚已支付，请稍候：款项会入账，或自动退回。",
  ],
  stale_text: [
    "The price of this order no longer holds, so its code was closed.",
    "该订单的价格已失效，付款码已关闭。",
  ],
  new_code: ["Get a new code", "获取新付款码"],

  order_cancelled: ["This order was cancelled", "该订单已取消"],
  order_cancelled_text: [
    "It can no longer be paid. Money that arrives for it all the same goes back.",
    "该订单已无法支付。若仍有款项到账，将自动退回。",
  ],
  start_again: ["Start again", "重新开始"],

  paid: ["Paid. Thank you!", "支付成功，谢谢！"],
  paid_text: ["{duration} for {amount}.", "{duration}，共 {amount}。"],
  paid_elsewhere: ["Paid in another window", "已在另一个窗口支付"],
  paid_elsewhere_text: [
    "Nothing more is to be paid here.",
    "此处无需再次支付。",
  ],
  paid_elsewhere_order: [
    "Another window paid {theirs}. Nothing more is to be paid here.",
    "另一个窗口已支付 {theirs}，此处无需再次支付。",
  ],
  refunding: ["Your money is on its way back", "您的款项正在退回"],
  refunding_text: [
    "Your payment arrived when its order could no longer be paid. All of it goes back to " +
      "the wallet that paid.",
    "您的付款到达时订单已无法支付，款项将全额退回原支付账户。",
  ],
  refunded: ["Your money is back", "款项已退回"],
  refunded_text: [
    "The payment for the order that could no longer be paid was returned in full.",
    "无法支付的订单所收款项已全额退回。",
  ],
  go_on: ["Go on", "继续"],
  active: ["Your booking is active", "您的预定有效"],
  active_text: ["You can renew it before it ends.", "到期前可以续订。"],
  not_renewable_text: [
    "It is no longer sold, so it cannot be renewed.",
    "该产品已停售，无法续订。",
  ],
  renew: ["Renew", "续订"],
  renewal_limit: ["Your booking is active", "您的预定有效"],
  renewal_limit_text: [
    "It was renewed as often as allowed. Open a new booking once it is over.",
    "已达续订次数上限。到期后请重新预定。",
  ],
  term_over: ["This booking is over", "该预定已到期"],
  term_over_text: [
    "It ended and can no longer be renewed. Open a new booking to go on.",
    "预定已结束，无法续订。请重新预定。",
  ],
  cancelled: ["This booking was cancelled", "该预定已取消"],
  cancelled_text: [
    "Nothing can be paid for it. Money that arrives all the same goes back.",
    "该预定无法支付。若仍有款项到账，将自动退回。",
  ],
  unavailable: ["This is no longer sold", "该产品已停售"],
  unavailable_text: [
    "The booking cannot be paid for as it is. Nothing was charged.",
    "该预定目前无法支付，未产生扣款。",
  ],
  return: ["Back to the shop", "返回商家"],

  refunds: ["Refunds", "退款"],
  refund_due: ["Noted", "已登记"],
  refund_submitted: ["Sent", "已提交"],
  refund_succeeded: ["Arrived", "已到账"],
  refund_needs_attention: [
    "The gateway asks for a person to look at this. We are on it; you need not do anything.",
    "支付渠道需要人工处理。我们正在跟进，您无需操作。",
  ],
  reason_amount_mismatch: ["Another amount arrived", "到账金额不符"],
  reason_duplicate_payment: ["Paid twice", "重复支付"],
  reason_superseded: ["Paid after a newer order replaced it", "被新订单取代后支付"],
  reason_stale: ["Paid after its price changed", "价格变更后支付"],
  reason_expired: ["Paid after it expired", "过期后支付"],
  reason_cancelled: ["Paid after it was cancelled", "取消后支付"],
  reason_booking_not_payable: ["The booking could not be paid for", "预定当时无法支付"],
  reason_late_payment: ["Paid too late", "支付超时"],
  reason_unmatched: ["No order was found for it", "未找到对应订单"],
  reason_foreign_refund: ["Given back at the gateway", "在支付渠道退款"],
  reason_dispute: ["Disputed", "争议处理中"],

  cancel: ["Cancel …", "取消……"],
  cancel_title: ["What shall be cancelled?", "要取消什么？"],
  cancel_text: [
    "Money that arrives for what was cancelled goes back by itself.",
    "取消后若仍有款项到账，将自动退回。",
  ],
  cancel_order: ["Only this order", "仅此订单"],
  cancel_booking: ["The whole booking", "整个预定"],
  cancel_nothing: ["Nothing, go back", "不取消，返回"],

  try_again: ["Try again", "重试"],
  not_paid_yet: [
    "No payment has been seen yet. If you have paid, it will appear here by itself.",
    "尚未查询到付款。如您已支付，结果会自动显示在此处。",
  ],
  problem_unreachable: [
    "The server could not be reached. What you asked for may or may not have happened; " +
      "trying again is safe.",
    "无法连接服务器。您的操作可能已完成，也可能没有；重试是安全的。",
  ],
  problem_busy: [
    "Many windows are changing this booking at once. Trying again is safe.",
    "多个窗口正在同时修改该预定。重试是安全的。",
  ],
  problem_gateway_unavailable: [
    "{wallet} does not answer just now. Trying again is safe, or take another way to pay.",
    "{wallet}暂无响应。重试是安全的，也可更换支付方式。",
  ],
  problem_gateway_refused: [
    "{wallet} refused to make a code. Please take another way to pay, or try again.",
    "{wallet}拒绝生成付款码。请更换支付方式，或重试。",
  ],
  problem_attempts_exhausted: [
    "This order was tried too often at {wallet}. Please take another way to pay.",
    "该订单在{wallet}的尝试次数已用尽，请更换支付方式。",
  ],
  problem_store_unavailable: [
    "The service is not available just now. Trying again is safe.",
    "服务暂不可用。重试是安全的。",
  ],

  say_code: [
    "The payment code is shown. Scan it with {wallet}.",
    "付款码已显示，请使用{wallet}扫码。",
  ],
  say_placeholder: [
    "Ready. Press the button to show the payment code.",
    "已就绪，点击按钮显示付款码。",
  ],
  say_choosing: [
    "Choose, then press the button to show the payment code.",
    "请选择，然后点击按钮显示付款码。",
  ],
  say_offline: ["No connection. The code is covered.", "网络已断开，付款码已遮盖。"],
  say_minute_left: ["One minute left to pay.", "剩余支付时间一分钟。"],
};

// The text of a key, with its values filled in; the key itself where it is not in the table, so
// that a gateway or reason that is newer than this page is shown by its name.
function textIn(language, key, values = {}) {
  const texts = Object.hasOwn(TEXTS, key) ? TEXTS[key] : [key, key];
  const text = texts[Math.max(LANGUAGES.indexOf(language), 0)];
  return text.replace(/\{(\w+)\}/g, (whole, name) => values[name] ?? whole);
}

// The first language of the browser that the page speaks; English where there is none.
function preferredLanguage(languages) {
  for (const tag of languages) {
    const primary = tag.toLowerCase().split("-")[0];
    if (primary === "zh") return "zh-CN";
    if (primary === "en") return "en";
  }
  return "en";
}
