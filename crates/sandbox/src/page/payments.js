// What the page knows of WeChat Pay: merchants, their latest orders, and the notifications about them. It is fetched when something
// changed, and notifications come as they happen.

import { control } from "./dom.js";

/** Orders of a merchant, and notifications, that are shown. */
const MOST = 40;

let merchants = [];
let orders = [];
let notices = new Map();
let loading = null;
let changed = () => {};
/** What was cleared away, up to these numbers. */
let cleared = { order: new Map(), notice: 0 };

/** Has `draw` called when there is something new. */
export function watchPayments(draw) {
  changed = draw;
  loadPaymentsSoon();
}

/** Something may have changed; many wishes within a moment are one. */
export function loadPaymentsSoon() {
  loading ??= setTimeout(() => {
    loading = null;
    load();
  }, 80);
}

async function load() {
  const [known, sent] = await Promise.all([control("GET", "/sandbox/merchants"), control("GET", `/sandbox/notifications?limit=${MOST}`)]);
  if (!known || !sent) return;
  const lists = await Promise.all(known.merchants.map((merchant) => control("GET", `/sandbox/merchants/${merchant.mch_id}/orders?limit=${MOST}`)));
  merchants = known.merchants;
  // After a reset numbers begin anew.
  if (!merchants.length) cleared = { order: new Map(), notice: 0 };
  orders = lists.flatMap((list) => list?.orders ?? []);
  notices = new Map(sent.notifications.map((notice) => [notice.id, notice]));
  changed();
}

/** Takes over a notification that was made, tried or ended. */
export function takeNotice(notice) {
  notices.set(notice.id, notice);
  if (notices.size > MOST) notices.delete(Math.min(...notices.keys()));
  changed();
}

/** The merchants, in the order in which they were made. */
export function allMerchants() {
  return merchants;
}

/** The orders of an account that are not cleared away, each with its merchant's name. */
export function ordersOf(appid) {
  const named = new Map(merchants.map((merchant) => [merchant.mch_id, merchant.name]));
  return orders.filter((order) => order.appid === appid && order.number > (cleared.order.get(order.mch_id) ?? 0))
    .map((order) => ({ ...order, merchant: named.get(order.mch_id) ?? order.mch_id }));
}

/** The notifications to the merchants of an account. */
export function noticesOf(appid) {
  const own = new Set(merchants.filter((merchant) => merchant.appids.includes(appid)).map((merchant) => merchant.mch_id));
  return [...notices.values()].filter((notice) => own.has(notice.mch_id) && notice.id > cleared.notice);
}

/** Takes what is known now out of the lists. */
export function clearPayments() {
  cleared = { order: new Map(cleared.order), notice: Math.max(cleared.notice, ...notices.keys()) };
  for (const order of orders) cleared.order.set(order.mch_id, Math.max(order.number, cleared.order.get(order.mch_id) ?? 0));
}
