#!/usr/bin/env node
// A shop behind wechat-proxy's /app/KEY/pay/qrcode and /pay/js: sells one article, and hears when it is paid.
//
//     WECHAT_PROXY_APP=http://127.0.0.1:8080/app/KEY WECHAT_PROXY_API_KEY=wxp_… node backend.js
//     // 127.0.0.1:9000, another port with PORT=; SITE_URL= where browsers and the proxy find it
//
// What must stay true: the price is this server's, so every link to an order is signed; an order is paid only by a delivery
// whose signature is right and whose amount is the order's; and no delivery is handled twice. It needs nothing but Node.js 18.
'use strict';
const http = require('node:http');
const { createHmac, randomBytes, timingSafeEqual } = require('node:crypto');

// What is sold, and for how much, in fen.
const ARTICLE = '例子 & Example';
const FEE = 1;

// How far webhook-timestamp may be from the clock, in seconds: an old request that somebody recorded is worth nothing.
const TOLERANCE = 300;

// Larger than any delivery of a payment.
const MAX_BODY_BYTES = 256 * 1024;

// How many orders and deliveries are remembered. A real service keeps both in its database, the ids of deliveries under a unique
// key, and writes them in the transaction that does the work: then a restart forgets nothing.
const MAX_REMEMBERED = 10_000;

// A link to an order (`url` is …/pay/qrcode or …/pay/js) that the proxy follows for an hour, with these parameters only.
//
// The signed text does not escape: what visitors choose could look like another parameter in it. Such a value is refused, here
// as by the proxy.
const signLink = (url, parameters, apiKey, now) => {
  const given = Object.entries(parameters).filter(([name, text]) => text !== '' && name !== 'sign' && name !== 'timestamp');
  const texts = [...given, ['timestamp', String(Math.floor(now))]];
  const plain = ([name, text]) => /^[A-Za-z0-9_]+$/.test(name) && !/&[A-Za-z0-9_]+=/.test(text);
  if (!texts.every(plain)) throw new RangeError("a value holds '&', a name and '=': it cannot be signed");
  // Names are ASCII, so this is the order of their bytes. localeCompare would be another one.
  texts.sort(([a], [b]) => (a < b ? -1 : 1));
  const text = [...texts, ['key', apiKey]].map((pair) => pair.join('=')).join('&');
  const sign = createHmac('sha256', apiKey).update(text).digest('hex').toUpperCase();
  return `${url}?${new URLSearchParams([...texts, ['sign', sign]])}`;
};

// Whether the proxy sent this: webhook-signature is "v1,BASE64" of HMAC-SHA256 over "id.timestamp.body" with the api_key. After a
// rotation of the api_key there are two of them, and one that fits is enough.
const genuine = (apiKey, headers, body, now) => {
  const { 'webhook-id': id, 'webhook-timestamp': timestamp, 'webhook-signature': signatures } = headers;
  if (!id || !signatures || !/^\d{1,12}$/.test(timestamp) || Math.abs(now - Number(timestamp)) > TOLERANCE) return false;
  const expected = `v1,${createHmac('sha256', apiKey).update(`${id}.${timestamp}.`).update(body).digest('base64')}`;
  return signatures.split(' ').some((given) => same(expected, given));
};

// Whether two texts are equal, in a time that tells nothing about where they differ.
const same = (a, b) => Buffer.byteLength(a) === Buffer.byteLength(b) && timingSafeEqual(Buffer.from(a), Buffer.from(b));

// What was ordered, and what became of it.
class Orders {
  #orders = new Map();
  #seen = new Map();

