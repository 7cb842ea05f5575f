// What stands in a chat: bubbles, cards and notes. Texts reach the document as text only; of what they hold, links alone
// become more than that, and only to http and https.

import { el } from "./dom.js";
import { icon } from "./icons.js";
import { t } from "./texts.js";

const ANCHOR = /<a\b([^>]*)>([\s\S]*?)<\/a>/gi;
const BARE_LINK = /https?:\/\/[^\s<>"'，。！？、；：）】》]+/gi;

/** The element of one entry. `context` has the account's id, its menu, and `choose` for tapped options. */
export function bubble(entry, context) {
  const { content } = entry;
  if (content.type === "event") return note(eventText(content, context.menu));
  if (content.type === "transfer") {
    return note(content.agent ? t("transferredTo", content.agent) : t("transferred"));
  }
  if (content.type === "unavailable") return note(content.text, "unavailable");
  const mine = entry.from === "user";
  return el("div", { class: mine ? "entry mine" : "entry" },
    avatar(mine ? null : context),
    el("div", { class: "said" },
      body(content, context),
      entry.caption ? el("span", { class: "caption" }, entry.caption) : null));
}

/** The picture of an account, made of its name; without one, that of the user. */
export function avatar(account) {
  if (!account) return el("span", { class: "avatar me", "aria-hidden": "true" }, "我");
  const colour = [...account.appid].reduce((sum, letter) => (sum * 31 + letter.codePointAt(0)) % 6, 7);
  return el("span", { class: `avatar c${colour}`, "aria-hidden": "true" }, [...account.name.trim()][0] ?? "?");
}

export function note(text, kind = "") {
  return el("p", { class: `note ${kind}` }, el("span", {}, text));
}

function body(content, context) {
  switch (content.type) {
    case "text": return el("div", { class: "bubble" }, rich(content.text, context));
    case "markdown": return el("div", { class: "bubble" }, content.text);
    case "image": return picture(content.media_id, context);
    case "voice": return el("div", { class: "bubble voice" }, icon("waves"), "3″");
    case "video": return video(content);
    case "music": return card("music", content.title || content.url, content.description, content.url, icon("music"));
    case "news": return news(content.articles);
    case "location": return place(content);
    case "link": return card("shared", content.title, content.description, content.url, icon("link"));
    case "textcard":
    case "text_card": return textCard(content);
    case "notice": return filledTemplate(content);
    case "mini_program_page": return program(content);
    case "msg_menu": return options(content, context);
    case "reference": return reference(content);
    default: return el("div", { class: "bubble raw" }, el("b", {}, t("other", content.kind ?? "")), content.text ?? "");
  }
}

/** Text with its links. */
function rich(text, context) {
  const nodes = [];
  let at = 0;
  for (const match of text.matchAll(ANCHOR)) {
    nodes.push(...linked(text.slice(at, match.index)), anchor(match[1], match[2], context));
    at = match.index + match[0].length;
  }
  nodes.push(...linked(text.slice(at)));
  return nodes;
}

function linked(text) {
  const nodes = [];
  let at = 0;
  for (const match of text.matchAll(BARE_LINK)) {
    nodes.push(text.slice(at, match.index), outside(match[0], match[0]));
    at = match.index + match[0].length;
  }
  return [...nodes, text.slice(at)].filter((node) => node !== "");
}

function anchor(attributes, label, context) {
  const value = (name) => new RegExp(`(?:^|\\s)${name}\\s*=\\s*["']([^"']*)["']`, "i").exec(attributes)?.[1] ?? "";
  const href = value("href");
  if (value("data-miniprogram-appid")) {
    return el("span", { class: "to-program", title: value("data-miniprogram-path") }, icon("program"), label);
  }
  if (href.startsWith("weixin://bizmsgmenu?")) {
    const wanted = new URLSearchParams(href.slice(href.indexOf("?") + 1));
    const option = { id: wanted.get("msgmenuid") ?? "", content: wanted.get("msgmenucontent") ?? label };
    return el("button", { type: "button", class: "text-link", onclick: () => context.choose(option) }, label);
  }
  return outside(href, label);
}

/** A link to http or https; anything else stays text. */
export function outside(address, label, properties = {}) {
  let url = null;
  try {
    url = new URL(address);
  } catch {
    // No link then.
  }
  if (!url || !["http:", "https:"].includes(url.protocol)) return el("span", properties, label);
  return el("a", { ...properties, href: url.href, target: "_blank", rel: "noopener noreferrer" }, label);
}

function picture(id, { appid }) {
  const source = `/sandbox/accounts/${encodeURIComponent(appid)}/media/${encodeURIComponent(id)}`;
  const image = el("img", { alt: t("album"), src: source });
  const frame = el("a", { class: "picture", href: source, target: "_blank", rel: "noopener noreferrer" }, image);
  const short = id.length > 14 ? `${id.slice(0, 6)}…${id.slice(-4)}` : id;
  image.addEventListener("error", () => {
    frame.replaceWith(el("div", { class: "bubble gone" }, icon("image"), t("pictureGone", short)));
  });
  return frame;
}

function video(content) {
  return el("div", { class: "video" },
    el("div", { class: "screen" }, icon("play")),
    content.title || content.description
      ? el("div", { class: "words" }, content.title ? el("b", {}, content.title) : null, content.description)
      : null);
}

function card(kind, title, description, address, sign) {
  const inner = [
    el("b", {}, title || address || "–"),
    el("div", { class: "row" },
      el("p", {}, description || host(address)), el("span", { class: "thumb" }, sign)),
  ];
  return outside(address, inner, { class: `card-message ${kind}` });
}

function host(address) {
  try {
    return new URL(address).host;
  } catch {
    return address;
  }
}

function news(articles) {
  if (articles.length === 1) {
    const [article] = articles;
    return outside(article.url, [
      cover(article),
      el("b", {}, article.title),
      article.description ? el("p", {}, article.description) : null,
      el("span", { class: "read" }, t("readAll"), el("i", {}, "›")),
    ].filter(Boolean), { class: "card-message article" });
  }
  return el("div", { class: "card-message articles" }, articles.map((article, at) => outside(article.url,
    at === 0
      ? [cover(article), el("b", {}, article.title)]
      : [el("span", {}, article.title), el("span", { class: "thumb" }, icon("image"))],
    { class: at === 0 ? "first" : "further" })));
}

/** Pictures from elsewhere are not fetched: the page takes nothing from other sites. */
function cover(article) {
  return el("span", { class: "cover", title: article.picture || null }, icon("image"));
}

function place(content) {
  return el("div", { class: "card-message place" },
    el("b", {}, content.label || t("place")),
    el("p", {}, `${content.latitude}, ${content.longitude}`),
    el("span", { class: "map" }, icon("pin")));
}

function textCard(content) {
  return outside(content.url, [
    el("b", {}, content.title),
    el("p", {}, content.description),
    el("span", { class: "read" }, content.button || t("viewDetails"), el("i", {}, "›")),
  ], { class: "card-message textcard" });
}

/** A template message or a subscription message: its lines in two columns, and the way on. */
function filledTemplate(content) {
  const leads = content.appid || content.url;
  const inner = [
    el("b", {}, content.title),
    el("dl", {}, content.lines.filter((line) => line.value).flatMap((line) => (line.label
      ? [el("dt", {}, line.label), el("dd", {}, line.value)]
      : [el("dd", { class: "whole" }, line.value)]))),
    leads ? el("span", { class: "read" }, content.appid ? t("toProgram") : t("viewDetails"), el("i", {}, "›")) : null,
  ].filter(Boolean);
  const properties = { class: "card-message filled", title: `${content.appid} ${content.path}`.trim() || null };
  return content.appid ? el("div", properties, inner) : outside(content.url, inner, properties);
}

function program(content) {
  return el("div", { class: "card-message program", title: `${content.appid} ${content.path}`.trim() },
    el("span", { class: "from" }, icon("program"), content.appid || t("miniProgram")),
    el("b", {}, content.title || t("miniProgram")),
    el("span", { class: "cover" }, icon("program")),
    el("span", { class: "foot" }, icon("program"), t("miniProgram")));
}

function options(content, context) {
  return el("div", { class: "bubble options" },
    content.head ? el("p", {}, content.head) : null,
    content.options.map((option) => el("button", {
      type: "button", class: "text-link", onclick: () => context.choose(option),
    }, option.content)),
    content.tail ? el("p", {}, content.tail) : null);
}

function reference(content) {
  const name = { wxcard: "card", file: "file" }[content.kind] ?? content.kind;
  return el("div", { class: "card-message reference" },
    el("div", { class: "row" }, el("span", { class: "thumb" }, icon("card")), el("div", {}, el("b", {}, t(name)), el("p", {}, content.id))));
}

/** What a person would say about an event. */
export function eventText({ event, key }, menu) {
  const name = () => buttonName(menu, key) ?? key;
  if (event === "subscribe" && key) return t("e_subscribe_scene", key.replace(/^qrscene_/, ""));
  if (["CLICK", "click"].includes(event)) return t("e_CLICK", name());
  if (["VIEW", "view"].includes(event)) return t("e_VIEW", key);
  if (event.startsWith("scancode_")) return t("e_scancode", name());
  if (event.startsWith("pic_")) return t("e_pic", name());
  if (event === "location_select") return t("e_location_select", name());
  const known = ["subscribe", "unsubscribe", "SCAN", "LOCATION", "view_miniprogram", "user_enter_tempsession", "enter_agent"];
  return known.includes(event) ? t(`e_${event}`, key) : t("e_other", event, key);
}

function buttonName(menu, key) {
  const all = (menu?.button ?? []).flatMap((button) => [button, ...(button.sub_button ?? [])]);
  return all.find((button) => button.key === key)?.name;
}
