// The words of the page, in Chinese and English. Keys are the same in both; {0}, {1} … are filled in.

import * as pay from "./pay_texts.js";
import * as phone from "./phone_texts.js";

const zh = {
  ...phone.zh, ...pay.zh,
  title: "微信沙箱",
  subtitle: "一个属于你自己的微信平台",
  clock: "平台时间（北京）",
  live: "实时", stepped: "手动",
  paceHelp: "实时：时钟自己走；手动：只在你推进时才走",
  accounts: "账号", newAccount: "新建账号", faults: "故障", newFault: "注入故障", calls: "收到的调用", clear: "清空",
  connected: "实时更新", disconnected: "连接断开，正在重连",
  language: "English",
  official: "公众号", mini_program: "小程序", wecom: "企业微信", website: "网站应用",
  appid: "AppID", corpid: "企业 ID", secret: "AppSecret", corpsecret: "应用 {0} 的 Secret",
  tokens: "令牌", tickets: "票据", quotas: "今日调用量",
  classic: "普通", stable: "稳定版", current: "当前", previous: "上一个", app: "应用 {0}",
  retired: "已作废", expired: "已过期", left: "剩余 {0}",
  noTokens: "还没有令牌。用下面的按钮取一个，或者在终端里试试：",
  getClassic: "取普通令牌", getStable: "取稳定版令牌", getWecom: "取令牌", getTicket: "取 jsapi_ticket",
  kill: "作废", killHelp: "提前作废这个令牌：之后的调用会得到 {0}",
  copy: "复制", copied: "已复制", copyFailed: "无法复制，请手动选择",
  settings: "设置", frozen: "账号冻结", secret_frozen: "AppSecret 冻结", token_api_disabled: "停用 token 接口",
  jssdk: "JSSDK 权限", cards: "卡券权限", customer_service: "客服消息权限", web_login: "网页授权权限", open_platform: "绑定开放平台（有 unionid）",
  web_domains: "网页授权域名", js_domains: "JS 接口安全域名", anyDomain: "不填：任何域名都可以", websiteSteps: "网站应用没有 access_token，只用来扫码登录。在电脑上打开这样的链接，用手机的「扫一扫」确认：",
  resetSecret: "重置 AppSecret", deleteAccount: "删除账号",
  confirmReset: "重置 {0} 的 AppSecret？它的令牌会立即失效。", confirmDelete: "删除账号 {0}？它的令牌会立即失效。",
  welcome: "从一个账号开始", welcomeText: "沙箱会按照微信的规则签发令牌、票据，计算配额，返回真实的错误码。不需要注册，也不需要联网。",
  noFaults: "一切正常。注入一个故障，看看你的程序会怎样。",
  times: "还剩 {0} 次", anyAccount: "任何账号", remove: "移除",
  noCalls: "还没有调用。任何发到这个地址的微信 API 请求都会出现在这里。",
  byFault: "被故障 #{0} 击中",
  dropped: "断开", hung: "无应答", truncated: "半截", given_up: "放弃",
  kind: "类型", name: "名称", optional: "可不填，自动生成", create: "创建", cancel: "取消", confirm: "确定",
  path: "路径", pathHelp: "完整路径，或以 * 结尾的前缀", account: "账号", what: "发生什么", howOften: "次数",
  errcode: "返回错误码", status: "返回 HTTP 状态", delay: "延迟应答", drop: "断开连接", truncate: "只发一半应答", hang: "永不应答",
  code: "错误码", httpStatus: "HTTP 状态", milliseconds: "毫秒",
  carryOut: "请求照常执行，只是应答丢失", inject: "注入",
  seconds: "{0} 秒", minutes: "{0} 分钟", hours: "{0} 小时", days: "{0} 天", advance: "把时钟推进 {0}",
  failed: "没有成功：{0}", answered: "返回 {0}", unlimited: "不限",
};