  // The number of a new order. It is remembered before anybody can pay it.
  place(fee) {
    const number = new Date().toISOString().slice(0, 10).replaceAll('-', '') + randomBytes(12).toString('hex');
    remember(this.#orders, number, { fee, state: 'unpaid' });
    return number;
  }

  // `unpaid`, `paid` or `refunded`; undefined for an order that is not known.
  state(number) {
    return this.#orders.get(number)?.state;
  }

  // Takes what `genuine` let pass, once. Throws when it cannot be handled: then it is delivered again later. (What awaits something
  // in here must see to it that the same delivery does not come in between: a unique key in the database does.)
  take(id, body) {
    if (this.#seen.has(id)) return;
    const event = JSON.parse(body.toString());
    const order = this.#orders.get(event.out_trade_no);
    if (!order) throw new Error(`no order ${event.out_trade_no}`);
    // The total of the order, which WeChat tells with every event; cash_fee is less when a coupon paid a part.
    if (event.total_fee !== order.fee) throw new Error(`${event.total_fee} fen for an order of ${order.fee}`);
    // Here the goods are handed out. What takes long belongs into a queue.
    if (event.event_type === 'TRANSACTION.SUCCESS' && order.state === 'unpaid') order.state = 'paid';
    if (event.event_type === 'REFUND.SUCCESS') order.state = 'refunded';
    // REFUND.CLOSED: no money went back; REFUND.ABNORMAL: the payer's bank refused, somebody has to see to it.
    console.log('handled', id, event.event_type, event.out_trade_no);
    remember(this.#seen, id, true);
  }
}

const remember = (map, key, value) => {
  map.set(key, value);
  if (map.size > MAX_REMEMBERED) map.delete(map.keys().next().value);
};

// What the environment says, and what is done with it.
class Shop {
  constructor(environment) {
    this.apiKey = environment.WECHAT_PROXY_API_KEY;
    if (!this.apiKey) throw new Error("set WECHAT_PROXY_API_KEY to the app's api_key (wxp_…)");
    this.app = (environment.WECHAT_PROXY_APP ?? 'http://127.0.0.1:8080/app/test').replace(/\/+$/, '');
    this.port = Number(environment.PORT ?? 9000);
    this.url = (environment.SITE_URL ?? `http://127.0.0.1:${this.port}`).replace(/\/+$/, '');
    this.orders = new Orders();
  }

  async answer(request) {
    const { pathname, searchParams } = new URL(request.url, 'http://shop');
    const what = `${request.method} ${pathname}`;
    // In WeChat, who pays is in the session of a login (examples/login). Whoever it names, only he can pay.
    if (what === 'GET /') return this.offer(searchParams.get('openid') ?? '');
    if (what.startsWith('GET /orders/')) return this.show(pathname.slice('/orders/'.length));
    if (what !== 'POST /paid') return text(404, '没有这一页');
    const body = await read(request);
    return body ? this.take(request.headers, body) : text(413, '');
  }

  // A new order, and the link to it: what a page in WeChat asks for, or a picture to be scanned.
  offer(openid) {
    const number = this.orders.place(FEE);
    const order = { out_trade_no: number, fee: String(FEE), name: ARTICLE, call: `${this.url}/paid`, openid };
    const path = openid ? '/pay/js' : '/pay/qrcode';
    try {
      const link = escaped(signLink(this.app + path, order, this.apiKey, Date.now() / 1000));
      const way = openid ? `<button data-order="${link}">在微信里付款</button>` : `<img src="${link}" alt="用微信扫码付款">`;
      return [200, 'text/html; charset=utf-8', page(number, way)];
    } catch (error) {
      if (error instanceof RangeError) return text(400, 'openid 不对');
      throw error;
    }
  }

  show(number) {
    const state = this.orders.state(number);
    return state ? text(200, state) : text(404, '没有这个订单');
  }

  take(headers, body) {
    if (!genuine(this.apiKey, headers, body, Date.now() / 1000)) return text(401, '');
    this.orders.take(headers['webhook-id'], body);
    return text(200, '');
  }
}

const read = async (request) => {
  const chunks = [];
  let length = 0;
  for await (const chunk of request) {
    length += chunk.length;
    if (length > MAX_BODY_BYTES) return null;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
};

const text = (status, body) => [status, 'text/plain; charset=utf-8', body];

const escaped = (text) => text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);

// What the phone says (result) is for display. Whether it is paid, this server knows from the delivery.
const page = (number, way) => `<!doctype html><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<h1>${escaped(ARTICLE)} ¥ ${(FEE / 100).toFixed(2)}</h1>${way}<p id="state">unpaid</p>
<script>
  const button = document.querySelector('button');
  const say = (text) => { document.getElementById('state').textContent = text; };
  if (button) button.onclick = async () => {
    const order = await (await fetch(button.dataset.order)).json();
    if (!order.paySign) return say(order.errmsg);
    WeixinJSBridge.invoke('getBrandWCPayRequest', order, (result) => say(result.err_msg));
  };
  setInterval(async () => {
    const state = await (await fetch('/orders/${number}')).text();
    if (state !== 'unpaid') say(state);
  }, 2000);
</script>
`;

const main = () => {
  const shop = new Shop(process.env);
  const server = http.createServer(async (request, response) => {
    const failed = (error) => {
      // Not 2xx: the proxy delivers it again later, and keeps it where operators find it.
      console.error('failed', request.headers['webhook-id'], error.message);
      return text(500, '');
    };
    const [status, type, body] = await shop.answer(request).catch(failed);
    response.writeHead(status, { 'content-type': type, 'cache-control': 'no-store' }).end(body);
  });
  server.listen(shop.port, '127.0.0.1', () => console.log(`listening on http://127.0.0.1:${shop.port}`));
};

main();
