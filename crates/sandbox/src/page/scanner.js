// The scanner of the phone, without a camera: a picture that is pasted, dropped or chosen, the address of one, or simply what a code says.
// Pictures of any format become PNG here; the platform reads the code (POST /sandbox/scan).

import { el } from "./dom.js";
import { icon } from "./icons.js";
import { sheet } from "./sheet.js";
import { t } from "./texts.js";

/** Larger pictures are made smaller, in pixels: codes are still read, and bodies have a limit. */
const LONGEST_SIDE = 1200;

/** Opens the scanner; answers the text that was scanned, or null. */
export function openScanner() {
  return new Promise((resolve) => {
    const found = { text: null };
    const state = el("p", { class: "scan-state", role: "status" });
    const finish = (text) => {
      found.text = text;
      close();
    };
    const read = (work) => reading(state, work, finish);
    const field = el("input", { name: "text", "aria-label": t("scanAny"), placeholder: t("scanAny"), autocomplete: "off", spellcheck: "false" });
    const pasted = (event) => {
      const file = pictureOf(event.clipboardData);
      if (!file) return;
      event.preventDefault();
      read(() => readPicture(file));
    };
    const close = sheet(t("scan"), [el("h2", {}, t("scan")), finder(read), state, written(field, finish, read)], {
      kind: "scanner",
      closed: () => {
        document.removeEventListener("paste", pasted);
        resolve(found.text);
      },
    });
    document.addEventListener("paste", pasted);
    field.focus();
  });
}

/** Shows what can be done with a picture of a page, given as a data URL or by its address; answers the text of the code in it, or null. */
export function showPicture(data, address) {
  return new Promise((resolve) => {
    const found = { text: null };
    const state = el("p", { class: "scan-state", role: "status" });
    const finish = (text) => {
      found.text = text;
      close();
    };
    const pixels = /^data:image\/png;base64,/.test(data);
    const read = () => reading(state, () => (pixels ? readPicture(blobOf(data)) : readAddress(address)), finish);
    const close = sheet(t("picture"), [
      pixels ? el("img", { class: "held", src: data, alt: "" }) : null,
      state,
      el("button", { type: "button", class: "primary", onclick: read }, t("readPicture")),
    ], { kind: "picture-sheet", closed: () => resolve(found.text) });
  });
}

/** Where pictures go. */
function finder(read) {
  const input = el("input", { type: "file", accept: "image/*", hidden: true });
  input.addEventListener("change", () => { if (input.files[0]) read(() => readPicture(input.files[0])); });
  const zone = el("button", { type: "button", class: "finder", onclick: () => input.click() },
    el("i", { class: "corners" }), el("i", { class: "ray" }), icon("image"), el("b", {}, t("scanPicture")), el("span", {}, t("scanPictureHelp")));
  for (const name of ["dragenter", "dragover"]) {
    zone.addEventListener(name, (event) => {
      event.preventDefault();
      zone.classList.add("over-it");
    });
  }
  zone.addEventListener("dragleave", () => zone.classList.remove("over-it"));
  zone.addEventListener("drop", (event) => {
    event.preventDefault();
    zone.classList.remove("over-it");
    const file = pictureOf(event.dataTransfer);
    const address = event.dataTransfer.getData("text/uri-list");
    if (file) read(() => readPicture(file));
    else if (address) read(() => readAddress(address));
  });
  return el("div", {}, zone, input);
}

/** What a code says, or where the picture of one is. */
function written(field, finish, read) {
  const form = el("form", { class: "written" }, field,
    el("div", { class: "actions" },
      el("button", { type: "button", onclick: () => { if (field.value.trim()) read(() => readAddress(field.value.trim())); } }, t("scanAddress")),
      el("button", { type: "submit", class: "primary" }, t("scanThis"))));
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    if (field.value.trim()) finish(field.value.trim());
  });
  return form;
}

/** What a data URL holds, which this page's policy lets nobody fetch. */
function blobOf(data) {
  return new Blob([Uint8Array.from(atob(data.slice(data.indexOf(",") + 1)), (letter) => letter.charCodeAt(0))], { type: "image/png" });
}

function pictureOf(data) {
  return [...(data?.files ?? [])].find((file) => file.type.startsWith("image/"));
}

/** Waits for what is read and says why it could not be. */
async function reading(state, work, finish) {
  state.className = "scan-state";
  state.textContent = t("scanning");
  try {
    finish(await work());
  } catch (error) {
    state.className = "scan-state bad";
    state.textContent = error.message;
  }
}

async function readPicture(file) {
  return answered(await fetch("/sandbox/scan", { method: "POST", headers: { "content-type": "image/png" }, body: await asPng(file) }));
}

async function readAddress(address) {
  return answered(await fetch(`/sandbox/scan?${new URLSearchParams({ url: address })}`));
}

async function answered(response) {
  const answer = await response.json().catch(() => ({}));
  if (!response.ok || typeof answer.text !== "string") throw new Error(t("scanFailed", answer.error ?? `HTTP ${response.status}`));
  return answer.text;
}

async function asPng(file) {
  let picture;
  try {
    picture = await pictureFrom(file);
  } catch {
    throw new Error(t("noPicture"));
  }
  const width = picture.naturalWidth ?? picture.width;
  const height = picture.naturalHeight ?? picture.height;
  const scale = Math.min(1, LONGEST_SIDE / Math.max(width, height));
  const canvas = el("canvas", { width: Math.max(1, Math.round(width * scale)), height: Math.max(1, Math.round(height * scale)) });
  const pen = canvas.getContext("2d");
  // What is transparent is white on paper.
  pen.fillStyle = "#fff";
  pen.fillRect(0, 0, canvas.width, canvas.height);
  pen.drawImage(picture, 0, 0, canvas.width, canvas.height);
  return new Promise((done) => { canvas.toBlob(done, "image/png"); });
}

/** Drawings have no size of their own everywhere: they come as an element. */
async function pictureFrom(file) {
  if (file.type !== "image/svg+xml") return createImageBitmap(file);
  const image = el("img", { src: `data:image/svg+xml;charset=utf-8,${encodeURIComponent(await file.text())}` });
  await image.decode();
  return image;
}
