// Asks what became of the QR code, and leads on when the phone has answered. The numbers are those of WeChat's own page.
(function () {
  "use strict";
  var uuid = document.getElementById("qr-login").getAttribute("data-uuid");
  var told = document.getElementById("told");

  function look() {
    fetch("/connect/l/qrconnect?uuid=" + encodeURIComponent(uuid), { cache: "no-store" })
      .then(function (answer) { return answer.text(); })
      .then(function (text) {
        var found = /wx_errcode=(\d+)/.exec(text);
        var number = found ? found[1] : "";
        if (number === "405" || number === "403" || number === "402") {
          location.replace("/connect/qrconnect/wait?uuid=" + encodeURIComponent(uuid));
          return;
        }
        if (number === "404") {
          told.textContent = "已扫描，请在手机上确认";
        }
        setTimeout(look, 1000);
      })
      .catch(function () { setTimeout(look, 3000); });
  }

  look();
})();
