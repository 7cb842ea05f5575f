// Payments in the list beside the phone: each order, each notification with its tries, and the calls of WeChat Pay's API.

import { clockTime } from "./calls.js";
import { control, el } from "./dom.js";
import { payByCode, yuan } from "./pay.js";
import { t } from "./texts.js";

/** Calls that are shown, by their path, and how they are called. */
const CALLS = [
  [/^\/pay\/unifiedorder$|^\/v3\/pay\/transactions\/(jsapi|native|app|h5)$/, "orderCall"],
  [/^\/pay\/closeorder$|^\/v3\/pay\/transactions\/out-trade-no\/[^/]+\/close$/, "closeCall"],
  [/^\/pay\/orderquery$|^\/v3\/pay\/transactions\//, "queryCall"],
  [/^\/secapi\/pay\/refund$|^\/v3\/refund\/domestic\/refunds$/, "refundCall"],
  [/^\/pay\/refundquery$|^\/v3\/refund\/domestic\/refunds\//, "refundQueryCall"],
  [/^\/v3\/certificates$/, "certificateCall"],
  [/^\/jsbridge\/pay(\/decide)?$/, "pageCall"],
];
/** Where an order stands: the tone of its verdict. */
const TONES = { SUCCESS: "good", NOTPAY: "", CLOSED: "bad", REFUND: "" };
/** Notifications whose contents are open. */
const open = new Set();

/** How a call of WeChat Pay is called; nothing when it is none. */
export function payCall(call) {
  const name = CALLS.find(([path]) => path.test(call.path))?.[1];
  // That a page's request is good shows when it is paid.
  return call.path === "/jsbridge/pay" && call.errcode === 0 ? undefined : name;
}

/** What came of such a call: the code alone, what else was said, and whether it went well. */
export function payVerdict(call) {
  const [, code = `HTTP ${call.status}`, said = ""] = /^(?:get_brand_wcpay_request:)?(\S+)\s*(.*)$/s.exec(call.note ?? "") ?? [];
  return { code, said, good: call.outcome === "answered" && call.status < 400 && /^(OK|SUCCESS|ok|cancel|file)$/.test(code) };
}

export function orderRow(order) {
  const unpaid = order.trade_state === "NOTPAY";
  const state = unpaid && order.expired ? "EXPIRED" : order.trade_state;
  const payable = state === "NOTPAY" && order.code_url;
  return el("article", { class: "push order", id: `order-${order.mch_id}-${order.number}` },
    el("header", {},
      el("time", {}, clockTime(order.created)),
      el("span", { class: "what" }, el("b", {}, t("order")), " ", yuan(order.total), " ", order.description),
      el("span", { class: `verdict ${TONES[state] ?? ""}` }, t(`order_${state}`))),
    el("p", { class: "said" },
      el("span", {}, order.trade_type, " · ", `API ${order.api}`, " · ", order.merchant, " · "), el("code", {}, order.out_trade_no),
      payable ? el("button", { type: "button", class: "quiet", data: { focus: `pay-${order.number}` }, onclick: () => payByCode(order.code_url) }, t("payNow")) : null));
}

export function noticeRow(notice, tryRow, pretty) {
  const waits = notice.state === "waiting";
  return el("article", { class: `push notice ${notice.state}`, id: `notice-${notice.id}` },
    el("header", {},
      el("time", {}, clockTime(notice.time)),
      el("span", { class: "what" }, el("b", {}, t(`notice_${notice.subject}`)), " ", el("code", {}, notice.out_refund_no ?? notice.out_trade_no)),
      el("span", { class: `verdict ${tone(notice)}` }, t(`notice_${notice.state}`))),
    notice.url ? el("p", { class: "said" }, `API ${notice.api} → ${notice.url}`) : null,
    notice.tries.length || notice.state === "sending" ? el("ol", { class: "tries" },
      notice.tries.map(tryRow),
      notice.state === "sending" ? el("li", { class: "waiting" }, el("i", { class: "dot" }), t("tryNumber", notice.tries.length + 1),
        el("span", { class: "bar" }, el("i", {}))) : null) : null,
    waits && notice.next ? el("p", { class: "said" }, t("noticeNext", clockTime(notice.next))) : null,
    contents(notice, pretty));
}

function tone({ state }) {
  if (["given_up", "cancelled"].includes(state)) return "bad";
  return state === "acknowledged" ? "good" : "";
}

function contents(notice, pretty) {
  const last = notice.tries.at(-1);
  if (!last && !notice.url) return null;
  const details = el("details", { open: open.has(notice.id) },
    el("summary", { data: { focus: `notice-${notice.id}` } }, t("details")),
    last
      ? [last.headers.length ? [el("h4", {}, t("noticeHeaders")), el("pre", {}, last.headers.map(([name, value]) => `${name}: ${value}`).join("\n"))] : null,
         el("h4", {}, t("noticeSent")), el("pre", {}, pretty(last.sent)),
         el("h4", {}, t("noticeAnswer")), el("pre", {}, pretty(last.answer) || t("noticeEmpty"))].flat(2).filter(Boolean)
      : [],
    notice.url
      ? el("button", { type: "button", data: { focus: `resend-${notice.id}` }, onclick: () => control("POST", `/sandbox/notifications/${notice.id}/resend`) }, t("resend"))
      : null);
  details.addEventListener("toggle", () => (details.open ? open.add(notice.id) : open.delete(notice.id)));
  return details;
}
