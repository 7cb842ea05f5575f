// The phone's browser, over the chat: pages in frames, with their own origins, one over the other. A frame says who it is in its name,
// so that the script which pages load as jweixin-1.6.0.js (bridge.js) knows the phone at once; what that script tells comes by messages.
// Back leads through the history of a page and, at its beginning, closes it: each page is an entry of this document's history.

import { browserMenu } from "./browser_menu.js";
import { control, el, toast } from "./dom.js";
import { icon } from "./icons.js";
import { isPayCode, payByCode, payForPage } from "./pay.js";
import { openScanner, showPicture } from "./scanner.js";
import { language, t } from "./texts.js";

/** What a page may do, so that it works as in a tab; leading the phone itself away is all that it may not. */
const MAY = "allow-scripts allow-same-origin allow-forms allow-modals allow-downloads allow-popups allow-popups-to-escape-sandbox";
/** Names of this machine that the phone can have, whatever address the sandbox listens on. */
const LOOPBACK = /^(localhost|.+\.localhost|127\.0\.0\.1)$/;
/** Pages over one another; what a page opens beyond that is not shown. */
const MOST_PAGES = 10;
const place = document.getElementById("browser");

/** What the phone is set to. */
let phone = { system: "android", consent: "ask", chat: null, user_agent: "", wecom_user_agent: "" };
/** The open pages, the topmost last. */
let pages = [];
let count = 0;
/** Which way the next load leads: back -1, forward 1, the same page 0; null: somewhere new. */
let going = null;

/** Takes over the phone's settings of the state; open pages get to know them. */
export function takePhone(settings) {
  if (!settings || JSON.stringify(settings) === JSON.stringify(phone)) return;
  const other = settings.system !== phone.system || settings.user_agent !== phone.user_agent;
  phone = settings;
  if (other) pages.filter((page) => page.url).forEach(again);
  draw();
}

/** How many pages lie over the chat: what an entry of the history has to say. */
export function depth() {
  return pages.length;
}

/** Opens an address, or without one the browser with nothing in it; `chat` is the key of the chat that it stood in. */
export async function openPage(address = "", { wecom = false, chat = null } = {}) {
  const url = address === "" ? null : webAddress(address);
  if (address !== "" && !url) return toast(t("noWebAddress", address), true);
  if (pages.length >= MOST_PAGES || (url && leadOver(url, chat))) return null;
  if (url) await comesFrom(chat);
  const page = { id: count += 1, url: url?.href ?? "", title: "", known: true, wecom, chat, ahead: 0, loading: Boolean(url), hidden: new Set() };
  pages.push(page);
  history.pushState({ browser: pages.length }, "");
  page.frame = url ? frame(page) : el("div", { class: "blank" }, icon("globe"), el("p", {}, t("blankPage")));
  place.querySelector(".frames").append(page.frame);
  place.hidden = false;
  draw();
  if (url) page.frame.focus();
  else addressField().focus();
  return null;
}

/** Opens what stands in the page's own address: `#open=…`, with `chat` and `lang` beside it. */
export function openFromHash(choose) {
  const wish = new URLSearchParams(location.hash.slice(1));
  if (!wish.has("open")) return;
  history.replaceState(null, "", "#phone");
  const chat = wish.get("chat");
  openPage(wish.get("open"), { chat, wecom: chat ? choose(chat) : false });
}

/** The platform knows from which account's chat a page was opened: followers who come from there are not asked for consent. */
async function comesFrom(chat) {
  const appid = chat?.split("/")[0] ?? null;
  if ((phone.chat ?? null) !== appid) await control("PATCH", "/sandbox/phone", { chat: appid });
}

