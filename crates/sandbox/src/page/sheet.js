// A sheet that slides up over the phone's screen: for what the phone itself shows. One at a time.

import { el } from "./dom.js";
import { icon } from "./icons.js";
import { t } from "./texts.js";

let shown = null;

/** Shows a sheet; answers how to close it. `closed` is told when it is, by whatever way. */
export function sheet(title, content, { kind = "", closed = () => {} } = {}) {
  shown?.close();
  const before = document.activeElement;
  const panel = el("div", { class: `over-sheet ${kind}`, role: "dialog", "aria-modal": "true", "aria-label": title, tabindex: "-1" },
    content.filter(Boolean));
  const back = el("div", { class: `over ${kind}` }, panel);
  const close = () => {
    if (shown?.close !== close) return;
    shown = null;
    back.remove();
    before?.focus?.();
    closed();
  };
  panel.prepend(el("button", { type: "button", class: "icon dismiss", "aria-label": t("closeSheet"), title: t("closeSheet"), onclick: close }, icon("close")));
  back.addEventListener("click", (event) => { if (event.target === back) close(); });
  back.addEventListener("keydown", (event) => {
    if (event.key === "Escape") {
      event.stopPropagation();
      close();
    } else if (event.key === "Tab") keepInside(event, panel);
  });
  shown = { close };
  document.getElementById("handset").append(back);
  panel.focus();
  return close;
}

/** The Tab key goes round in the sheet. */
function keepInside(event, panel) {
  const all = [...panel.querySelectorAll("button:not(:disabled), input, select, summary")].filter((one) => one.offsetParent !== null);
  const edge = event.shiftKey ? all[0] : all.at(-1);
  if (document.activeElement !== edge && document.activeElement !== panel) return;
  if (document.activeElement === panel && !event.shiftKey) return;
  event.preventDefault();
  (event.shiftKey ? all.at(-1) : all[0])?.focus();
}
