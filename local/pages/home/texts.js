"use strict";

// Every text of the page: English, 中文.
const TEXTS = {
  title: ["Latchpay on your laptop", "本机运行的 Latchpay"],
  what: ["What this is", "这是什么"],
  what_windows: [
    "Customers open several windows, and in each of them a payment QR code can appear.",
    "顾客常常打开多个窗口，每个窗口里都可能出现一个付款码。",
  ],
  what_harmless: [
    "Latchpay makes that harmless: money buys the one live order, or it goes back by itself.",
    "Latchpay 让这件事不再出错：款项要么买下唯一有效的订单，要么自动退回。",
  ],
  what_here: [
    "All of it runs here: the API, the checkout, and gateways that speak their real protocols.",
    "一切都在本机运行：接口、收银台，以及使用真实协议的支付网关。",
  ],
  try: ["Try it in a minute", "一分钟体验"],
  step_checkout: [
    "Open a checkout below, choose how many days, and show the code.",
    "在下方打开一个收银台，选择天数，显示付款码。",
  ],
  step_window: [
    "Open the same booking in another window, and show a code there: the first window says so.",
    "把同一个预订在另一个窗口打开，再显示一个付款码：第一个窗口会说明自己已被取代。",
  ],
  step_pay: [
    "Pay both codes in the wallet: one buys, the other one's money comes back.",
    "在钱包里把两个码都付掉：一笔成交，另一笔自动退回。",
  ],
  step_operator: [
    "See on the operator's page what happened, and why.",
    "在运营页面查看发生了什么、为什么。",
  ],
  wallet: ["The customer's wallet", "顾客的钱包"],
  operator: ["The operator's page", "运营页面"],
  description: ["The API's description", "接口描述"],
  open: ["Open a booking and its checkout", "新建预订并打开收银台"],
  flow_submit_once: [
    "A price first; order and code when the customer submits.",
    "先看价格，提交时才生成订单和付款码。",
  ],
  flow_order_first: [
    "An order with each price; the code when the customer asks for it.",
    "每次报价即生成订单，顾客点击后才出现付款码。",
  ],
  flow_instant: [
    "Order and code at once, for a short time.",
    "立即生成订单和付款码，有效期很短。",
  ],
  open_checkout: ["Open a checkout", "打开收银台"],
  bookings: ["Alice's bookings", "Alice 的预订"],
  no_bookings: ["None so far.", "目前还没有。"],
  another_window: ["Open another window", "再打开一个窗口"],
  status_pending_payment: ["not paid yet", "待付款"],
  status_active: ["active until {until}", "有效期至 {until}"],
  status_expired: ["ended {until}", "已于 {until} 到期"],
  status_cancelled: ["cancelled", "已取消"],
  opened: ["The checkout is in a new tab.", "收银台已在新标签页中打开。"],
  blocked: [
    "The browser opened no new tab. The checkout is here:",
    "浏览器没有打开新标签页，收银台在这里：",
  ],
  checkout: ["the checkout", "收银台"],
  failed: ["That did not work: {why}", "操作未成功：{why}"],
  clock: ["Let time pass", "让时间流逝"],
  clock_why: [
    "Codes run out and bookings end; here you need not wait for it.",
    "付款码会过期，预订会到期；在这里不必等待。",
  ],
  minutes: ["15 minutes", "15 分钟"],
  day: ["One day", "一天"],
  turned: ["It is now {now}.", "现在是 {now}。"],
};
