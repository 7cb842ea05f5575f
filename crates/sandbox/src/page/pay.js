// Payment on the phone: the sheet that asks whether to pay, and what came of it. For a code that was scanned it goes over the control
// API, for what a page in the phone's browser asks for over the bridge, which checks the page's signature as WeChat's client has it done.

import { control, el } from "./dom.js";
import { icon } from "./icons.js";
import { sheet } from "./sheet.js";
import { t } from "./texts.js";

/** How a `code_url` begins. */
const CODE = /^weixin:\/\/wxpay\/bizpayurl/i;
/** What can be paid with: WeChat's names of banks, with those of the texts. */
const PURSES = [["OTHERS", "balance"], ["CMB_DEBIT", "bankCmb"], ["ICBC_CREDIT", "bankIcbc"]];

/** An amount of fen. */
export function yuan(fen) {
  return `¥${(fen / 100).toFixed(2)}`;
}

/** Whether a scanned text is one to pay with. */
export function isPayCode(text) {
  return CODE.test(text.trim());
}

/** Shows the sheet of a scanned code. */
export function payByCode(text) {
  const order = { code_url: text.trim() };
  return paid({
    look: () => control("POST", "/sandbox/payments/look", { order }),
    decide: (decision, purse) => control("POST", "/sandbox/payments", { order, decision, purse }),
  });
}

/** Shows the sheet that a page asks for with `getBrandWCPayRequest`; answers what the page is to hear. */
export async function payForPage(request) {
  const post = async (path, more) => {
    const answer = await control("POST", path, { appId: request.appId, request, ...more });
    if (!answer || answer.sheet) return answer;
    const [, word] = /:(\w+)$/.exec(answer.err_msg ?? "") ?? [];
    if (word === "ok" || word === "cancel") return { result: word };
    return { result: "fail", refused: { text: answer.err_desc ?? answer.errMsg ?? "", hint: answer.hint ?? "" } };
  };
  return paid({
    look: () => post("/jsbridge/pay"),
    decide: (decision, purse) => post("/jsbridge/pay/decide", { decision, purse }),
  });
}

/** Asks, pays or not, and shows what came of it: `ok`, `cancel` or `fail`, and why. */
function paid(till) {
  return new Promise((resolve) => {
    const outcome = { status: "cancel", desc: "", hint: "" };
    const place = el("div", { class: "pay", "aria-live": "polite" });
    let asking = false;
    let underWay = null;
    const close = sheet(t("payTitle"), [place], {
      kind: "paying",
      closed: async () => {
        if (asking) till.decide("cancel", {});
        await underWay;
        resolve(outcome);
      },
    });
    const shown = (...content) => {
      place.replaceChildren(...content);
      place.querySelector("button.primary")?.focus();
    };
    const refuse = (refused) => {
      asking = false;
      Object.assign(outcome, { status: "fail", desc: refused.text, hint: refused.hint });
      shown(...objection(refused, close));
    };
    const pay = async (bill, purse) => {
      asking = false;
      shown(...waiting(t("payUnderWay")));
      underWay = till.decide("pay", { bank_type: purse });
      const answer = await underWay;
      if (answer?.result !== "ok") return refuse(answer?.refused ?? { text: t("payNoAnswer"), hint: "" });
      outcome.status = "ok";
      return shown(...receipt(bill, close));
    };
    shown(...waiting(t("payLooking")));
    till.look().then((answer) => {
      const refused = answer?.refused ?? answer?.sheet?.refused;
      if (refused || !answer?.sheet) return refuse(refused ?? { text: t("payNoAnswer"), hint: "" });
      asking = true;
      return shown(...question(answer.sheet, (purse) => pay(answer.sheet, purse)));
    });
  });
}

function waiting(text) {
  return [el("div", { class: "pay-waiting" }, el("div", { class: "dots" }, el("i"), el("i"), el("i")), el("p", {}, text))];
}

function question(bill, pay) {
  const purse = el("select", { name: "purse", "aria-label": t("payWith") }, PURSES.map(([value, name]) => el("option", { value }, t(name))));
  return [
    el("div", { class: "pay-head" }, el("span", { class: "pay-shop" }, icon("shop")), el("b", {}, bill.merchant_name)),
    el("p", { class: "pay-amount" }, yuan(bill.total)),
    el("dl", { class: "pay-lines" },
      line(t("payFor"), bill.description),
      line(t("payNumber"), el("code", {}, bill.out_trade_no)),
      el("div", {}, el("dt", {}, t("payWith")), el("dd", { class: "pay-purse" }, purse, icon("chevron")))),
    el("button", { type: "button", class: "primary pay-yes", onclick: () => pay(purse.value) }, t("payYes")),
  ];
}

function line(name, value) {
  return el("div", {}, el("dt", {}, name), el("dd", {}, value));
}

function receipt(bill, close) {
  return [
    el("div", { class: "pay-mark good" }, icon("check")),
    el("h2", {}, t("payDone")),
    el("p", { class: "pay-amount" }, yuan(bill.total)),
    el("dl", { class: "pay-lines" }, line(t("payTo"), bill.merchant_name), line(t("payFor"), bill.description)),
    el("button", { type: "button", class: "primary pay-yes", onclick: () => close() }, t("payFinish")),
  ];
}

function objection(refused, close) {
  return [
    el("div", { class: "pay-mark bad" }, icon("alert")),
    el("h2", {}, refused.text),
    refused.hint ? el("p", { class: "pay-hint" }, el("small", {}, t("payHint")), refused.hint) : null,
    el("button", { type: "button", class: "primary pay-yes", onclick: () => close() }, t("payClose")),
  ].filter(Boolean);
}
