// The … menu of the phone's browser: what can be done with the page, what the phone is set to, and what a frame cannot do.

import { control, copy, copyable, el, toast } from "./dom.js";
import { icon } from "./icons.js";
import { sheet } from "./sheet.js";
import { t } from "./texts.js";

const SYSTEMS = ["android", "ios"];
const CONSENTS = ["ask", "allow", "refuse", "snapshot"];
/** Entries that hand the page on: their sign, their name for hideMenuItems, the event that pages hear. */
const SHARES = [
  ["shareToChat", "chat", "menuItem:share:appMessage", "menu:share:appmessage", "friend"],
  ["shareToTimeline", "timeline", "menuItem:share:timeline", "menu:share:timeline", "timeline"],
];

export function browserMenu(page, phone, reload) {
  const close = sheet(t("browserMenu"), [
    page.url ? about(page) : null,
    el("div", { class: "tiles" }, tiles(page, reload, () => close())),
    el("div", { class: "set" }, setting(phone, "system", SYSTEMS), setting(phone, "consent", CONSENTS)),
    headerNote(phone),
  ]);
}

/** Where the page says that it is, and what became of its wx.config. */
function about(page) {
  const verdict = page.verified && el("span", { class: `verdict ${/:ok$/.test(page.verified) ? "good" : "bad"}` }, page.verified.replace(/^(\w+):/, "wx.$1: "));
  return el("div", { class: "about" },
    el("p", {}, page.known ? t("providedBy", new URL(page.url).host) : t("somewhereHelp")),
    verdict ? el("p", {}, verdict) : null,
    elsewhere(page) ? el("p", { class: "warned" }, t("thirdParty", location.hostname)) : null);
}

/** Whether cookies of the page are those of a foreign site here. */
function elsewhere(page) {
  return page.known && new URL(page.url).hostname !== location.hostname;
}

function tiles(page, reload, close) {
  const hidden = (item) => page.hidden.has(item) || page.hidden.has("all");
  const tile = (name, sign, act, disabled = !page.url) => el("button", {
    type: "button", disabled, onclick: () => {
      close();
      act();
    },
  }, el("span", {}, icon(sign)), t(name));
  return [
    ...SHARES.filter(([, , item]) => !hidden(item)).map(([name, sign, , event, to]) => tile(name, sign, () => handOn(page, event, to))),
    hidden("menuItem:copyUrl") ? null : tile("copyLink", "link", () => copy(page.url), !page.known || !page.url),
    tile("openTab", "tab", () => window.open(page.url, "_blank", "noopener,noreferrer"), !page.known || !page.url),
    tile("reload", "reload", reload, !page.known || !page.url),
  ].filter(Boolean);
}

/** Tells the page that its visitor hands it on; and says what would be seen. */
function handOn(page, event, to) {
  if (page.origin) page.frame.contentWindow?.postMessage({ wechatSandbox: 1, kind: "share", event, to }, page.origin);
  toast(t("handedOn", page.share?.title || page.title || page.url));
}

function setting(phone, name, values) {
  return el("fieldset", {}, el("legend", {}, t(name)), el("div", { class: "segmented" }, values.map((value) => el("label", {},
    el("input", {
      type: "radio", name, value, checked: phone[name] === value, onchange: () => control("PATCH", "/sandbox/phone", { [name]: value }),
    }),
    el("span", { title: name === "consent" ? t(`${name}_${value}_help`) : null }, t(`${name}_${value}`))))));
}

/** A frame cannot change the header, and says so. */
function headerNote(phone) {
  const command = `chromium --user-agent="${phone.user_agent}" ${location.origin}/`;
  const right = /MicroMessenger/i.test(navigator.userAgent);
  return el("details", { class: "header-note" },
    el("summary", {}, t(right ? "headerRight" : "headerOwn")),
    el("p", { class: "hint" }, t(right ? "headerRightText" : "headerOwnText")),
    right ? null : copyable(command, { wrap: true, label: t("command") }));
}