const en = {
  ...phone.en, ...pay.en,
  title: "WeChat sandbox",
  subtitle: "A WeChat platform of your own",
  clock: "Platform time (Beijing)",
  live: "Live", stepped: "Stepped",
  paceHelp: "Live: the clock runs by itself. Stepped: it moves only when you advance it",
  accounts: "Accounts", newAccount: "New account", faults: "Faults", newFault: "Inject a fault", calls: "Calls received", clear: "Clear",
  connected: "Updating live", disconnected: "Disconnected, trying again",
  language: "中文",
  official: "Official account", mini_program: "Mini program", wecom: "WeCom", website: "Website",
  appid: "AppID", corpid: "Corp ID", secret: "AppSecret", corpsecret: "Secret of app {0}",
  tokens: "Tokens", tickets: "Tickets", quotas: "Calls today",
  classic: "Classic", stable: "Stable", current: "current", previous: "previous", app: "App {0}",
  retired: "Revoked", expired: "Expired", left: "{0} left",
  noTokens: "No tokens yet. Fetch one with the buttons below, or try it in a terminal:",
  getClassic: "Fetch classic token", getStable: "Fetch stable token", getWecom: "Fetch token", getTicket: "Fetch jsapi_ticket",
  kill: "Revoke", killHelp: "Revoke this token early: calls with it get {0} from then on",
  copy: "Copy", copied: "Copied", copyFailed: "Could not copy; please select it by hand",
  settings: "Settings", frozen: "Account frozen", secret_frozen: "AppSecret frozen", token_api_disabled: "Token API disabled",
  jssdk: "Right to JSSDK", cards: "Right to cards", customer_service: "Right to messages", web_login: "Right to web logins", open_platform: "On the open platform (unionid)",
  web_domains: "Domains of web logins", js_domains: "JS safe domains", anyDomain: "empty: any domain", websiteSteps: "A website application has no access_token, only logins by QR code. Open a link like this on the desktop, and confirm with the phone's scanner:",
  resetSecret: "Reset AppSecret", deleteAccount: "Delete account",
  confirmReset: "Reset the AppSecret of {0}? Its tokens die at once.", confirmDelete: "Delete account {0}? Its tokens die at once.",
  welcome: "Start with an account", welcomeText: "The sandbox issues tokens and tickets, counts quotas and answers with real error codes, by WeChat's rules. No registration, no network.",
  noFaults: "All is well. Inject a fault and see what your program does.",
  times: "{0} more", anyAccount: "Any account", remove: "Remove",
  noCalls: "No calls yet. Every WeChat API request to this address will show up here.",
  byFault: "hit by fault #{0}",
  dropped: "dropped", hung: "hung", truncated: "cut off", given_up: "given up",
  kind: "Kind", name: "Name", optional: "optional, made up when empty", create: "Create", cancel: "Cancel", confirm: "OK",
  path: "Path", pathHelp: "a whole path, or a prefix ending in *", account: "Account", what: "What happens", howOften: "How often",
  errcode: "Answer an error code", status: "Answer an HTTP status", delay: "Delay the answer", drop: "Close the connection", truncate: "Send half the answer", hang: "Never answer",
  code: "Error code", httpStatus: "HTTP status", milliseconds: "Milliseconds",
  carryOut: "Carry the call out, only lose the answer", inject: "Inject",
  seconds: "{0} s", minutes: "{0} min", hours: "{0} h", days: "{0} d", advance: "Advance the clock by {0}",
  failed: "It did not work: {0}", answered: "Answered {0}", unlimited: "unlimited",
};

let current = remembered() ?? (navigator.language.toLowerCase().startsWith("zh") ? "zh" : "en");

/** The text of a key in the current language. */
export function t(key, ...values) {
  const text = (current === "zh" ? zh : en)[key] ?? key;
  return text.replace(/\{(\d)\}/g, (_, index) => String(values[Number(index)]));
}

/** Puts the words into the static parts of the page. */
export function applyTexts() {
  document.documentElement.lang = current === "zh" ? "zh-CN" : "en";
  document.title = t("title");
  for (const element of document.querySelectorAll("[data-t]")) {
    element.textContent = t(element.dataset.t);
  }
}

/** The current language: `zh` or `en`. */
export function language() {
  return current;
}

export function switchLanguage() {
  useLanguage(current === "zh" ? "en" : "zh");
}

/** Changes the language and remembers it. */
export function useLanguage(wanted) {
  current = wanted === "zh" ? "zh" : "en";
  try {
    localStorage.setItem("language", current);
  } catch {
    // Without storage the choice lasts as long as the page.
  }
}

function remembered() {
  try {
    const stored = localStorage.getItem("language");
    return stored === "zh" || stored === "en" ? stored : null;
  } catch {
    return null;
  }
}
