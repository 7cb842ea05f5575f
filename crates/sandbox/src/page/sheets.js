// The dialogs of the phone: callback settings, about this chat, a place, a link, a code to scan.

import { control, copyable, el } from "./dom.js";
import { field, open } from "./dialogs.js";
import { t } from "./texts.js";

const PLACES = [["广州塔", 23.106574, 113.324587], ["天安门", 39.908722, 116.397499], ["外滩", 31.240344, 121.490595], ["市民中心", 22.543099, 114.057868]];
const dayTime = new Intl.DateTimeFormat("sv-SE", {
  timeZone: "Asia/Shanghai", month: "2-digit", day: "2-digit", hour: "2-digit", minute: "2-digit",
});
const MODES = ["plain", "compatible", "secure"];

/** The settings of WeChat's page 服务器配置. */
export function setCallback(contact) {
  const path = `/sandbox/accounts/${encodeURIComponent(contact.appid)}/callback`;
  const now = contact.callback ?? { url: "", token: "sandboxtoken", aes_key: "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG", mode: "secure", format: "xml" };
  const text = (name, value, extra) => el("input", { name, value, autocomplete: "off", spellcheck: "false", ...extra });
  const choice = (name, values, chosen, label) => el("fieldset", {}, el("legend", {}, label),
    el("div", { class: "choices" }, values.map((value) => el("label", {},
      el("input", { type: "radio", name, value, checked: value === chosen }), el("span", {}, MODES.includes(value) ? t(value) : value.toUpperCase())))));
  open(t("callback"), t("save"), [
    el("p", { class: "hint" }, t("callbackText")),
    field(t("url"), text("url", now.url, { type: "url", required: true, placeholder: "http://127.0.0.1:8080/app/test/msg" })),
    field(t("token"), text("token", now.token, { required: true, pattern: "[A-Za-z0-9]{3,32}" }), t("tokenHelp")),
    field(t("aesKey"), text("aes_key", now.aes_key ?? "", { pattern: "[A-Za-z0-9]{43}" }), t("aesHelp")),
    contact.kind === "wecom" ? null : choice("mode", MODES, now.mode, t("mode")),
    contact.kind === "mini_program" ? choice("format", ["xml", "json"], now.format, t("format")) : null,
    el("label", { class: "switch" }, el("input", { type: "checkbox", role: "switch", name: "check", checked: true }), el("span", {}, t("check"))),
  ], (values) => {
    const wish = Object.fromEntries([...values].filter(([name, value]) => name !== "check" && value !== ""));
    wish.check = values.has("check");
    if (contact.agentid !== null) wish.agentid = contact.agentid;
    return control("PUT", path, wish);
  });
}

/** The sandbox's own backend, for who has no server yet. */
export function useEcho(contact) {
  const agent = contact.agentid === null ? {} : { agentid: contact.agentid };
  return control("PUT", `/sandbox/accounts/${encodeURIComponent(contact.appid)}/callback`, {
    url: `${location.origin}/sandbox/backend`, token: "sandboxtoken", mode: "plain", ...agent,
  });
}

/** About the chat: who the user is, follow or not, what may still be sent. */
export function profile(contact, user, push) {
  const path = `/sandbox/accounts/${encodeURIComponent(contact.appid)}`;
  const row = (name, value) => el("div", {}, el("dt", {}, name), el("dd", {}, value));
  const act = (name, action, kind = "") => el("button", {
    type: "button", class: kind, onclick: () => {
      document.getElementById("dialog").close();
      action();
    },
  }, t(name));
  const knob = (name) => el("label", { class: "switch" },
    el("input", {
      type: "checkbox", role: "switch", checked: user[name],
      onchange: (event) => control("PATCH", `${path}/users/${encodeURIComponent(contact.phone)}`, { [name]: event.target.checked }),
    }),
    el("span", {}, t(name)));
  const left = user?.messages_left
    ? `${t("messages", user.messages_left)} · ${t("until", dayTime.format(user.messages_until))}`
    : t("messages", 0);
  open(contact.name, t("close"), [
    el("dl", { class: "ids profile" },
      row(t(contact.kind === "wecom" ? "corpid" : "appid"), copyable(contact.appid)),
      contact.kind === "wecom" ? null : row(t("originalId"), copyable(contact.originalId)),
      row(t(contact.kind === "wecom" ? "userid" : "openid"), copyable(contact.phone)),
      contact.kind === "wecom" ? null : row(t("quotaLeft"), left)),
    user && contact.kind !== "wecom" ? knob("receives") : null,
    user && contact.kind === "mini_program" ? knob("high_risk") : null,
    contact.kind === "mini_program" ? programLogin(path) : null,
    el("div", { class: "actions start" },
      contact.kind === "mini_program" ? null : user?.following
        ? act("unfollow", () => push({ message: { Event: "unsubscribe" } }), "danger")
        : act("follow", () => push({ message: { Event: "subscribe" } })),
      act("clearChat", () => control("DELETE", `${path}/chat`))),
  ], () => true, { plain: true });
}

