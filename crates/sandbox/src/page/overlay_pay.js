// The pay sheet over a page in a tab, where no phone is around it to show one. The second part of the script that pages load as
// jweixin-1.6.0.js: it puts `pay` beside what overlay.js shows. The platform judges the request, before the sheet and once more when it is paid.
(function (window, document) {
  "use strict";
  var overlay = window.wechatSandboxOverlay;
  if (overlay.pay) return;

  var ZH = { title: "支付", to: "付款给", pay: "确认支付", cancel: "取消", done: "支付成功", finish: "完成", close: "知道了" };
  var EN = { title: "Payment", to: "To", pay: "Pay", cancel: "Cancel", done: "Paid", finish: "Done", close: "OK" };

  /** Asks whether to pay what a page requests. `post` asks the platform, `decided` gets `ok`, `cancel` or `fail`, and what was said. */
  overlay.pay = function (request, post, english, decided) {
    var texts = english ? EN : ZH;
    var body = function (decision) { return { kind: "chooseWXPay", appId: request.appId, request: request, decision: decision }; };
    var refuse = function (answer) {
      var text = answer.err_desc || answer.errMsg || "";
      overlay.show({ title: text, text: answer.hint || "", actions: [texts.close] }, function () { decided({ status: "fail", desc: text, hint: answer.hint || "" }); });
    };
    post("/jsbridge/pay", body(), function (answer) {
      if (!answer.sheet) return refuse(answer);
      overlay.show({ node: bill(answer.sheet, texts.to), actions: [texts.cancel, texts.pay] }, function (action) {
        var pays = action === texts.pay;
        post("/jsbridge/pay/decide", body(pays ? "pay" : "cancel"), function (said) {
          if (!pays) return decided({ status: "cancel" });
          if (said.err_msg !== "get_brand_wcpay_request:ok") return refuse(said);
          overlay.show({ node: bill(answer.sheet, texts.done), actions: [texts.finish] }, function () { decided({ status: "ok" }); });
        });
      });
    });
  };

  function bill(sheet, above) {
    var node = made("div", "text-align:center;white-space:normal");
    node.appendChild(made("div", "opacity:.65;font-size:14px", above));
    node.appendChild(made("div", "font-size:16px;font-weight:500", sheet.merchant_name));
    node.appendChild(made("div", "font-size:36px;font-weight:600;line-height:1.6", "¥" + (sheet.total / 100).toFixed(2)));
    node.appendChild(made("div", "opacity:.65;font-size:14px", sheet.description));
    return node;
  }

  function made(tag, style, text) {
    var element = document.createElement(tag);
    element.style.cssText = style;
    if (text !== undefined) element.textContent = text;
    return element;
  }
}(window, document));
