// The cards: an account with its tokens, tickets, quotas and settings.

import { ask, field } from "./dialogs.js";
import { api, control, copyable, el, show } from "./dom.js";
import { merchantCard } from "./merchants.js";
import { t } from "./texts.js";

/** Cards whose settings are open; a card that is built again opens them again. */
const open = new Set();

/** The accounts, then the merchants. */
export function showAccounts(accounts, merchants, createFirst) {
  const place = document.getElementById("accounts");
  const items = [...(accounts.length ? accounts : [{ appid: "welcome" }]), ...merchants];
  show(place, items, (item) => item.mch_id ?? item.appid, (item) => {
    if (item.mch_id) return merchantCard(item);
    return accounts.length ? card(item) : welcome(createFirst);
  });
}

function welcome(createFirst) {
  const kinds = ["official", "mini_program", "wecom"];
  return el("div", { class: "card welcome" },
    el("img", { src: "/sandbox/page/icon.svg", alt: "", width: 56, height: 56 }),
    el("h3", {}, t("welcome")),
    el("p", {}, t("welcomeText")),
    el("div", { class: "actions" }, kinds.map((kind, index) => el("button", {
      type: "button", class: index === 0 ? "primary" : "", onclick: () => createFirst(kind),
    }, t(kind)))));
}

function card(account) {
  const wecom = account.kind === "wecom";
  return el("article", { class: "card" },
    el("header", {},
      el("h3", {}, account.name),
      el("span", { class: `kind ${account.kind}` }, t(account.kind)),
      warnings(account)),
    el("dl", { class: "ids" },
      pair(t(wecom ? "corpid" : "appid"), copyable(account.appid)),
      wecom
        ? account.agents.map((agent) => pair(t("corpsecret", agent.agentid), copyable(agent.secret, { mask: 6 })))
        : pair(t("secret"), copyable(account.secret, { mask: 6 }))),
    account.tokens.length ? part("tokens", account.tokens.map((token) => tokenRow(account, token))) : firstSteps(account),
    account.tickets.length ? part("tickets", account.tickets.map(ticketRow)) : null,
    actions(account),
    account.quotas.length ? part("quotas", account.quotas.map(quotaRow)) : null,
    settings(account));
}

function warnings(account) {
  const names = ["frozen", "secret_frozen", "token_api_disabled"].filter((name) => account.settings[name]);
  return names.map((name) => el("span", { class: "warning" }, t(name)));
}

function pair(term, value) {
  return el("div", {}, el("dt", {}, term), el("dd", {}, value));
}

function part(name, rows) {
  return el("section", { class: name }, el("h4", {}, t(name)), el("ul", {}, rows));
}

function firstSteps(account) {
  const { appid, secret, kind } = account;
  if (kind === "website") return websiteSteps(appid);
  const query = kind === "wecom"
    ? `/cgi-bin/gettoken?corpid=${encodeURIComponent(appid)}&corpsecret=${encodeURIComponent(secret)}`
    : `/cgi-bin/token?grant_type=client_credential&appid=${encodeURIComponent(appid)}&secret=${encodeURIComponent(secret)}`;
  return el("section", { class: "first" },
    el("h4", {}, t("tokens")),
    el("p", {}, t("noTokens")),
    copyable(`curl '${location.origin}${query}'`, { wrap: true, label: "curl" }));
}

/** A website application has logins alone. */
function websiteSteps(appid) {
  const back = encodeURIComponent("http://127.0.0.1:8080/");
  const link = `${location.origin}/connect/qrconnect?appid=${appid}&redirect_uri=${back}&response_type=code&scope=snsapi_login&state=1#wechat_redirect`;
  return el("section", { class: "first" }, el("p", {}, t("websiteSteps")), copyable(link, { wrap: true, label: "URL" }));
}

function tokenRow(account, token) {
  const whose = token.agentid ? t("app", token.agentid) : t(token.space);
  const name = `${whose} · ${t(token.slot)}`;
  const alive = token.state === "valid";
  return el("li", { class: alive ? "life" : "life dead" },
    el("span", { class: "label" }, el("b", {}, whose), ` ${t(token.slot)}`),
    copyable(token.access_token, { mask: 8, label: name }),
    alive
      ? remaining(token.issued, token.good_until)
      : el("span", { class: "left" }, t(token.state)),
    alive
      ? el("button", {
          class: "quiet danger", type: "button", data: { focus: `kill-${token.access_token}` },
          title: t("killHelp", token.space === "wecom" ? 40014 : 40001), "aria-label": `${t("kill")} ${name}`,
          onclick: () => control("POST", "/sandbox/tokens/kill", { access_token: token.access_token }),
        }, t("kill"))
      : null);
}