function webAddress(text) {
  try {
    const url = new URL(/^[a-z][a-z\d+.-]*:\/\//i.test(text) ? text : `http://${text}`);
    return ["http:", "https:"].includes(url.protocol) ? url : null;
  } catch {
    return null;
  }
}

/** Cookies of a page in a frame work as in a tab only when the phone's own host is the page's: two names of this machine are two sites. */
function leadOver(url, chat) {
  const both = LOOPBACK.test(url.hostname) && LOOPBACK.test(location.hostname);
  if (!both || url.hostname === location.hostname || location.protocol !== "http:") return false;
  const wish = new URLSearchParams({ open: url.href, lang: language(), ...(chat ? { chat } : {}) });
  location.href = `http://${url.hostname}:${location.port}/#${wish}`;
  return true;
}

function frameName(wecom) {
  const userAgent = wecom ? phone.wecom_user_agent : phone.user_agent;
  return JSON.stringify({ wechatSandbox: 1, origin: location.origin, system: phone.system, userAgent, language: language() });
}

function frame(page) {
  const element = el("iframe", {
    src: page.url, name: frameName(page.wecom), sandbox: MAY, title: t("webPage"), allow: "clipboard-write; fullscreen", referrerpolicy: "no-referrer",
  });
  element.addEventListener("load", () => loaded(page));
  return element;
}

/** A document is there; one that told nothing is known only when it is the first, or of the phone's own origin. */
function loaded(page) {
  // Null for documents of other origins.
  const own = page.frame.contentDocument;
  if (own?.URL === "about:blank") return;
  page.loading = false;
  if (own) {
    Object.assign(page, { url: own.URL, title: own.title, known: true });
  } else if (page.shown && !speaks(page)) {
    Object.assign(page, { known: going === 0 && page.known, title: "" });
  }
  if (!speaks(page)) page.origin = null;
  page.shown = true;
  moved(page);
}

/** Whether the document that is shown has told where it is, and so can be spoken to. */
function speaks(page) {
  return page.document !== undefined && page.document !== page.leftDocument;
}

function moved(page) {
  if (going === -1) page.ahead += 1;
  else if (going === 1) page.ahead = Math.max(0, page.ahead - 1);
  else if (going === null) page.ahead = 0;
  going = null;
  draw();
}

window.addEventListener("message", (event) => {
  const message = event.data;
  // What a document says when it leaves has no source any more.
  const said = (one) => (event.source ? one.frame.contentWindow === event.source : one.document !== undefined && one.document === message?.document);
  const page = pages.find(said);
  if (!page || message?.wechatSandbox !== 1 || !webAddress(String(message.url))) return;
  page.origin = event.origin;
  const spoken = { page: () => told(page, message), leaving: () => left(page, message), verified: () => { page.verified = String(message.errMsg); } };
  const others = {
    close: closeAll,
    open: () => openPage(String(message.address), { wecom: page.wecom, chat: page.chat }),
    share: () => { page.share = message; },
    menu: () => takeMenu(page, message),
    scan: () => scanFor(page, message),
    post: () => postFor(page, message),
    pay: async () => reply(page, message, await payForPage(message.request ?? {})),
    picture: () => heldDown(page, message),
  };
  (spoken[message.kind] ?? others[message.kind])?.();
  draw();
});

function told(page, message) {
  const sameDocument = page.document === message.document;
  const elsewhere = page.url !== message.url;
  if (!sameDocument) Object.assign(page, { verified: null, share: null, hidden: new Set(), withoutMenu: false });
  Object.assign(page, { document: message.document, url: message.url, title: String(message.title), known: true });
  // A route changed without a load.
  if (sameDocument && elsewhere && !page.loading) moved(page);
}

function left(page, message) {
  page.leftDocument = message.document;
  page.loading = true;
  // What never comes, such as a download, is not waited for.
  setTimeout(() => {
    page.loading = false;
    draw();
  }, 15_000);
}

function takeMenu(page, message) {
  if (typeof message.hidden === "boolean") page.withoutMenu = message.hidden;
  if (typeof message.base === "boolean") page.hidden = new Set(message.base ? ["all"] : []);
  for (const item of message.hide ?? []) page.hidden.add(String(item));
  for (const item of message.show ?? []) page.hidden.delete(String(item));
}

/** A page whose own policy forbids its script to reach the platform has the phone do it, as WeChat's client does. */
async function postFor(page, message) {
  if (!/^\/jsbridge\/\w+$/.test(message.path)) return;
  const response = await fetch(message.path, { method: "POST", body: String(message.body) });
  reply(page, message, await response.text());
}

function reply(page, message, value) {
  if (page.origin) page.frame.contentWindow?.postMessage({ wechatSandbox: 1, kind: "answer", id: message.id, value }, page.origin);
}

async function scanFor(page, message) {
  const text = await openScanner();
  reply(page, message, text);
  if (text !== null && !message.wanted) openScanned(text, { wecom: page.wecom });
}

/** A picture of the page was held down. */
async function heldDown(page, message) {
  const text = await showPicture(String(message.data ?? ""), String(message.address ?? ""));
  if (text !== null) openScanned(text, { wecom: page.wecom });
}

/** What was scanned is paid when it is a code to pay with, opened when it is a web address, else shown. */
export function openScanned(text, options = {}) {
  if (isPayCode(text)) return payByCode(text);
  if (/^https?:\/\//i.test(text) && webAddress(text)) return openPage(text, options);
  return toast(t("scanned", text));
}

function top() {
  return pages.at(-1);
}

function reload() {
  again(top());
  draw();
}

/** Loads a page again; the frame learns what the phone is set to now. */
function again(page) {
  const { contentWindow, contentDocument } = page.frame;
  const name = frameName(page.wecom);
  going = 0;
  page.loading = true;
  if (speaks(page)) return contentWindow.postMessage({ wechatSandbox: 1, kind: "reload", name }, page.origin);
  if (contentDocument) {
    contentWindow.name = name;
    return contentWindow.location.reload();
  }
  // By way of an empty document: to the same address alone it would not load when there is a # in it.
  page.frame.addEventListener("load", () => {
    contentWindow.name = name;
    contentWindow.location.replace(page.url);
  }, { once: true });
  return contentWindow.location.replace("about:blank");
}

function go(step) {
  going = step;
  history.go(step);
}

window.addEventListener("popstate", (event) => {
  const wanted = event.state?.browser ?? 0;
  if (wanted < pages.length) closeTo(wanted);
});

export function closeAll() {
  closeTo(0);
  history.replaceState(null, "");
}

function closeTo(number) {
  for (const page of pages.slice(number)) page.frame.remove();
  pages = pages.slice(0, number);
  going = null;
  place.hidden = pages.length === 0;
  draw();
}

/** The address that was typed: in the page that is open, as a new one when nothing is. */
async function visit(text) {
  const url = webAddress(text.trim());
  if (!url) return toast(t("noWebAddress", text), true);
  if (leadOver(url)) return null;
  await comesFrom(null);
  const page = top();
  if (!page) return null;
  const blank = !page.url;
  Object.assign(page, { url: url.href, title: "", known: true, loading: true, shown: false, chat: null });
  going = null;
  if (blank) {
    const before = page.frame;
    page.frame = frame(page);
    before.replaceWith(page.frame);
  } else page.frame.contentWindow.location.href = url.href;
  page.frame.focus();
  return draw();
}

/** The host of a page, whose place is not told when the page does not load the script. */
function hostOf(page) {
  if (!page.url) return "";
  return page.known ? new URL(page.url).host : t("somewhere");
}

function addressField() {
  return place.querySelector("input");
}

/** Draws head and foot; frames are never touched, they would load again. */
export function draw() {
  const page = top();
  if (!page) return;
  pages.forEach((one) => { one.frame.hidden = one !== page; });
  const host = hostOf(page);
  place.querySelector(".page-title").textContent = page.title || (page.known ? host : t("webPage")) || t("blankTitle");
  place.querySelector(".page-host").textContent = page.title || !page.known ? host : "";
  place.querySelector(".page-host").title = page.known ? page.url : t("somewhereHelp");
  place.querySelector(".progress").hidden = !page.loading;
  place.querySelector(".more").hidden = page.withoutMenu === true;
  place.querySelector(".forward").disabled = page.ahead === 0;
  place.querySelector(".reload").disabled = !page.url || !page.known;
  const field = addressField();
  if (document.activeElement !== field) field.value = page.known ? page.url : "";
}

/** The parts that are built once a language. */
export function buildBrowser() {
  const button = (name, sign, action) => el("button", {
    type: "button", class: `icon ${sign}`, title: t(name), "aria-label": t(name), onclick: action,
  }, icon(sign));
  const form = el("form", { class: "address" }, el("input", {
    type: "text", inputmode: "url", enterkeyhint: "go", "aria-label": t("address"), placeholder: t("address"), autocomplete: "off", spellcheck: "false",
    onfocus: (event) => event.target.select(),
  }));
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    visit(form.firstChild.value);
  });
  place.setAttribute("aria-label", t("browser"));
  place.querySelector(".browser-head").replaceChildren(
    button("closeBrowser", "close", closeAll),
    el("div", { class: "page-names" }, el("b", { class: "page-title" }), el("span", { class: "page-host" })),
    button("browserMenu", "more", () => browserMenu(top(), phone, reload)),
    el("i", { class: "progress", hidden: true }));
  place.querySelector(".browser-foot").replaceChildren(
    button("goBack", "back", () => go(-1)), button("goForward", "forward", () => go(1)), form, button("reload", "reload", reload));
  draw();
}

place.addEventListener("keydown", (event) => {
  if (event.key === "Escape" && event.target !== addressField()) closeAll();
});
