// The phone: whose chat it shows, what stands in it, and what its user does. What the user sends goes over the control API.

import { openPage, openScanned, takePhone } from "./browser.js";
import { avatar, bubble, note } from "./bubbles.js";
import { clockTime, latestCalls } from "./calls.js";
import { composer } from "./composer.js";
import { createAccount } from "./dialogs.js";
import { control, copyable, el, show } from "./dom.js";
import { icon } from "./icons.js";
import { isPayCode } from "./pay.js";
import { openScanner } from "./scanner.js";
import { profile, setCallback, useEcho } from "./sheets.js";
import { t } from "./texts.js";
import { showTraffic } from "./traffic.js";

/** Between entries that are further apart stands their time, in milliseconds. */
const PAUSE = 300_000;
const MOST_PUSHES = 200;

let contacts = [];
/** Accounts without a chat: their logins are shown beside every one. */
let websites = new Set();
let chosen = null;
let chat = { user: null, entries: [] };
let pushes = new Map();
let loading = null;
let shownLast = "";

/** Takes over the accounts and pushes of the state. */
export function showPhone(state) {
  takePhone(state.phone);
  contacts = state.accounts.flatMap(contactsOf);
  websites = new Set(state.accounts.filter((account) => account.kind === "website").map((account) => account.appid));
  pushes = new Map(state.pushes.map((push) => [push.id, push]));
  if (!contacts.some((contact) => contact.key === chosen)) {
    chosen = (contacts.find((contact) => contact.callback) ?? contacts[0])?.key ?? null;
    chat = { user: null, entries: [] };
  }
  draw();
  load();
}

/** Takes over one push that began, was tried or ended. */
export function takePush(push) {
  pushes.set(push.id, push);
  if (pushes.size > MOST_PUSHES) pushes.delete(Math.min(...pushes.keys()));
  drawSoon();
  if (push.outcome !== "under_way") loadSoon();
}

/** Something may have been said. */
export function loadSoon() {
  loading ??= setTimeout(() => {
    loading = null;
    load();
  }, 60);
}

let drawing = false;

/** Many pushes may change between two frames. */
export function drawSoon() {
  if (drawing) return;
  drawing = true;
  requestAnimationFrame(() => {
    drawing = false;
    draw();
  });
}

function contactsOf(account) {
  const { appid, kind, phone, original_id: originalId } = account;
  const one = { appid, kind, phone, originalId };
  if (kind === "website") return [];
  if (kind !== "wecom") {
    return [{ ...one, key: appid, agentid: null, name: account.name, callback: account.callback, menu: account.menu }];
  }
  return account.apps.map((app) => ({
    ...one, key: `${appid}/${app.agentid}`, agentid: app.agentid, name: `${account.name} · ${app.name}`,
    callback: app.callback, menu: app.menu,
  }));
}

/** Shows another chat. */
function choose(key) {
  chosen = key;
  chat = { user: null, entries: [] };
  shownLast = "";
  draw();
  load();
}

/** Shows the chat of this key, when there is one; says whether it is one of WeCom. */
export function showChat(key) {
  if (contacts.some((contact) => contact.key === key)) choose(key);
  return current()?.kind === "wecom";
}

/** Opens a web page from the chat. */
function visit(address) {
  const contact = current();
  openPage(address, { wecom: contact?.kind === "wecom", chat: contact?.key ?? null });
}

/** Links of the chat open in the phone; with a key held, where the browser would open them. */
document.getElementById("chat").addEventListener("click", (event) => {
  const link = event.target.closest("a[href]:not(.picture)");
  if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
  event.preventDefault();
  visit(link.href);
});

/** A code is scanned: that of an account leads to its chat, an address into the browser. */
async function scan() {
  const text = await openScanner();
  if (text === null) return;
  if (isPayCode(text)) {
    openScanned(text);
    return;
  }
  for (const contact of contacts.filter((one) => one.kind === "official")) {
    const answer = await control("GET", `/sandbox/accounts/${encodeURIComponent(contact.appid)}/qrcodes`);
    const code = answer?.qrcodes.find((one) => one.url === text);
    if (code) {
      if (chosen !== contact.key) choose(contact.key);
      await push({ scan: code.ticket });
      return;
    }
  }
  openScanned(text);
}

function current() {
  return contacts.find((contact) => contact.key === chosen) ?? null;
}

async function load() {
  const contact = current();
  if (!contact) return;
  const answer = await control("GET", `/sandbox/accounts/${encodeURIComponent(contact.appid)}/chat`);
  if (!answer || contact.key !== chosen) return;
  chat = answer;
  draw();
}

/** Pushes what the user does; answers null when it could not be. */
async function push(wish) {
  const contact = current();
  if (!contact.callback) {
    setCallback(contact);
    return null;
  }
  const agent = contact.agentid === null ? {} : { agentid: contact.agentid };
  const pushed = await control("POST", `/sandbox/accounts/${encodeURIComponent(contact.appid)}/push`, { ...wish, ...agent });
  shownLast = "";
  return pushed;
}

/** The user taps an option of a question. */
function answer(option) {
  return push({ message: { MsgType: "text", Content: option.content, bizmsgmenuid: option.id } });
}

