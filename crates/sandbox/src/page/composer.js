// The foot of the chat: the text field, the menu of the account, and the panel of everything else that can be sent.

import { control, el, toast } from "./dom.js";
import { icon } from "./icons.js";
import { sendLink, sendPlace, scanCode, scanText } from "./sheets.js";
import { t } from "./texts.js";

/** Larger pictures are made smaller before they are sent, in bytes; and how large they are then, in pixels. */
const LARGE = 900_000;
const LONGEST_SIDE = 1600;

/** What was written and not sent yet, and whether the menu is shown, by chat. */
const drafts = new Map();
const menus = new Map();

/** The foot of one chat. `push` sends, `visit` opens a web page. */
export function composer(contact, following, push, visit) {
  const foot = el("div", { class: "foot" });
  const build = () => {
    if (contact.kind === "official" && !following) return foot.replaceChildren(followButton(push));
    const withMenu = contact.menu && (menus.get(contact.key) ?? false);
    return foot.replaceChildren(withMenu ? menuBar(contact, { push, visit }, build) : textBar(contact, push, build));
  };
  build();
  return foot;
}

function followButton(push) {
  return el("div", { class: "follow" },
    el("p", {}, t("followHint")),
    el("button", { type: "button", class: "primary", onclick: () => push({ message: { Event: "subscribe" } }) }, t("follow")));
}

function textBar(contact, push, build) {
  const panel = el("div", { class: "panel", hidden: true }, sendables(contact, push, () => { panel.hidden = true; }));
  const field = el("textarea", {
    rows: 1, "aria-label": t("writeHere"), placeholder: t("writeHere"), data: { focus: "write" }, maxlength: 4000,
    value: drafts.get(contact.key) ?? "", oninput: () => grown(field, contact, sender),
  });
  const sender = el("button", { type: "submit", class: "primary" }, t("send"));
  const form = el("form", {}, switcher(contact, build, "menu", true), field,
    el("button", {
      type: "button", class: "icon plus", title: t("more"), "aria-label": t("more"),
      onclick: () => { panel.hidden = !panel.hidden; },
    }, icon("plus")),
    sender);
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const text = field.value.trim();
    if (!text) return;
    field.value = "";
    grown(field, contact, sender);
    if (await push({ text }) === null && !field.value) {
      field.value = text;
      grown(field, contact, sender);
    }
  });
  field.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
    event.preventDefault();
    form.requestSubmit();
  });
  grown(field, contact, sender);
  return el("div", {}, form, panel);
}

/** The field is as high as its text, and the button is there when there is one. */
function grown(field, contact, sender) {
  drafts.set(contact.key, field.value);
  sender.hidden = field.value.trim() === "";
  field.style.height = "auto";
  if (field.value) field.style.height = `${Math.min(field.scrollHeight, 110)}px`;
}

/** Between text and menu, where there is a menu. */
function switcher(contact, build, sign, toMenu) {
  if (!contact.menu) return null;
  return el("button", {
    type: "button", class: "icon switcher", title: t(toMenu ? "toMenu" : "toKeyboard"), "aria-label": t(toMenu ? "toMenu" : "toKeyboard"),
    onclick: () => {
      menus.set(contact.key, toMenu);
      build();
    },
  }, icon(sign));
}

function menuBar(contact, acts, build) {
  const bar = el("div", { class: "menu-bar" }, switcher(contact, build, "keyboard", false));
  const lists = [];
  for (const button of contact.menu.button) {
    const below = button.sub_button ?? [];
    const list = below.length
      ? el("div", { class: "below", hidden: true }, below.map((item) => el("button", {
          type: "button", onclick: () => {
            list.hidden = true;
            tap(item, contact, acts);
          },
        }, item.name)))
      : null;
    if (list) lists.push(list);
    bar.append(el("div", { class: "top-button" },
      el("button", {
        type: "button", "aria-haspopup": below.length ? "menu" : null,
        onclick: () => {
          for (const other of lists) if (other !== list) other.hidden = true;
          if (list) list.hidden = !list.hidden;
          else tap(button, contact, acts);
        },
      }, below.length ? icon("menu") : null, button.name), list ?? ""));
  }
  return bar;
}

