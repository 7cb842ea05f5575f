(function (run, settings) {
  "use strict";
  var page = typeof document === "object" ? document : null;
  var root = typeof window === "object" ? window : typeof globalThis === "object" ? globalThis : {};
  var tag = page && page.currentScript;
  var source = (tag && tag.src) || settings.source;
  var parsing = page && page.readyState === "loading" && tag && !tag.async && !tag.defer;
  var waiting = [];
  var loading = {};
  var signed = false;

  function here() {
    return typeof location === "object" ? location.href.split("#")[0] : settings.url;
  }
  var landing = here();

  function isIos() {
    return typeof navigator === "object" && /iP(hone|ad|od)/.test(navigator.userAgent);
  }

  function has(name) {
    return typeof root.wx === "object" && typeof root.wx[name] === "function" ||
      (typeof wx !== "undefined" && typeof wx[name] === "function");
  }

  // Loads what is not there yet, once: while the page is parsed so that the scripts after this one find it.
  function load(name, urls, then) {
    if (!page || has(name) || !urls.length) return then();
    if (loading[name]) return loading[name].push(then);
    loading[name] = [then];
    fetchScript(name, urls);
  }

  function fetchScript(name, urls) {
    var element;
    if (parsing) {
      var id = "wxproxy-" + name;
      page.write('<script id="' + id + '" src="' + urls[0] + '"><\/script>');
      element = page.getElementById(id);
    }
    if (!element) {
      element = page.createElement("script");
      element.src = urls[0];
      (page.head || page.documentElement).appendChild(element);
    }
    element.onload = function () {
      var callbacks = loading[name];
      loading[name] = null;
      callbacks.forEach(function (callback) { callback(); });
    };
    element.onerror = function () {
      parsing = false;
      if (urls.length > 1) return fetchScript(name, urls.slice(1));
      loading[name] = null;
      complain(urls[0] + " cannot be loaded");
    };
  }

  function configure(apply) {
    load("config", settings.jweixin, function () {
      apply();
      signed = true;
      while (waiting.length) waiting.shift()();
    });
  }

  // WeCom: the app's own signature, after that of the corporation.
  function agentConfigure(agentConfig) {
    if (!agentConfig) return;
    load("agentConfig", settings.jwxwork, function () {
      root.wx.ready(function () {
        agentConfig.success = function (result) { tell(agentReady, result); };
        agentConfig.fail = function (result) { tell(agentError, result); };
        root.wx.agentConfig(agentConfig);
      });
    });
  }

  function listeners() {
    return { callbacks: [], results: [] };
  }
  var agentReady = listeners();
  var agentError = listeners();

  function tell(to, result) {
    to.results = [result];
    to.callbacks.forEach(function (callback) { callback(result); });
  }

  function listen(to) {
    return function (callback) {
      to.callbacks.push(callback);
      to.results.forEach(function (result) { callback(result); });
    };
  }

  var failures = listeners();

  function complain(text) {
    if (typeof console === "object") console.error("wechat-proxy: " + text);
    tell(failures, { errMsg: text });
  }

  function request(url, done, failed) {
    var address = source.replace(/([?&])(url|format)=[^&#]*/g, "$1").replace(/#.*/, "");
    address += (address.indexOf("?") < 0 ? "?" : "&") + "format=json&url=" + encodeURIComponent(url.replace(/&amp;/g, "&amp;amp;"));
    var call = new XMLHttpRequest();
    call.open("GET", address);
    call.onload = function () {
      var answer = null;
      try { answer = JSON.parse(call.responseText); } catch (error) { answer = null; }
      if (answer && answer.signature) return done(answer);
      failed(answer && answer.errmsg || "HTTP status " + call.status);
    };
    call.onerror = function () {
      failed("no answer; is the host of this page in 'allow' of the registration?");
    };
    call.send();
  }

  function ask(url) {
    var settle = { done: function () {}, failed: function () {} };
    request(url, function (fields) {
      var agentConfig = fields.agentConfig;
      delete fields.agentConfig;
      configure(function () {
        root.wx["config"](fields);
        agentConfigure(agentConfig);
        settle.done(fields);
      });
    }, function (text) {
      complain(text);
      settle.failed(new Error(text));
    });
    if (typeof Promise !== "function") return undefined;
    var promise = new Promise(function (done, failed) { settle.done = done; settle.failed = failed; });
    promise["catch"](function () {});
    return promise;
  }

  root.wxproxy = {
    // Signs again, after a route change of a single-page app: iOS checks the address at which the page was opened.
    config: function (url) { return ask(url || (isIos() ? landing : here())); },
    // Calls back as soon as wx is there and wx.config was called.
    ready: function (callback) { if (signed) callback(); else waiting.push(callback); },
    // Calls back when the proxy did not sign, or a script cannot be loaded. What WeChat refuses, wx.error tells.
    error: listen(failures),
    agentReady: listen(agentReady),
    agentError: listen(agentError)
  };

  if (run && (settings.given || here() === settings.url)) {
    configure(function () {
      run();
      agentConfigure(settings.agentConfig);
    });
  } else {
    load("config", settings.jweixin, function () {});
    ask(here());
  }
  parsing = false;