function ticketRow(ticket) {
  const whose = ticket.agentid ? t("app", ticket.agentid) : "";
  const alive = ticket.state === "valid";
  return el("li", { class: alive ? "life" : "life dead" },
    el("span", { class: "label" }, el("b", {}, ticket.type), ` ${whose}`),
    copyable(ticket.ticket, { mask: 8, label: ticket.type }),
    alive ? remaining(ticket.issued, ticket.expires) : el("span", { class: "left" }, t(ticket.state)));
}

/** A time that ticks; `tick` in main.js keeps it current. */
function remaining(from, until) {
  return el("span", { class: "left", data: { from, until } },
    el("span", { class: "count" }), el("span", { class: "bar" }, el("i")));
}

function actions(account) {
  const { appid, secret, kind } = account;
  const grant = { grant_type: "client_credential", appid, secret };
  if (kind === "website") return null;
  const good = account.tokens.find((token) => token.slot === "current" && token.state === "valid")?.access_token;
  const button = (key, act) => el("button", { type: "button", data: { focus: `${key}-${appid}` }, onclick: act }, t(key));
  const buttons = kind === "wecom"
    ? [button("getWecom", () => api(`/cgi-bin/gettoken?${new URLSearchParams({ corpid: appid, corpsecret: secret })}`))]
    : [button("getStable", () => api("/cgi-bin/stable_token", grant)),
       button("getClassic", () => api(`/cgi-bin/token?${new URLSearchParams(grant)}`))];
  if (good && account.settings.rights.jssdk) {
    const query = new URLSearchParams({ access_token: good, type: "jsapi" });
    const path = kind === "wecom" ? "/cgi-bin/get_jsapi_ticket" : "/cgi-bin/ticket/getticket";
    buttons.push(button("getTicket", () => api(`${path}?${query}`)));
  }
  return el("div", { class: "actions" }, buttons);
}

function quotaRow(quota) {
  const share = quota.limit === null ? 0 : Math.min(1, quota.used / Math.max(1, quota.limit));
  const fill = el("i");
  // A used quota is never invisible.
  fill.style.width = `${quota.used ? Math.max(1.5, share * 100) : 0}%`;
  const limit = quota.limit === null ? t("unlimited") : quota.limit.toLocaleString();
  return el("li", { class: share >= 1 ? "quota full" : "quota" },
    el("code", {}, quota.path),
    el("span", {}, `${quota.used.toLocaleString()} / ${limit}`),
    el("span", { class: "bar" }, fill));
}

function settings(account) {
  const { appid } = account;
  const path = `/sandbox/accounts/${encodeURIComponent(appid)}`;
  const flags = ["frozen", "secret_frozen", "token_api_disabled"];
  const common = ["jssdk", "cards", "customer_service"];
  const rights = { website: ["web_login"], official: [...common, "web_login"] }[account.kind] ?? common;
  const toggle = (name, checked, patch) => el("label", { class: "switch" },
    el("input", {
      type: "checkbox", role: "switch", checked, data: { focus: `${name}-${appid}` },
      onchange: (event) => control("PATCH", path, patch(event.target.checked)),
    }),
    el("span", {}, t(name)));
  const details = el("details", { open: open.has(appid) },
    el("summary", { data: { focus: `settings-${appid}` } }, t("settings")),
    el("div", { class: "switches" },
      ["wecom", "website"].includes(account.kind)
        ? toggle("frozen", account.settings.frozen, (on) => ({ frozen: on }))
        : flags.map((name) => toggle(name, account.settings[name], (on) => ({ [name]: on }))),
      rights.map((name) => toggle(name, account.settings.rights[name], (on) => ({ rights: { [name]: on } }))),
      account.kind === "wecom"
        ? null
        : toggle("open_platform", account.settings.open_platform, (on) => ({ open_platform: on }))),
    account.kind === "mini_program" ? null : domains(account, path),
    el("div", { class: "actions" },
      el("button", {
        type: "button", data: { focus: `reset-${appid}` },
        onclick: () => ask(t("confirmReset", account.name), () => control("PATCH", path, { reset_secret: true })),
      }, t("resetSecret")),
      el("button", {
        type: "button", class: "danger", data: { focus: `delete-${appid}` },
        onclick: () => ask(t("confirmDelete", account.name), () => control("DELETE", path)),
      }, t("deleteAccount"))));
  details.addEventListener("toggle", () => (details.open ? open.add(appid) : open.delete(appid)));
  return details;
}

/** The hosts of the pages that may have visitors led back to them, and that may use the JSSDK. */
function domains(account, path) {
  const names = account.kind === "website" ? ["web_domains"] : ["web_domains", "js_domains"];
  return el("div", { class: "domains" }, names.map((name) => field(t(name), el("input", {
    value: account.settings[name].join(" "), placeholder: t("anyDomain"), autocomplete: "off", spellcheck: "false", data: { focus: `${name}-${account.appid}` },
    onchange: (event) => control("PATCH", path, { [name]: event.target.value.split(/[\s,，、]+/).filter(Boolean) }),
  }))));
}