/** What happens when an entry of the menu is tapped. WeCom spells some events in small letters. */
async function tap(button, contact, { push, visit }) {
  const { key } = button;
  const wecom = contact.kind === "wecom";
  const MenuId = contact.menu.id;
  switch (button.type) {
    case "click": return push({ message: { Event: wecom ? "click" : "CLICK", EventKey: key } });
    case "view":
      // The page opens whether the account listens or not.
      if (contact.callback) push({ message: { Event: wecom ? "view" : "VIEW", EventKey: button.url, MenuId } });
      return visit(button.url);
    case "miniprogram": case "view_miniprogram":
      return push({ message: { Event: "view_miniprogram", EventKey: button.pagepath ?? "", MenuId } });
    case "scancode_push": case "scancode_waitmsg":
      return scanText((text) => push({
        message: { Event: button.type, EventKey: key, ScanCodeInfo: { ScanType: "qrcode", ScanResult: text } },
      }));
    case "location_select":
      return sendPlace(async (place) => {
        const info = { Location_X: String(place.Location_X), Location_Y: String(place.Location_Y), Scale: "15", Label: place.Label, Poiname: "" };
        await push({ message: { Event: "location_select", EventKey: key, SendLocationInfo: info } });
        return push({ message: { MsgType: "location", ...place } });
      });
    case "pic_sysphoto": case "pic_photo_or_album": case "pic_weixin":
      return pickPicture(contact, async (message) => {
        const info = { Count: 1, PicList: { item: [{ PicMd5Sum: hexDigits(32) }] } };
        await push({ message: { Event: button.type, EventKey: key, SendPicsInfo: info } });
        return push({ message });
      });
    default: return toast(`${button.name}: ${button.type}`);
  }
}

/** Everything but text. */
function sendables(contact, push, close) {
  const { kind } = contact;
  const message = (given) => () => push({ message: given });
  const all = [
    ["album", "image", () => pickPicture(contact, (picture) => push({ message: picture }))],
    ["sample", "image", message({ MsgType: "image" })],
    kind !== "mini_program" && ["place", "pin", () => sendPlace((place) => push({ message: { MsgType: "location", ...place } }))],
    kind === "official" && ["scan", "scan", () => scanCode(contact, (scan) => push({ scan }))],
    kind !== "mini_program" && ["voice", "voice", message({ MsgType: "voice" })],
    kind !== "mini_program" && ["video", "video", message({ MsgType: "video" })],
    kind !== "mini_program" && ["shareLink", "link", () => sendLink((link) => push({ message: { MsgType: "link", ...link } }))],
    kind === "mini_program" && ["program", "program", message({
      MsgType: "miniprogrampage", Title: t("program"), AppId: contact.appid, PagePath: "pages/index/index", ThumbUrl: "",
    })],
    kind === "mini_program" && ["enterSession", "door", message({ Event: "user_enter_tempsession", SessionFrom: "sandbox" })],
    kind === "wecom" && ["enterSession", "door", message({ Event: "enter_agent", EventKey: "" })],
    kind !== "mini_program" && ["reportPlace", "pin", message({ Event: "LOCATION", Latitude: 23.137466, Longitude: 113.352425, Precision: 119.385040 })],
  ].filter(Boolean);
  return all.map(([name, sign, act]) => el("button", {
    type: "button", onclick: () => {
      close();
      act();
    },
  }, el("span", {}, icon(sign)), t(name)));
}

/** Lets the user choose a picture, uploads it and gives the message. */
function pickPicture(contact, send) {
  const input = el("input", { type: "file", accept: "image/png,image/jpeg,image/gif,image/webp,image/bmp" });
  input.addEventListener("change", async () => {
    const [file] = input.files;
    if (!file) return;
    const path = `/sandbox/accounts/${encodeURIComponent(contact.appid)}/media`;
    const kept = await control("POST", path, file.size > LARGE ? await smaller(file) : file);
    if (kept) send({ MsgType: "image", MediaId: kept.media_id });
  });
  input.click();
}

async function smaller(file) {
  const bitmap = await createImageBitmap(file);
  const scale = Math.min(1, LONGEST_SIDE / Math.max(bitmap.width, bitmap.height));
  const canvas = el("canvas", { width: Math.round(bitmap.width * scale), height: Math.round(bitmap.height * scale) });
  canvas.getContext("2d").drawImage(bitmap, 0, 0, canvas.width, canvas.height);
  return new Promise((done) => { canvas.toBlob(done, "image/jpeg", 0.85); });
}

function hexDigits(length) {
  return Array.from({ length }, () => Math.floor(Math.random() * 16).toString(16)).join("");
}
