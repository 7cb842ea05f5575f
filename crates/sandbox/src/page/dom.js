// Small helpers: elements, requests, copying. Texts reach the document as text only, never as markup.

import { t } from "./texts.js";

/** An element. Of the properties, `on…` are listeners, `data` is the dataset, the rest attributes. */
export function el(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name === "data") Object.assign(element.dataset, value);
    else if (name === "checked" || name === "value" || name === "hidden") element[name] = value;
    else element.setAttribute(name, value === true ? "" : String(value));
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

/** Shows items as children of a parent; an item that did not change keeps its element, with focus and all. */
export function show(parent, items, key, build) {
  const old = new Map([...parent.children].map((child) => [child.dataset.key, child]));
  const focused = document.activeElement?.dataset?.focus;
  const children = items.map((item) => {
    const name = String(key(item));
    const signature = document.documentElement.lang + JSON.stringify(item);
    const known = old.get(name);
    if (known && known.signature === signature) return known;
    const built = build(item);
    built.dataset.key = name;
    built.signature = signature;
    return built;
  });
  const same = children.length === parent.children.length && children.every((child, at) => parent.children[at] === child);
  if (same) return;
  parent.replaceChildren(...children);
  if (focused && document.activeElement === document.body) {
    [...parent.querySelectorAll("[data-focus]")].find((element) => element.dataset.focus === focused)?.focus();
  }
}

/** A call of the control API, with JSON or bytes; says what went wrong and answers null then. */
export async function control(method, path, body) {
  try {
    const plain = body === undefined || body instanceof Blob;
    const response = await fetch(path, { method, body: plain ? body : JSON.stringify(body) });
    const answer = await response.json();
    if (response.ok) return answer;
    toast(t("failed", answer.error ?? response.status), true);
  } catch (error) {
    toast(t("failed", error.message), true);
  }
  return null;
}

/** A call of WeChat's API from the page, as a program would make it. */
export async function api(path, body) {
  try {
    const options = body === undefined ? {} : { method: "POST", body: JSON.stringify(body) };
    const answer = await (await fetch(path, options)).json();
    if (answer.errcode) toast(t("answered", `${answer.errcode} ${answer.errmsg}`), true);
  } catch (error) {
    toast(t("failed", error.message), true);
  }
}

let fading;

export function toast(text, isError = false) {
  const place = document.getElementById("toast");
  place.textContent = text;
  place.className = isError ? "shown error" : "shown";
  clearTimeout(fading);
  fading = setTimeout(() => { place.className = ""; }, isError ? 5000 : 1600);
}

export async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
    toast(t("copied"));
  } catch {
    toast(t("copyFailed"), true);
  }
}

/** A value with a button that copies the whole of it; long ones are masked in the middle. */
export function copyable(text, { mask = 0, label = "", wrap = false } = {}) {
  const shown = mask && text.length > mask * 2 + 1 ? `${text.slice(0, mask)}…${text.slice(-mask)}` : text;
  return el("span", { class: wrap ? "copyable wrap" : "copyable" },
    el("code", { title: wrap ? null : shown }, shown),
    el("button", {
      class: "icon", type: "button", title: t("copy"), "aria-label": `${t("copy")} ${label}`.trim(),
      data: { focus: `copy-${text}` }, onclick: () => copy(text),
    }, copyIcon()));
}

function copyIcon() {
  const namespace = "http://www.w3.org/2000/svg";
  const svg = document.createElementNS(namespace, "svg");
  svg.setAttribute("viewBox", "0 0 16 16");
  svg.setAttribute("aria-hidden", "true");
  const path = document.createElementNS(namespace, "path");
  path.setAttribute("d", "M5.5 5.5v-2a1 1 0 0 1 1-1h6a1 1 0 0 1 1 1v6a1 1 0 0 1-1 1h-2M3.5 5.5h6a1 1 0 0 1 1 1v6a1 1 0 0 1-1 1h-6a1 1 0 0 1-1-1v-6a1 1 0 0 1 1-1z");
  svg.append(path);
  return svg;
}