function draw() {
  const contact = current();
  drawContacts();
  drawHead(contact);
  drawChat(contact);
  drawTarget(contact);
  const parts = contact ? [{ contact, following: chat.user?.following !== false }] : [];
  show(document.getElementById("composer"), parts, (part) => part.contact.key, (part) => composer(part.contact, part.following, push, visit));
  showTraffic([...pushes.values()], latestCalls(), contact, websites);
}

function drawContacts() {
  const items = contacts.map((contact) => ({ ...contact, current: contact.key === chosen }));
  const nobody = () => el("button", { type: "button", class: "primary", onclick: () => createAccount() }, t("newAccount"));
  show(document.getElementById("contacts"), items.length ? items : [{ key: "none" }], (item) => item.key,
    items.length ? contactRow : nobody);
}

function contactRow(contact) {
  return el("button", {
    type: "button", class: "contact", "aria-pressed": String(contact.current), data: { focus: `contact-${contact.key}` },
    onclick: () => choose(contact.key),
  },
  avatar(contact),
  el("span", { class: "words" }, el("b", {}, contact.name), el("span", { class: contact.callback ? "" : "unset" },
    contact.callback ? t(contact.kind) : t("callbackNone"))));
}

function drawHead(contact) {
  const typing = chat.user?.typing ?? false;
  show(document.getElementById("chat-head"), [{ contact, typing, user: chat.user }], () => "head", () => el("div", {},
    el("div", { class: "tools" }, tool("scan", "scan", scan), tool("openBrowser", "globe", () => visit(""))),
    el("h2", { id: "chat-title" }, typing ? t("typing") : contact?.name ?? t("noAccounts")),
    contact
      ? el("button", {
          type: "button", class: "icon", "aria-label": t("profile"), title: t("profile"), data: { focus: "profile" },
          onclick: () => profile(contact, chat.user, push),
        }, icon("more"))
      : null));
}

function tool(name, sign, action) {
  return el("button", {
    type: "button", class: "icon", "aria-label": t(name), title: t(name), data: { focus: name }, onclick: action,
  }, icon(sign));
}

function drawChat(contact) {
  const place = document.getElementById("chat");
  const items = contact ? chatItems(contact) : [{ key: "empty", text: t("noAccountsText") }];
  const last = items.at(-1)?.key ?? "";
  const atEnd = place.scrollHeight - place.scrollTop - place.clientHeight < 80;
  const context = contact && { ...contact, choose: answer };
  show(place, items, (item) => item.key, (item) => {
    if (item.entry) return bubble(item.entry, context);
    if (item.waiting) return waiting(item, context);
    return item.time ? el("p", { class: "note time" }, clockTime(item.time).slice(0, 5)) : note(item.text, "empty");
  });
  if (atEnd || shownLast === "" || last !== shownLast) place.scrollTop = place.scrollHeight;
  shownLast = last;
}

/** Entries with the time between them, and a sign of life while an answer is awaited. */
function chatItems(contact) {
  const own = chat.entries.filter((entry) => (entry.agentid ?? null) === contact.agentid);
  const items = [];
  let before = -Infinity;
  for (const entry of own) {
    if (entry.time - before > PAUSE) items.push({ key: `t${entry.id}`, time: entry.time });
    before = entry.time;
    items.push({ key: `e${entry.id}`, entry: { ...entry, caption: caption(entry) } });
  }
  if (!items.length) items.push({ key: "empty", text: contact.callback ? t("empty") : t("emptyNoCallback") });
  const awaited = [...pushes.values()].findLast((push) => push.outcome === "under_way" && push.appid === contact.appid
    && (push.agentid ?? null) === contact.agentid && push.openid === contact.phone);
  if (awaited) items.push({ key: "waiting", waiting: true, tries: awaited.tries.length });
  return items;
}

/** Who said it, and how fast. */
function caption(entry) {
  if (entry.from === "account") return t("byApi");
  const tried = entry.from === "reply" ? pushes.get(entry.push)?.tries.at(-1) : null;
  if (!tried) return null;
  return t(tried.number > 1 ? "byReplyTry" : "byReply", tried.ms, tried.number);
}

function waiting(item, contact) {
  const text = item.tries ? t("workingAgain", item.tries + 1) : t("working");
  return el("div", { class: "entry" }, avatar(contact), el("div", { class: "said" },
    el("div", { class: "bubble dots", "aria-label": text }, el("i"), el("i"), el("i")),
    el("span", { class: "caption" }, text)));
}

/** Where pushes go. */
function drawTarget(contact) {
  show(document.getElementById("target"), contact ? [contact] : [], () => "target", (item) => el("div", { class: "target" },
    el("div", {},
      el("h3", {}, t("callback")),
      item.callback
        ? [copyable(item.callback.url, { label: "URL" }),
           el("p", { class: "hint" }, `${t(item.callback.mode)} · ${item.callback.format.toUpperCase()} · Token `, el("code", {}, item.callback.token))]
        : el("p", { class: "hint" }, t("callbackText"))),
    el("div", { class: "actions" },
      item.callback || item.kind !== "official"
        ? null
        : el("button", { type: "button", class: "primary", onclick: () => useEcho(item) }, t("tryEcho")),
      el("button", {
        type: "button", class: item.callback || item.kind === "official" ? "" : "primary", data: { focus: "callback" }, onclick: () => setCallback(item),
      }, t(item.callback ? "callbackEdit" : "callbackSet")))));
}
