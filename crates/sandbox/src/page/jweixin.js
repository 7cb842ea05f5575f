// The sandbox's jweixin-1.6.0.js (for WeCom also jweixin-1.2.0.js and jwxwork-1.0.0.js): `wx`, with the interface and the habits of
// WeChat's own. It knows only WeixinJSBridge, which bridge.js puts before it. What must stay as in WeChat: callbacks of wx.ready run
// when wx.config has ended, also when it failed, after wx.error's; the first wx.error counts; nothing happens outside WeChat. ES5.
(function (window, document) {
  "use strict";
  if (window.jWeixin) {
    window.wx = window.wx || window.jWeixin;
    return;
  }

  /** Functions whose name at the client is another. */
  var CLIENT_NAMES = {
    previewImage: "imagePreview", getLocation: "geoLocation", openProductSpecificView: "openProductViewWithPid", addCard: "batchAddCard",
    openCard: "batchViewCard", chooseWXPay: "getBrandWCPayRequest", openAddress: "editAddress", startSearchBeacons: "startMonitoringBeacons",
    stopSearchBeacons: "stopMonitoringBeacons", consumeAndShareCard: "consumedShareCard", openEnterpriseRedPacket: "getRecevieBizHongBaoRequest"
  };
  /** Functions that are called and answered once. */
  var FUNCTIONS = ("updateAppMessageShareData updateTimelineShareData startRecord stopRecord playVoice pauseVoice stopVoice uploadVoice "
    + "downloadVoice translateVoice chooseImage previewImage uploadImage downloadImage getLocalImgData getNetworkType openLocation getLocation "
    + "startSearchBeacons stopSearchBeacons scanQRCode hideOptionMenu showOptionMenu hideMenuItems showMenuItems hideAllNonBaseMenuItem "
    + "showAllNonBaseMenuItem closeWindow openProductSpecificView addCard chooseCard openCard consumeAndShareCard chooseWXPay openAddress "
    + "openEnterpriseRedPacket checkJsApi").split(" ");
  /** Functions that the client knows with other parameters. */
  var TRANSLATED = {
    chooseWXPay: function (given) { return copy(given, { timeStamp: given.timestamp + "", signType: given.signType || "SHA1" }); }
  };
  /** Functions that wait for a tap in the menu: the event, and what is called then. */
  var SHARES = {
    onMenuShareTimeline: ["menu:share:timeline", "shareTimeline"], onMenuShareAppMessage: ["menu:share:appmessage", "sendAppMessage"],
    onMenuShareQQ: ["menu:share:qq", "shareQQ"], onMenuShareWeibo: ["menu:share:weiboApp", "shareWeiboApp"],
    onMenuShareQZone: ["menu:share:QZone", "shareQZone"]
  };
  /** Functions that wait for something to happen. */
  var EVENTS = { onVoiceRecordEnd: "onVoiceRecordEnd", onVoicePlayEnd: "onVoicePlayEnd", onSearchBeacons: "onBeaconsInRange" };

  var settings = {};
  /** 0 before wx.config has ended, then 1; -1 when it failed and nobody had asked to be told. */
  var state = 0;
  var failure = null;
  var awaiting = [];
  var failed = null;
  var inWechat = /MicroMessenger/i.test(navigator.userAgent);

  var wx = {
    config: function (given) {
      settings = given || {};
      note("config", settings);
      whenBridged(function () {
        var verified = function (answer) {
          var ok = settle("config", answer, {});
          state = 1;
          if (!ok && failed) failed(answer);
          else if (!ok) {
            state = -1;
            failure = answer;
          }
          var now = awaiting;
          awaiting = [];
          now.forEach(function (callback) { callback(); });
        };
        if (settings.check === false) return verified({ errMsg: "config:ok" });
        window.WeixinJSBridge.invoke("preVerifyJSAPI",
          signed({ verifyJsApiList: settings.jsApiList || [], verifyOpenTagList: settings.openTagList || [] }), verified);
      });
      if (settings.beta) openBeta();
    },
    ready: function (callback) {
      if (state !== 0) return callback();
      awaiting.push(callback);
      if (!inWechat && settings.debug) callback();
    },
    error: function (callback) {
      if (failed) return;
      failed = callback;
      if (state === -1) callback(failure);
    },
    /** WeCom: in the name of one app. */
    agentConfig: function (given) {
      given = given || {};
      note("agentConfig", given);
      openBeta();
      whenBridged(function () {
        window.WeixinJSBridge.invoke("agentConfig", {
          corpid: given.corpid, agentid: given.agentid, verifyTimestamp: given.timestamp, verifyNonceStr: given.nonceStr,
          verifySignature: given.signature, verifyJsApiList: given.jsApiList || []
        }, function (answer) { settle("agentConfig", answer, given); });
      });
    },
    miniProgram: {
      getEnv: function (callback) { callback({ miniprogram: false }); }
    }
  };

  FUNCTIONS.forEach(function (name) {
    wx[name] = function (given) {
      given = given || {};
      call(name, CLIENT_NAMES[name] || name, TRANSLATED[name] ? TRANSLATED[name](given) : given, given);
    };
  });
  Object.keys(SHARES).forEach(function (name) {
    wx[name] = function (given) {
      given = given || {};
      hear(SHARES[name][0], name, given, function (argument) {
        if (given.trigger) given.trigger(argument);
        call(SHARES[name][1], SHARES[name][1], given, given);
      });
    };
  });
  Object.keys(EVENTS).forEach(function (name) {
    wx[name] = function (given) {
      given = given || {};
      hear(EVENTS[name], name, given, function (argument) { settle(name, copy(argument, { err_msg: name + ":ok" }), given); });
    };
  });

  /** Calls the client and tells the callbacks among `given` what came out. */
  function call(name, clientName, parameters, given) {
    if (!window.WeixinJSBridge) return note(name, given);
    window.WeixinJSBridge.invoke(clientName, signed(plain(parameters)), function (answer) { settle(name, answer, given); });
  }

  function hear(event, name, given, happened) {
    if (window.WeixinJSBridge) window.WeixinJSBridge.on(event, happened);
    else note(name, given);
  }

  /** Gives an answer its `errMsg` and calls the callbacks; says whether it went well. */
  function settle(name, answer, given) {
    if (answer.errMsg === undefined) {
      var status = String(answer.err_msg).slice(String(answer.err_msg).indexOf(":") + 1);
      if (name === "getNetworkType" && answer.networkType) status = "ok";
      answer.errMsg = name + ":" + (status.replace(/_/g, " ") || "fail");
      delete answer.err_msg;
    }
    var outcome = answer.errMsg.slice(answer.errMsg.indexOf(":") + 1);
    if (settings.debug && !given.isInnerInvoke && window.WeixinJSBridge) {
      window.WeixinJSBridge.invoke("sandboxAlert", { text: JSON.stringify(answer) });
    }
    var chosen = outcome === "ok" ? given.success : outcome === "cancel" ? given.cancel : given.fail;
    if (chosen) chosen(answer);
    if (given.complete) given.complete(answer);
    return outcome === "ok";
  }

  /** What the client needs to believe a call. */
  function signed(parameters) {
    return copy(parameters, {
      appId: settings.appId || "", verifyAppId: settings.appId || "", verifySignType: "sha1", verifyTimestamp: settings.timestamp === undefined ? "" : settings.timestamp,
      verifyNonceStr: settings.nonceStr || "", verifySignature: settings.signature || ""
    });
  }

  /** The parameters without the callbacks among them. */
  function plain(given) {
    var parameters = {};
    for (var name in given) if (typeof given[name] !== "function") parameters[name] = given[name];
    return parameters;
  }

  function copy(from, more) {
    var to = {};
    for (var name in from) to[name] = from[name];
    for (name in more) to[name] = more[name];
    return to;
  }

  function whenBridged(callback) {
    if (!inWechat) return;
    if (window.WeixinJSBridge) callback();
    else document.addEventListener("WeixinJSBridgeReady", callback, false);
  }

  /** With `beta`, as WeCom's pages have it, every function of the client can be called by its name. */
  function openBeta() {
    if (wx.invoke) return;
    wx.invoke = function (name, parameters, callback) {
      if (window.WeixinJSBridge) window.WeixinJSBridge.invoke(name, signed(plain(parameters || {})), callback);
    };
    wx.on = function (name, callback) {
      if (window.WeixinJSBridge) window.WeixinJSBridge.on(name, callback);
    };
  }

  /** Outside WeChat a page that is being debugged sees what it would have called. */
  function note(name, given) {
    if (settings.debug) console.log("\"" + name + "\",", given);
  }

  window.jWeixin = wx;
  window.wx = wx;
}(window, document));
