// The client's side of the phone's browser: WeixinJSBridge and what it can do, as WeChat puts them into every page that it
// shows. The platform sends this file and jweixin.js as one script to pages of any origin: they are what pages load as
// jweixin-1.6.0.js. Signatures are judged by the platform only; here is only what came of it. ES5, no modules.
(function (window, document) {
  "use strict";
  if (window.WeixinJSBridge) return;

  var overlay = window.wechatSandboxOverlay;
  var script = document.currentScript;
  var platform = originOf(script && script.src ? script.src : location.href);
  var phone = aroundUs();
  if (phone) Object.defineProperty(navigator, "userAgent", { configurable: true, get: function () { return phone.userAgent; } });
  if (!/MicroMessenger/i.test(navigator.userAgent)) {
    // As with the real script nothing happens outside WeChat.
    console.info("jweixin: this page is not open in WeChat. Open it in the sandbox's phone: " + platform + "/");
    return;
  }
  var onIos = /iPhone|iPad|iPod/i.test(navigator.userAgent);
  var english = phone ? phone.language === "en" : /Language\/en/i.test(navigator.userAgent);
  /** Tells one document from the next. */
  var documentId = String(Math.random()).slice(2);
  /** The address with which the page was opened; on iOS its signature counts, whatever the route is since. */
  var landing = landingAddress();
  /** What the platform granted, by the call that asked for it. */
  var granted = { config: {}, agentConfig: {} };
  var handlers = {};
  var waiting = {};
  var menuData = {};
  var voices = 0;

  /** Callable without a signature, as in WeChat. */
  var FREE = words("checkJsApi closeWindow hideOptionMenu showOptionMenu hideToolbar showToolbar getNetworkType previewImage chooseWXPay openAddress");
  /** Names that the client has for functions of the SDK. */
  var CLIENT_NAMES = {
    imagePreview: "previewImage", geoLocation: "getLocation", openProductViewWithPid: "openProductSpecificView", batchAddCard: "addCard",
    batchViewCard: "openCard", getBrandWCPayRequest: "chooseWXPay", editAddress: "openAddress", startMonitoringBeacons: "startSearchBeacons",
    stopMonitoringBeacons: "stopSearchBeacons", consumedShareCard: "consumeAndShareCard", getRecevieBizHongBaoRequest: "openEnterpriseRedPacket",
    shareTimeline: "onMenuShareTimeline", sendAppMessage: "onMenuShareAppMessage", shareQQ: "onMenuShareQQ", shareWeiboApp: "onMenuShareWeibo",
    shareQZone: "onMenuShareQZone"
  };
  /** How the client spells some functions in `err_msg`. */
  var SPELLED = { getBrandWCPayRequest: "get_brand_wcpay_request", getNetworkType: "network_type", preVerifyJSAPI: "pre_verify_jsapi", editAddress: "edit_address", imagePreview: "image_preview", closeWindow: "close_window" };
  var TEXTS = english
    ? { ok: "OK", cancel: "Cancel", scan: "Scan", scanHelp: "What the code says", place: "Location", close: "Close" }
    : { ok: "确定", cancel: "取消", scan: "扫一扫", scanHelp: "二维码里的内容", place: "位置", close: "关闭" };

  // What the functions do. Each gets its parameters and `end(status, result)`.

  function done(result) {
    return function (params, end) { end("ok", typeof result === "function" ? result(params) : result); };
  }

  var functions = {
    checkJsApi: done(function (params) {
      var result = {};
      (params.jsApiList || []).forEach(function (name) { result[name] = functions.hasOwnProperty(CLIENT_NAMES[name] || name); });
      return { checkResult: result };
    }),
    getNetworkType: done({ networkType: "wifi", subtype: "" }),
    getLocation: done({ latitude: 23.106574, longitude: 113.324587, speed: 0, accuracy: 30 }),
    openLocation: function (params, end) {
      overlay.show({ title: params.name || TEXTS.place, text: [params.address, params.latitude + ", " + params.longitude].filter(Boolean).join("\n"), actions: [TEXTS.close] });
      end("ok");
    },
    chooseImage: done(function () { return { localIds: [overlay.placeholder()], sourceType: "album" }; }),
    previewImage: function (params, end) {
      var image = document.createElement("img");
      image.src = params.current || (params.urls || [])[0] || "";
      image.style.cssText = "display:block;max-width:100%;max-height:60vh;margin:0 auto;border-radius:6px";
      overlay.show({ node: image, actions: [TEXTS.close] });
      end("ok");
    },
    uploadImage: done(function () { return { serverId: mediaId() }; }),
    downloadImage: done(function () { return { localId: overlay.placeholder() }; }),
    getLocalImgData: done(function (params) { return { localData: String(params.localId || overlay.placeholder()) }; }),
    startRecord: done(),
    stopRecord: done(function () { return { localId: voice() }; }),
    playVoice: function (params, end) {
      end("ok");
      setTimeout(function () { fire("onVoicePlayEnd", { localId: params.localId }); }, 300);
    },
    pauseVoice: done(), stopVoice: done(),
    uploadVoice: done(function () { return { serverId: mediaId() }; }),
    downloadVoice: done(function () { return { localId: voice() }; }),
    translateVoice: done({ translateResult: english ? "Hello" : "你好" }),
    onVoiceRecordEnd: done(), onVoicePlayEnd: done(), onSearchBeacons: done(),
    startSearchBeacons: done(), stopSearchBeacons: done(),
    scanQRCode: scan,
    hideOptionMenu: menu({ hidden: true }), showOptionMenu: menu({ hidden: false }),
    hideToolbar: done(), showToolbar: done(),
    hideMenuItems: menu(function (params) { return { hide: params.menuList || [] }; }),
    showMenuItems: menu(function (params) { return { show: params.menuList || [] }; }),
    hideAllNonBaseMenuItem: menu({ base: true }), showAllNonBaseMenuItem: menu({ base: false }),
    closeWindow: function (params, end) {
      end("ok");
      if (phone) tell("close");
      else window.close();
    },
    updateAppMessageShareData: share, updateTimelineShareData: share, onMenuShareTimeline: share, onMenuShareAppMessage: share,
    onMenuShareQQ: share, onMenuShareWeibo: share, onMenuShareQZone: share,
    addCard: card("addCard", function (params) {
      return { cardList: (params.cardList || []).map(function (one) { return { cardId: one.cardId, cardExt: one.cardExt, isSuccess: true }; }) };
    }),
    chooseCard: card("chooseCard", function (params) {
      return { cardList: JSON.stringify([{ card_id: params.cardId || "pSandboxCard0000000000000000", encrypt_code: mediaId() }]) };
    }),
    openCard: done(), consumeAndShareCard: done(), openProductSpecificView: done(), openEnterpriseRedPacket: done(),
    chooseWXPay: pay,
    openAddress: done({ userName: english ? "Zhang San" : "张三", postalCode: "510000", provinceName: "广东省", cityName: "广州市", countryName: "海珠区", detailInfo: "新港中路397号", nationalCode: "510105", telNumber: "13800000000" }),
    getContext: done({ entry: "normal" })
  };

  function share(params, end) {
    menuData = { title: params.title || document.title, desc: params.desc || "", link: params.link || location.href, imgUrl: params.imgUrl || params.img_url || "" };
    tell("share", menuData);
    end("ok");
  }

  function menu(change) {
    return function (params, end) {
      tell("menu", typeof change === "function" ? change(params) : change);
      end("ok");
    };
  }

  function scan(params, end) {
    var finish = function (text) {
      if (text === null || text === undefined) end("cancel");
      else end("ok", { resultStr: String(text) });
    };
    if (phone) return ask("scan", { wanted: Number(params.needResult) === 1 }, finish);
    var field = document.createElement("input");
    field.style.cssText = "box-sizing:border-box;width:100%;font:inherit;padding:8px 10px;border:1px solid #8886;border-radius:8px";
    field.setAttribute("aria-label", TEXTS.scanHelp);
    field.placeholder = TEXTS.scanHelp;
    overlay.show({ title: TEXTS.scan, node: field, actions: [TEXTS.cancel, TEXTS.ok] }, function (action) { finish(action === TEXTS.ok ? field.value : null); });
  }

  /** The page hears what came of it, and only that; whether it is paid, the merchant's server hears from the platform. */
  function pay(params, end) {
    var request = copied(params, words("appId timeStamp nonceStr package signType paySign"));
    var decided = function (outcome) {
      if (outcome.hint) console.warn("getBrandWCPayRequest: " + outcome.hint);
      end(outcome.status, outcome.desc ? { err_desc: outcome.desc } : {});
    };
    if (phone) ask("pay", { request: request }, decided);
    else overlay.pay(request, post, english, decided);
  }

  function card(kind, result) {
    return function (params, end) {
      var body = copied(params, words("cardList shopId cardType cardId timestamp nonceStr signType cardSign"));
      body.kind = kind;
      body.appId = params.verifyAppId;
      post("/jsbridge/card", body, function (answer) {
        var status = statusOf(answer.errMsg);
        end(status, status === "ok" ? result(params) : {});
      });
    };
  }

  /** Lets the platform judge a signature. */
  function verify(kind, params, end) {
    var body = { kind: kind, url: signedAddress(), timestamp: params.verifyTimestamp, nonceStr: params.verifyNonceStr, signature: params.verifySignature, jsApiList: params.verifyJsApiList || [] };
    if (kind === "config") {
      body.appId = params.verifyAppId;
      body.openTagList = params.verifyOpenTagList || [];
    } else {
      body.corpid = params.corpid;
      body.agentid = params.agentid;
    }
    post("/jsbridge/verify", body, function (answer) {
      var status = statusOf(answer.errMsg);
      if (status === "ok") granted[kind] = setOf(answer.jsApiList || body.jsApiList);
      tell("verified", { api: kind, appid: body.appId || body.corpid, errMsg: kind + ":" + status, signed: body.url });
      end(status, {});
    });
  }

  /** Android's WebView signs the address that it shows, that of iOS the one that it opened; both without the part from # on. */
  function signedAddress() {
    return (onIos ? landing : location.href).split("#")[0];
  }

  function landingAddress() {
    var entries = window.performance && performance.getEntriesByType ? performance.getEntriesByType("navigation") : [];
    var first = entries.length ? entries[0].name : "";
    return first && originOf(first) === originOf(location.href) ? first : location.href;
  }

  window.WeixinJSBridge = {
    /** Calls a function of the client. */
    invoke: function (name, params, callback) {
      if (typeof params === "function") return window.WeixinJSBridge.invoke(name, {}, params);
      params = params || {};
      var known = CLIENT_NAMES[name] || name;
      var end = function (status, result) {
        var answer = {};
        for (var key in result) if (result[key] !== undefined) answer[key] = result[key];
        answer.err_msg = (SPELLED[name] || name) + ":" + (name === "getNetworkType" && status === "ok" ? answer.networkType : status);
        if (callback) setTimeout(function () { callback(answer); }, 0);
      };
      if (name === "sandboxAlert") return overlay.show({ text: params.text, actions: [TEXTS.ok] }, callback);
      if (name === "preVerifyJSAPI") return verify("config", params, end);
      if (name === "agentConfig") return verify("agentConfig", params, end);
      if (!functions.hasOwnProperty(known)) return end("function not exist");
      var signed = params.verifySignature !== undefined;
      if (known !== "checkJsApi" && !isGranted(known) && (signed || !FREE[known])) return end("permission denied");
      functions[known](params, end);
    },
    /** Hears an event of the client; one hearer an event. */
    on: function (event, handler) { handlers[event] = handler; },
    call: function (name, params) { window.WeixinJSBridge.invoke(name, params); },
    log: function (text) { console.log(text); },
    /** What the client tells the page. */
    _handleMessageFromWeixin: function (message) { if (message && message.__event_id) fire(message.__event_id, message.__params || {}); }
  };
  window.__wxjs_environment = "browser";
  window.__wxjs_is_wkwebview = onIos;

  function isGranted(name) {
    return granted.config[name] === true || granted.agentConfig[name] === true;
  }

  function fire(event, argument) {
    if (handlers[event]) handlers[event](argument);
  }

  // The phone around the page.

  /** The phone says who it is in the name of its frame, so that it is known before any other script runs. */
  function aroundUs() {
    if (window.parent === window) return null;
    try {
      var said = JSON.parse(window.name);
      var loopback = /^http:\/\/([\w-]+\.)*(localhost|127\.\d+\.\d+\.\d+|\[::1\])(:\d+)?$/.test(said.origin);
      return said.wechatSandbox === 1 && (loopback || said.origin === platform) ? said : null;
    } catch (error) {
      return null;
    }
  }

  function tell(kind, data) {
    if (!phone) return;
    var message = { wechatSandbox: 1, kind: kind, document: documentId, url: location.href, title: document.title };
    for (var key in data || {}) message[key] = data[key];
    window.parent.postMessage(message, phone.origin);
  }

  function ask(kind, data, answered) {
    data.id = String(Math.random()).slice(2);
    waiting[data.id] = answered;
    tell(kind, data);
  }

  function listen() {
    window.addEventListener("message", function (event) {
      var message = event.data;
      if (event.source !== window.parent || event.origin !== phone.origin || !message || message.wechatSandbox !== 1) return;
      if (message.kind === "answer" && waiting[message.id]) {
        waiting[message.id](message.value);
        delete waiting[message.id];
      } else if (message.kind === "reload") {
        window.name = String(message.name);
        location.reload();
      }
      if (message.kind === "share") fire(message.event, { shareTo: message.to });
    });
    var said = "";
    var here = function () {
      if (said === location.href + " " + document.title) return;
      said = location.href + " " + document.title;
      tell("page");
    };
    ["DOMContentLoaded", "load", "pageshow", "popstate", "hashchange"].forEach(function (name) { window.addEventListener(name, function () { setTimeout(here, 0); }); });
    window.addEventListener("pagehide", function () { tell("leaving"); });
    ["pushState", "replaceState"].forEach(function (name) {
      var original = history[name];
      history[name] = function () {
        var result = original.apply(history, arguments);
        here();
        return result;
      };
    });
    if (window.MutationObserver) new MutationObserver(here).observe(document.head || document.documentElement, { childList: true, subtree: true, characterData: true });
    follow();
    hold();
    here();
  }

  /** A picture that is held down (a right click here) can be handed to the phone, which may read a QR code in it. */
  function hold() {
    window.addEventListener("contextmenu", function (event) {
      var image = event.target;
      if (!image || image.tagName !== "IMG" || event.defaultPrevented || event.shiftKey || event.ctrlKey) return;
      event.preventDefault();
      tell("picture", { address: image.currentSrc || image.src, data: overlay.pixels(image) });
    });
  }

  /** WeChat shows one page at a time: what asks for a window of its own is opened over the page by the phone. */
  function follow() {
    window.addEventListener("click", function (event) {
      var link = event.target && event.target.closest ? event.target.closest("a[href][target]") : null;
      if (!link || event.defaultPrevented || event.button || event.metaKey || event.ctrlKey || event.shiftKey) return;
      if (!/^https?:$/.test(link.protocol) || link.target === "_self" || link.target === "") return;
      event.preventDefault();
      if (link.target === "_blank") tell("open", { address: link.href });
      else location.href = link.href;
    });
    window.open = function (address) {
      if (!address) return window;
      var link = document.createElement("a");
      link.href = address;
      if (/^https?:$/.test(link.protocol)) tell("open", { address: link.href });
      return null;
    };
  }

  // Small things.

  function post(path, body, answered) {
    var request = new XMLHttpRequest();
    request.open("POST", platform + path);
    // A content type that needs no preflight.
    request.setRequestHeader("Content-Type", "text/plain");
    var read = function (text) {
      var answer = null;
      try {
        answer = JSON.parse(text);
      } catch (error) {
        // Said below.
      }
      answered(answer || { errMsg: body.kind + ":fail the sandbox at " + platform + " does not answer" });
    };
    request.onloadend = function () {
      // The page's own policy may forbid it; the phone may.
      if (request.status === 0 && phone) ask("post", { path: path, body: JSON.stringify(body) }, read);
      else read(request.responseText);
    };
    request.send(JSON.stringify(body));
  }

  function statusOf(errMsg) {
    return String(errMsg).slice(String(errMsg).indexOf(":") + 1);
  }

  function setOf(names) {
    var set = {};
    names.forEach(function (name) { set[CLIENT_NAMES && CLIENT_NAMES[name] || name] = true; });
    return set;
  }

  function words(text) {
    return setOf(text.split(" "));
  }

  function copied(from, names) {
    var to = {};
    for (var name in names) if (from[name] !== undefined) to[name] = from[name];
    return to;
  }

  function originOf(address) {
    return String(address).replace(/^(\w+:\/\/[^\/?#]*).*$/, "$1");
  }

  function mediaId() {
    var text = "";
    while (text.length < 40) text += Math.random().toString(36).slice(2);
    return text.slice(0, 40);
  }

  function voice() {
    voices += 1;
    return "wxLocalResource://sandbox/voice/" + voices;
  }

  if (phone) listen();
  // Pages wait for this event when they run before the client's side is there.
  setTimeout(function () {
    var event = document.createEvent("Event");
    event.initEvent("WeixinJSBridgeReady", true, false);
    document.dispatchEvent(event);
  }, 0);
}(window, document));
