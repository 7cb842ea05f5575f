// The list of API calls as they come in, newest first, and the faults that wait.

import { control, copyable, el, show } from "./dom.js";
import { t } from "./texts.js";

const MOST = 100;
let calls = [];
let drawing = false;

/** Takes over the list that the state has. */
export function takeCalls(records) {
  calls = [...records].reverse();
  draw();
}

/** Adds one call that just came in. */
export function addCall(record) {
  if (calls.length && record.id <= calls[0].id) return;
  calls = [record, ...calls].slice(0, MOST);
  draw();
}

export function draw() {
  if (drawing) return;
  drawing = true;
  // Many calls may come between two frames.
  requestAnimationFrame(() => {
    drawing = false;
    const place = document.getElementById("calls");
    show(place, calls.length ? calls : [{ id: "none" }], (call) => call.id, calls.length ? row : empty);
  });
}

/** The calls that are shown, latest first. */
export function latestCalls() {
  return calls;
}

function empty() {
  return el("div", { class: "empty" },
    el("p", {}, t("noCalls")),
    copyable(`curl '${location.origin}/cgi-bin/getcallbackip'`, { wrap: true, label: "curl" }));
}

function row(call) {
  return el("div", { class: call.fault ? "call hit" : "call", title: call.fault ? t("byFault", call.fault) : null },
    el("time", {}, clockTime(call.time)),
    el("span", { class: "method" }, call.method),
    el("span", { class: "path" }, call.path),
    verdict(call),
    el("span", { class: "who" }, call.appid ?? "–"),
    el("span", { class: "ms" }, call.duration_ms < 1 ? "<1 ms" : `${call.duration_ms} ms`));
}

function verdict(call) {
  if (call.outcome !== "answered") return el("span", { class: "verdict bad" }, t(call.outcome));
  if (call.errcode === null) return el("span", { class: call.status < 400 ? "verdict good" : "verdict bad" }, `HTTP ${call.status}`);
  return el("span", { class: call.errcode === 0 ? "verdict good" : "verdict bad" }, String(call.errcode));
}

const format = new Intl.DateTimeFormat("en-GB", {
  timeZone: "Asia/Shanghai", hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23",
});

export function clockTime(milliseconds) {
  return format.format(milliseconds);
}

/** The faults that wait. */
export function showFaults(faults) {
  const place = document.getElementById("faults");
  const items = faults.length ? faults : [{ id: "none" }];
  show(place, items, (fault) => fault.id, faults.length ? faultRow : () => el("p", { class: "empty" }, t("noFaults")));
}

function faultRow(fault) {
  return el("div", { class: "fault" },
    el("span", { class: "verdict bad" }, faultName(fault)),
    el("span", { class: "path" }, fault.path),
    el("span", { class: "who" }, `${fault.appid ?? t("anyAccount")} · ${t("times", fault.remaining)}`),
    el("button", {
      class: "quiet", type: "button", data: { focus: `fault-${fault.id}` }, "aria-label": `${t("remove")} #${fault.id}`,
      onclick: () => control("DELETE", `/sandbox/faults/${fault.id}`),
    }, t("remove")));
}

function faultName(fault) {
  const names = [];
  if (fault.delay_ms) names.push(`+${fault.delay_ms} ms`);
  if (fault.errcode !== undefined) names.push(String(fault.errcode));
  if (fault.status !== undefined) names.push(`HTTP ${fault.status}`);
  if (fault.drop) names.push(t("dropped"));
  if (fault.truncate) names.push(t("truncated"));
  if (fault.hang) names.push(t("hung"));
  return names.join(" ");
}
