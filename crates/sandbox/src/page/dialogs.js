// The dialogs: a new account, a new fault, a question.

import { control, el } from "./dom.js";
import { t } from "./texts.js";

const PATHS = [
  "/cgi-bin/*", "/cgi-bin/token", "/cgi-bin/stable_token", "/cgi-bin/ticket/getticket", "/cgi-bin/gettoken",
  "/cgi-bin/get_jsapi_ticket", "/cgi-bin/ticket/get", "/cgi-bin/getcallbackip", "/cgi-bin/clear_quota",
];
const CODES = [-1, 40001, 40014, 42001, 40164, 45009, 45011, 48001];

/** Opens the dialog with a form; `done` gets its values, and what it answers (null: not yet) closes the dialog. A plain one
 * has nothing to cancel. */
export function open(title, action, fields, done, { plain = false } = {}) {
  const dialog = document.getElementById("dialog");
  const form = el("form", { method: "dialog" },
    el("h2", { id: "dialog-title" }, title),
    fields.filter(Boolean),
    el("div", { class: "actions" },
      plain ? null : el("button", { type: "button", onclick: () => dialog.close() }, t("cancel")),
      el("button", { type: "submit", class: "primary" }, action)));
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (await done(new FormData(form)) !== null) dialog.close();
  });
  dialog.replaceChildren(form);
  dialog.showModal();
  return form;
}

/** Asks before something that cannot be undone. */
export function ask(question, act) {
  open(question, t("confirm"), [], act);
}

export function createAccount(kind = "official") {
  const kinds = ["official", "mini_program", "wecom", "website"];
  open(t("newAccount"), t("create"), [
    el("fieldset", {}, el("legend", {}, t("kind")),
      el("div", { class: "choices" }, kinds.map((name) => el("label", {},
        el("input", { type: "radio", name: "kind", value: name, checked: name === kind }), el("span", {}, t(name)))))),
    field(t("name"), el("input", { name: "name", maxlength: 128, autocomplete: "off", placeholder: t("optional") })),
    field("AppID", el("input", {
      name: "appid", maxlength: 128, pattern: "[A-Za-z0-9_\\-]+", autocomplete: "off", spellcheck: "false",
      placeholder: t("optional"),
    })),
    field("Secret", el("input", {
      name: "secret", maxlength: 128, autocomplete: "off", spellcheck: "false", placeholder: t("optional"),
    })),
  ], (values) => {
    const wish = Object.fromEntries([...values].filter(([, value]) => value !== ""));
    return createNow(wish);
  });
}

/** Creates an account; one without a name gets that of its kind in the page's language. */
export function createNow(wish) {
  return control("POST", "/sandbox/accounts", { name: t(wish.kind), ...wish });
}

export function createFault(accounts) {
  const kinds = ["errcode", "status", "delay", "drop", "truncate", "hang"];
  const kind = el("select", { name: "kind" }, kinds.map((name) => el("option", { value: name }, t(name))));
  const extra = el("div", { class: "extra" });
  const fill = () => extra.replaceChildren(...extraFields(kind.value));
  kind.addEventListener("change", fill);
  fill();
  open(t("newFault"), t("inject"), [
    field(t("path"), el("input", {
      name: "path", list: "paths", required: true, value: "/cgi-bin/*", autocomplete: "off", spellcheck: "false",
      title: t("pathHelp"),
    }), t("pathHelp")),
    el("datalist", { id: "paths" }, PATHS.map((path) => el("option", { value: path }))),
    field(t("account"), el("select", { name: "appid" },
      el("option", { value: "" }, t("anyAccount")),
      accounts.map((account) => el("option", { value: account.appid }, `${account.name} (${account.appid})`)))),
    field(t("what"), kind),
    extra,
    field(t("howOften"), number("times", 1, 1, 1_000_000)),
  ], (values) => control("POST", "/sandbox/faults", wish(values)));
}

function extraFields(kind) {
  const carryOut = el("label", { class: "switch" },
    el("input", { type: "checkbox", role: "switch", name: "carry_out" }), el("span", {}, t("carryOut")));
  switch (kind) {
    case "errcode":
      return [
        field(t("code"), el("input", {
          name: "errcode", type: "text", inputmode: "numeric", pattern: "-?[0-9]+", required: true, list: "codes", value: "-1",
        })),
        el("datalist", { id: "codes" }, CODES.map((code) => el("option", { value: code }))),
      ];
    case "status": return [field(t("httpStatus"), number("status", 502, 200, 599))];
    case "delay": return [field(t("milliseconds"), number("delay_ms", 3000, 1, 600_000))];
    case "drop": case "hang": return [carryOut];
    default: return [];
  }
}

function wish(values) {
  const kind = values.get("kind");
  const fault = { path: values.get("path"), times: Number(values.get("times")) };
  if (values.get("appid")) fault.appid = values.get("appid");
  if (values.get("carry_out")) fault.carry_out = true;
  for (const name of ["errcode", "status", "delay_ms"]) {
    if (values.has(name)) fault[name] = Number(values.get(name));
  }
  if (["drop", "truncate", "hang"].includes(kind)) fault[kind] = true;
  return fault;
}

function number(name, value, min, max) {
  return el("input", { name, type: "number", value, min, max, required: true });
}

export function field(label, input, hint) {
  return el("label", { class: "field" }, el("span", {}, label, hint ? el("small", {}, hint) : null), input);
}
