// The page: fetches the state, listens to events, keeps clocks ticking. Everything it does goes over the control API.

import { showAccounts } from "./accounts.js";
import { buildBrowser, depth, openFromHash } from "./browser.js";
import { addCall, clockTime, draw, showFaults, takeCalls } from "./calls.js";
import { createAccount, createFault, createNow } from "./dialogs.js";
import { control, el } from "./dom.js";
import { allMerchants, loadPaymentsSoon, takeNotice, watchPayments } from "./payments.js";
import { drawSoon, loadSoon, showChat, showPhone, takePush } from "./phone.js";
import { applyTexts, switchLanguage, t, useLanguage } from "./texts.js";
import { clearTraffic } from "./traffic.js";

/** Steps by which the clock is advanced: seconds, and how they are called. */
const STEPS = [[30, "seconds", 30], [300, "minutes", 5], [3600, "hours", 1], [7200, "hours", 2], [86400, "days", 1]];
const PACES = ["live", "stepped"];
/** A token with less than this left is about to be replaced, in milliseconds. */
const SOON = 300_000;

/** Calls by which an account writes to its users. */
const SENDS = /^\/cgi-bin\/message\//;
/** Changes after which orders, merchants or notifications may be others. */
const PAYMENTS = ["orders", "merchants", "refunds", "clock", "reset"];
const VIEWS = ["phone", "platform"];

let state = { clock: { now: Date.now(), pace: "live" }, accounts: [], faults: [], calls: [], pushes: [] };
let arrived = performance.now();
let pending = null;
let connected = false;

async function refresh() {
  const answer = await control("GET", "/sandbox/state");
  if (!answer) return;
  state = answer;
  arrived = performance.now();
  takeCalls(state.calls);
  render();
}

/** Fetches the state soon; many wishes within a moment are one. */
function refreshSoon() {
  pending ??= setTimeout(() => {
    pending = null;
    refresh();
  }, 150);
}

function now() {
  return state.clock.now + (state.clock.pace === "live" ? performance.now() - arrived : 0);
}

function render() {
  drawAccounts();
  showFaults(state.faults);
  showPhone(state);
  for (const button of document.querySelectorAll("#paces button")) {
    button.setAttribute("aria-pressed", String(button.dataset.pace === state.clock.pace));
  }
  tick();
}

function drawAccounts() {
  showAccounts(state.accounts, allMerchants(), (kind) => createNow({ kind }));
}

function tick() {
  const time = now();
  document.getElementById("clock-time").textContent = clockTime(time);
  document.getElementById("status-time").textContent = clockTime(time).slice(0, 5);
  document.getElementById("clock-date").textContent =
    new Intl.DateTimeFormat("sv-SE", { timeZone: "Asia/Shanghai" }).format(time);
  for (const place of document.querySelectorAll("[data-until]")) {
    const left = Number(place.dataset.until) - time;
    const whole = Math.max(1, Number(place.dataset.until) - Number(place.dataset.from));
    place.querySelector(".count").textContent = duration(left);
    place.querySelector("i").style.width = `${Math.max(0, Math.min(1, left / whole)) * 100}%`;
    place.classList.toggle("soon", left < SOON);
    // It has ended: the state says what became of it.
    if (left <= 0) {
      delete place.dataset.until;
      refreshSoon();
    }
  }
}

function duration(milliseconds) {
  const seconds = Math.max(0, Math.floor(milliseconds / 1000));
  const two = (number) => String(number).padStart(2, "0");
  const [hours, minutes] = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60];
  return hours ? `${hours}:${two(minutes)}:${two(seconds % 60)}` : `${two(minutes)}:${two(seconds % 60)}`;
}

function showLink() {
  const link = document.getElementById("link");
  link.textContent = link.title = t(connected ? "connected" : "disconnected");
  link.classList.toggle("on", connected);
}

function listen() {
  const events = new EventSource("/sandbox/events");
  events.addEventListener("open", () => {
    connected = true;
    showLink();
    refreshSoon();
    loadPaymentsSoon();
  });
  events.addEventListener("error", () => {
    connected = false;
    showLink();
  });
  events.addEventListener("call", (event) => {
    const call = JSON.parse(event.data);
    addCall(call);
    if (SENDS.test(call.path)) loadSoon();
    drawSoon();
    refreshSoon();
  });
  events.addEventListener("push", (event) => takePush(JSON.parse(event.data)));
  events.addEventListener("change", (event) => {
    const { what } = JSON.parse(event.data);
    if (PAYMENTS.includes(what)) loadPaymentsSoon();
    if (what === "chat") loadSoon();
    else if (what !== "backend") refreshSoon();
  });
  events.addEventListener("notification", (event) => takeNotice(JSON.parse(event.data)));
  events.addEventListener("missed", () => {
    refreshSoon();
    loadPaymentsSoon();
  });
}

/** Shows one view; its name stands in the address. */
function view() {
  const wanted = location.hash.slice(1);
  const shown = VIEWS.includes(wanted) ? wanted : VIEWS[0];
  document.body.dataset.view = shown;
  for (const name of VIEWS) document.getElementById(name).hidden = name !== shown;
  for (const button of document.querySelectorAll("#tabs button")) {
    button.setAttribute("aria-pressed", String(button.dataset.view === shown));
  }
  if (shown === "phone") drawSoon();
}

/** The parts that are built once a language. */
function build() {
  applyTexts();
  document.getElementById("language").textContent = t("language");
  document.getElementById("paces").title = t("paceHelp");
  document.getElementById("paces").replaceChildren(...PACES.map((pace) => el("button", {
    type: "button", data: { pace }, "aria-pressed": String(pace === state.clock.pace),
    onclick: () => control("POST", "/sandbox/clock", { pace }),
  }, t(pace))));
  document.getElementById("steps").replaceChildren(...STEPS.map(([seconds, unit, number]) => el("button", {
    type: "button", "aria-label": t("advance", t(unit, number)), title: t("advance", t(unit, number)),
    onclick: () => control("POST", "/sandbox/clock", { advance: seconds }),
  }, `+${t(unit, number)}`)));
  showLink();
  buildBrowser();
  draw();
  render();
}

document.getElementById("language").addEventListener("click", () => {
  switchLanguage();
  build();
});
for (const button of document.querySelectorAll("#tabs button")) {
  button.addEventListener("click", () => {
    history.pushState({ browser: depth() }, "", `#${button.dataset.view}`);
    view();
  });
}
window.addEventListener("popstate", view);
window.addEventListener("hashchange", () => {
  view();
  openFromHash(showChat);
});
document.getElementById("clear-pushes").addEventListener("click", () => {
  clearTraffic();
  drawSoon();
  control("DELETE", "/sandbox/pushes");
});
document.getElementById("new-account").addEventListener("click", () => createAccount());
document.getElementById("new-fault").addEventListener("click", () => createFault(state.accounts));
document.getElementById("clear-calls").addEventListener("click", () => control("DELETE", "/sandbox/calls"));

const led = new URLSearchParams(location.hash.slice(1)).get("lang");
if (led) useLanguage(led);
applyTexts();
view();
refresh().then(() => {
  build();
  openFromHash(showChat);
});
watchPayments(() => {
  drawSoon();
  drawAccounts();
});
listen();
setInterval(tick, 1000);
