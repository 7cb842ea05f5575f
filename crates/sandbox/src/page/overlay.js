// What WeChat shows over a page: an alert, a place, a picture. The first part of the script that pages load as jweixin-1.6.0.js;
// bridge.js, the second part, uses it. Styles are set one by one, so that a page's own rules and its policy leave them alone.
(function (window, document) {
  "use strict";
  if (window.wechatSandboxOverlay) return;

  var sheets = [];

  window.wechatSandboxOverlay = {
    /** Shows a sheet with `title`, `text` or `node`, and buttons; one after the other. `closed` gets the button's text. */
    show: function (sheet, closed) {
      sheets.push({ sheet: sheet, closed: closed });
      if (sheets.length === 1) next();
    },
    placeholder: placeholder,
    pixels: pixels
  };

  function next() {
    if (!sheets.length) return;
    if (!document.body) return document.addEventListener("DOMContentLoaded", next);
    var now = sheets[0];
    var dark = window.matchMedia && matchMedia("(prefers-color-scheme: dark)").matches;
    var back = made("div", "position:fixed;top:0;right:0;bottom:0;left:0;z-index:2147483647;display:flex;align-items:center;justify-content:center;padding:24px;box-sizing:border-box;background:rgba(0,0,0,.55);text-align:left");
    var box = made("div", "outline:none;box-sizing:border-box;width:300px;max-width:100%;max-height:80%;display:flex;flex-direction:column;overflow:hidden;border-radius:12px;font:15px/1.5 -apple-system,'Segoe UI',Roboto,'PingFang SC','Noto Sans CJK SC',sans-serif;"
      + (dark ? "background:#2c2f2d;color:#e6e9e7" : "background:#fff;color:#191919"));
    var inner = made("div", "padding:24px 22px;overflow:auto;overflow-wrap:anywhere;white-space:pre-wrap");
    back.className = "wx-sandbox-sheet";
    box.setAttribute("role", "alertdialog");
    box.tabIndex = -1;
    if (now.sheet.title) inner.appendChild(made("div", "font-weight:600;font-size:17px;margin-bottom:8px", now.sheet.title));
    if (now.sheet.text) inner.appendChild(made("div", "", now.sheet.text));
    if (now.sheet.node) inner.appendChild(now.sheet.node);
    var foot = made("div", "display:flex;flex:none;border-top:1px solid rgba(128,128,128,.25)");
    var end = function (action) {
      back.remove();
      sheets.shift();
      next();
      if (now.closed) now.closed(action);
    };
    now.sheet.actions.forEach(function (action, at) {
      var button = made("button", "flex:1;border:0;background:none;padding:14px 8px;font:inherit;font-size:17px;cursor:pointer;color:inherit"
        + (at === now.sheet.actions.length - 1 ? ";font-weight:600;color:" + (dark ? "#8fa6d6" : "#576b95") : ""), action);
      button.type = "button";
      button.addEventListener("click", function () { end(action); });
      foot.appendChild(button);
    });
    back.addEventListener("keydown", function (event) {
      event.stopPropagation();
      if (event.key === "Escape") end(now.sheet.actions[0]);
      else if (event.key === "Enter" && event.target.tagName !== "BUTTON") end(now.sheet.actions[now.sheet.actions.length - 1]);
    });
    box.appendChild(inner);
    box.appendChild(foot);
    back.appendChild(box);
    document.body.appendChild(back);
    (now.sheet.node && now.sheet.node.tagName === "INPUT" ? now.sheet.node : box).focus();
  }

  function made(tag, style, text) {
    var element = document.createElement(tag);
    element.style.cssText = style;
    if (text !== undefined) element.textContent = text;
    return element;
  }

  /** What a picture on the page shows, as a data URL; nothing before it is there, or when it is another site's and the browser keeps
   * it from the page. */
  function pixels(image) {
    if (!image.complete || !image.naturalWidth) return "";
    var canvas = document.createElement("canvas");
    var scale = Math.min(1, 1200 / Math.max(image.naturalWidth, image.naturalHeight, 1));
    canvas.width = Math.max(1, Math.round(image.naturalWidth * scale));
    canvas.height = Math.max(1, Math.round(image.naturalHeight * scale));
    var pen = canvas.getContext("2d");
    pen.fillStyle = "#fff";
    pen.fillRect(0, 0, canvas.width, canvas.height);
    try {
      pen.drawImage(image, 0, 0, canvas.width, canvas.height);
      return canvas.toDataURL("image/png");
    } catch (error) {
      return "";
    }
  }

  /** A picture that any page can show. */
  function placeholder() {
    var canvas = document.createElement("canvas");
    canvas.width = 320;
    canvas.height = 240;
    var pen = canvas.getContext("2d");
    var sky = pen.createLinearGradient(0, 0, 320, 240);
    var hue = Math.floor(Math.random() * 360);
    sky.addColorStop(0, "hsl(" + hue + ",60%,78%)");
    sky.addColorStop(1, "hsl(" + (hue + 50) % 360 + ",55%,48%)");
    pen.fillStyle = sky;
    pen.fillRect(0, 0, 320, 240);
    pen.fillStyle = "rgba(255,255,255,.85)";
    pen.beginPath();
    pen.arc(246, 70, 26, 0, 7);
    pen.fill();
    pen.fillStyle = "rgba(0,0,0,.28)";
    pen.beginPath();
    [[0, 240], [0, 190], [90, 110], [160, 180], [215, 140], [320, 215], [320, 240]].forEach(function (point) { pen.lineTo(point[0], point[1]); });
    pen.fill();
    return canvas.toDataURL("image/png");
  }
}(window, document));
