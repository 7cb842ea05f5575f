// The list beside the phone: each push with its tries, what the account sent by itself, the steps of logins and of the JSSDK, orders
// and the notifications about them.

import { clockTime, latestCalls } from "./calls.js";
import { el, show } from "./dom.js";
import { noticeRow, orderRow, payCall, payVerdict } from "./payment_rows.js";
import { clearPayments, noticesOf, ordersOf } from "./payments.js";
import { notes } from "./phone_texts.js";
import { language, t } from "./texts.js";

/** How long WeChat waits, in milliseconds: the length of a whole bar. */
const LIMIT = 5000;
const MOST = 60;
/** API calls that are shown, and how they are called. */
const SHOWN = {
  "/cgi-bin/message/custom/send": "customSend", "/cgi-bin/message/custom/typing": "typingCall", "/cgi-bin/message/send": "corpSend",
  "/cgi-bin/message/template/send": "templateSend", "/cgi-bin/message/subscribe/send": "subscribeSend", "/cgi-bin/message/subscribe/bizsend": "subscribeSend",
  "/sns/jscode2session": "programLogin", "/wxa/business/getuserphonenumber": "phoneNumber",
  "/connect/oauth2/authorize": "authorize", "/connect/qrconnect": "qrconnect", "/connect/oauth2/decide": "decided", "/connect/confirm": "confirm",
  "/wwlogin/sso/login": "corpLogin", "/wwopen/sso/qrConnect": "corpLogin",
  "/sns/oauth2/access_token": "codeExchange", "/sns/oauth2/refresh_token": "webRefresh", "/sns/userinfo": "webProfile", "/sns/auth": "webCheck",
  "/cgi-bin/user/info": "follower", "/cgi-bin/auth/getuserinfo": "member", "/cgi-bin/user/getuserinfo": "member", "/cgi-bin/auth/getuserdetail": "memberDetail",
  "/jsbridge/verify": "verify", "/jsbridge/card": "cardCall",
};
/** Pushes whose contents are open. */
const open = new Set();
/** Calls up to this id were cleared away. */
let cleared = 0;

/** Takes what is listed now out of the list; the journal of calls keeps it. */
export function clearTraffic() {
  cleared = latestCalls()[0]?.id ?? cleared;
  clearPayments();
}

/** Shows the pushes, API calls and payments of one account, latest first; and the logins at websites. */
export function showTraffic(pushes, calls, contact, websites) {
  const own = (item) => item.appid === contact?.appid;
  const isShown = (call) => call.id > cleared && (SHOWN[call.path] || payCall(call)) && (own(call) || websites.has(call.appid));
  const kinds = {
    push: pushes.filter((push) => own(push) && (push.agentid ?? null) === contact.agentid),
    call: calls.filter(isShown),
    order: ordersOf(contact?.appid).map((order) => ({ ...order, id: `${order.mch_id}-${order.number}`, time: order.created })),
    notice: noticesOf(contact?.appid),
  };
  const items = Object.entries(kinds).flatMap(([row, list]) => list.map((item) => ({ ...item, row })))
    .sort((one, other) => other.time - one.time || RANKS.indexOf(other.row) - RANKS.indexOf(one.row) || other.id - one.id).slice(0, MOST);
  show(document.getElementById("traffic"), items.length ? items : [{ row: "none", id: 0 }], (item) => `${item.row}${item.id}`, (item) => ROWS[item.row](item));
}

/** What happens within one millisecond, in this order. */
const RANKS = ["call", "order", "push", "notice"];
const ROWS = {
  none: () => el("p", { class: "empty" }, t("noTraffic")),
  push: pushRow, call: callRow, order: orderRow, notice: (notice) => noticeRow(notice, tryRow, pretty),
};

/** What was pushed, in a few words. */
function title(push) {
  const kind = push.msg_type ? t(`t_${push.msg_type}`) : t("t_raw");
  if (push.msg_type === "event") return [el("b", {}, kind), el("code", {}, push.event), extract(push.sent, "EventKey")];
  return [el("b", {}, kind), push.msg_type === "text" ? extract(push.sent, "Content") : null];
}

/** One element of the plain text, whichever format it is in. */
function extract(sent, name) {
  const xml = new RegExp(`<${name}><!\\[CDATA\\[([\\s\\S]*?)\\]\\]></${name}>`).exec(sent);
  if (xml) return xml[1];
  try {
    return String(JSON.parse(sent)[name] ?? "");
  } catch {
    return "";
  }
}

