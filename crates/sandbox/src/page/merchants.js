// The cards of merchants on the platform's page: numbers and keys to copy, files to download, and whether notifications are sent.

import { control, copyable, el } from "./dom.js";
import { t } from "./texts.js";

const FILES = ["apiclient_cert.pem", "apiclient_key.pem", "apiclient_cert.p12", "pub_key.pem", "platform_cert.pem"];

export function merchantCard(merchant) {
  const path = `/sandbox/merchants/${merchant.mch_id}`;
  const row = (name, value) => el("div", {}, el("dt", {}, name), el("dd", {}, value));
  return el("article", { class: "card merchant" },
    el("header", {}, el("h3", {}, merchant.name), el("span", { class: "kind" }, t("merchant")),
      merchant.settings.notifications ? null : el("span", { class: "warning" }, t("noNotifications"))),
    el("dl", { class: "ids" },
      row(t("mchId"), copyable(merchant.mch_id)),
      row(t("boundTo"), el("code", {}, merchant.appids.join(" "))),
      row(t("v2Key"), copyable(merchant.v2_key, { mask: 6, label: t("v2Key") })),
      row(t("v3Key"), copyable(merchant.v3_key, { mask: 6, label: t("v3Key") })),
      row(t("mchSerial"), copyable(merchant.serial, { mask: 8, label: t("mchSerial") })),
      row(t("payKeyId"), copyable(merchant.public_key_id, { mask: 14, label: t("payKeyId") }))),
    el("p", { class: "files" }, FILES.map((file) => el("a", { href: `${path}/files/${file}`, download: file }, file)),
      el("a", { href: "/sandbox/ca.pem", download: "ca.pem" }, "ca.pem")),
    el("div", { class: "switches" }, el("label", { class: "switch" },
      el("input", {
        type: "checkbox", role: "switch", checked: merchant.settings.notifications, data: { focus: `notifications-${merchant.mch_id}` },
        onchange: (event) => control("PATCH", path, { notifications: event.target.checked }),
      }),
      el("span", {}, t("sendNotifications")))));
}