/** What a mini program gets from wx.login(): a code, to be tried with jscode2session. */
function programLogin(path) {
  const place = el("dl", { class: "ids profile" });
  const logIn = async () => {
    const answer = await control("POST", `${path}/mini-program/login`, {});
    if (answer) place.replaceChildren(el("div", {}, el("dt", {}, "js_code"), el("dd", {}, copyable(answer.code))));
  };
  return el("div", { class: "actions start" }, el("button", { type: "button", onclick: logIn }, "wx.login()"), place);
}

export function sendPlace(send) {
  const form = open(t("place"), t("send"), [
    el("div", { class: "actions start" }, PLACES.map(([name, latitude, longitude]) => el("button", {
      type: "button", onclick: () => {
        form.elements.label.value = name;
        form.elements.latitude.value = latitude;
        form.elements.longitude.value = longitude;
      },
    }, name))),
    field(t("placeName"), el("input", { name: "label", value: PLACES[0][0], maxlength: 200, autocomplete: "off" })),
    el("div", { class: "pair" },
      field(t("latitude"), el("input", { name: "latitude", type: "number", step: "any", min: -90, max: 90, value: PLACES[0][1], required: true })),
      field(t("longitude"), el("input", { name: "longitude", type: "number", step: "any", min: -180, max: 180, value: PLACES[0][2], required: true }))),
  ], (values) => {
    send({
      Location_X: Number(values.get("latitude")), Location_Y: Number(values.get("longitude")), Scale: 15, Label: values.get("label"),
    });
    return true;
  });
}

export function sendLink(send) {
  open(t("shareLink"), t("send"), [
    field(t("linkTitle"), el("input", { name: "title", required: true, maxlength: 200, autocomplete: "off" })),
    field(t("linkUrl"), el("input", { name: "url", type: "url", required: true, value: "https://example.com/", autocomplete: "off" })),
  ], (values) => {
    send({ Title: values.get("title"), Description: values.get("title"), Url: values.get("url") });
    return true;
  });
}

/** A code whose text goes to the account, from an entry of the menu. */
export function scanText(send) {
  open(t("scanTitle"), t("send"), [
    field(t("scanText"), el("input", { name: "text", required: true, value: "https://example.com/hello", maxlength: 1000, autocomplete: "off" })),
  ], (values) => {
    send(values.get("text"));
    return true;
  });
}

/** A code with a scene: one of those that were made, or any other. */
export async function scanCode(contact, send) {
  const answer = await control("GET", `/sandbox/accounts/${encodeURIComponent(contact.appid)}/qrcodes`);
  const codes = answer?.qrcodes ?? [];
  const dialog = document.getElementById("dialog");
  open(t("scanTitle"), t("scan"), [
    el("p", { class: "hint" }, t("scanHelp")),
    codes.length
      ? el("div", { class: "codes" }, codes.slice(0, 12).map((code) => el("button", {
          type: "button", title: code.scene, onclick: () => {
            dialog.close();
            send(code.ticket);
          },
        }, el("img", { src: `/sandbox/qrcode.svg?${new URLSearchParams({ text: code.url })}`, alt: "", loading: "lazy" }), el("span", {}, code.scene))))
      : el("p", { class: "hint" }, t("noCodes")),
    field(t("scanScene"), el("input", { name: "scene", required: true, value: "poster", maxlength: 64, autocomplete: "off" })),
  ], (values) => {
    send(values.get("scene"));
    return true;
  });
}