function pushRow(push) {
  return el("article", { class: `push ${push.outcome}`, id: `push-${push.id}` },
    el("header", {},
      el("time", {}, clockTime(push.time)),
      el("span", { class: "what" }, title(push).filter(Boolean).flatMap((part) => [part, " "])),
      el("span", { class: `verdict ${tone(push.outcome)}` }, t(`o_${push.outcome}`))),
    el("ol", { class: "tries" }, push.tries.map(tryRow),
      push.outcome === "under_way" ? el("li", { class: "waiting" }, el("i", { class: "dot" }), t("tryNumber", push.tries.length + 1),
        el("span", { class: "bar" }, el("i", {}))) : null),
    contents(push));
}

function tone(outcome) {
  if (outcome === "failed") return "bad";
  return ["replied", "acknowledged"].includes(outcome) ? "good" : "";
}

function tryRow(tried) {
  const good = ["replied", "success", "empty", "acknowledged"].includes(tried.outcome);
  const fill = el("i");
  fill.style.width = `${Math.max(2, Math.min(100, (tried.ms / LIMIT) * 100))}%`;
  return el("li", { class: good ? "good" : "bad" },
    el("i", { class: "dot" }),
    el("span", { class: "number" }, t("tryNumber", tried.number)),
    el("span", { class: "bar" }, fill),
    el("span", { class: "ms" }, `${tried.ms} ms`),
    el("span", { class: "how" }, how(tried)),
    tried.reason && tried.outcome !== "http_status" ? el("p", { class: "reason" }, tried.reason) : null);
}

function how(tried) {
  const word = t(`try_${tried.outcome}`, tried.status);
  return tried.status && tried.outcome !== "http_status" ? `${tried.status} · ${word}` : word;
}

function contents(push) {
  const details = el("details", { open: open.has(push.id) },
    el("summary", { data: { focus: `push-${push.id}` } }, t("details")),
    el("h4", {}, t("sent")), el("pre", {}, pretty(push.sent)),
    push.reply ? [el("h4", {}, t("reply")), el("pre", {}, pretty(push.reply))] : null);
  details.addEventListener("toggle", () => (details.open ? open.add(push.id) : open.delete(push.id)));
  return details;
}

/** One element a line. */
function pretty(text) {
  if (!text.trimStart().startsWith("<")) {
    try {
      return JSON.stringify(JSON.parse(text), null, 2);
    } catch {
      return text;
    }
  }
  return text.replace(/(<xml>|<\/(?:\w+)>)(?=<)/g, "$1\n");
}

/** The JSSDK's functions that are checked, as a note begins. */
const CHECKED = /^(config|agentConfig|addCard|chooseCard):\s*/;

function callRow(call) {
  const paid = payCall(call);
  if (paid) return payRow(call, paid);
  const good = call.outcome === "answered" && (call.errcode ?? 0) === 0 && call.status < 400;
  const note = call.note ?? "";
  const [check, name] = CHECKED.exec(note) ?? [];
  return el("article", { class: "push send" },
    el("header", {},
      el("time", {}, clockTime(call.time)),
      el("span", { class: "what" }, el("b", {}, name ? `wx.${name}` : t(SHOWN[call.path])), " ", el("code", {}, call.path)),
      el("span", { class: `verdict ${good ? "good" : "bad"}` }, check ? note.slice(check.length) : verdict(call))),
    note && !check ? el("p", { class: "said" }, translated(note)) : null);
}

function payRow(call, name) {
  const { code, said, good } = payVerdict(call);
  return el("article", { class: "push send" },
    el("header", {},
      el("time", {}, clockTime(call.time)),
      el("span", { class: "what" }, el("b", {}, t(name)), " ", el("code", {}, call.path)),
      el("span", { class: `verdict ${good ? "good" : "bad"}` }, call.outcome === "answered" ? code : t(call.outcome))),
    said ? el("p", { class: "said" }, said) : null);
}

/** The platform writes its notes in English. */
function translated(note) {
  return language() === "en" ? note : notes.reduce((text, [english, chinese]) => text.replace(english, chinese), note);
}

function verdict(call) {
  if (call.outcome !== "answered") return t(call.outcome);
  return call.errcode === null ? `HTTP ${call.status}` : String(call.errcode);
}
