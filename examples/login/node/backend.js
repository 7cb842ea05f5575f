#!/usr/bin/env node
// A site behind wechat-proxy's /app/KEY/auth/info: logs its visitors in with WeChat.
//
//     WECHAT_PROXY_APP=http://127.0.0.1:8080/app/KEY WECHAT_PROXY_API_KEY=wxp_… node backend.js
//     // 127.0.0.1:9000, another port with PORT=; SITE_URL= where browsers find it; VIA=ticket: by ticket instead of a POST
//
// What must stay true: who the visitor is comes only from what `verify` lets pass, which was signed for this site; each login
// counts once, and only in the browser that began it. It needs nothing but Node.js 18.
'use strict';
const http = require('node:http');
const { createHmac, randomBytes, timingSafeEqual } = require('node:crypto');

// How far `timestamp` may be from the clock, in seconds.
const TOLERANCE = 300;

// Larger than any user that WeChat describes.
const MAX_BODY_BYTES = 64 * 1024;

// How many sessions are remembered. A real service keeps them, and the nonces, in its database or cache.
const MAX_REMEMBERED = 10_000;

// The members of a signed JSON body, as the texts that were signed; null when it is not genuine, or not for `origin`.
//
// Types are not signed (0 and "0" are the same text), so only texts come out. A `&name=` in a text could make two members of
// one, or one of two, under the same signature: the proxy sends none but in `state`, where it does no harm. What another site,
// port or scheme got says nothing here, so `origin` must be the one of this site, as browsers write it.
const verify = (body, apiKey, origin) => {
  try {
    const { sign, ...members } = JSON.parse(keepDigits(body.toString()));
    const texts = Object.entries(members).map(([name, value]) => [name, signedText(value)]);
    const plain = ([name, text]) => /^[a-z][a-z0-9_]*$/.test(name) && (name === 'state' || !/&[A-Za-z0-9_]+=/.test(text));
    if (!texts.every(plain)) return null;
    // Names are ASCII, so this is the order of their bytes. localeCompare would be another one.
    const pairs = texts.filter(([, text]) => text !== '').sort(([a], [b]) => (a < b ? -1 : 1));
    const text = [...pairs, ['key', apiKey]].map((pair) => pair.join('=')).join('&');
    const expected = createHmac('sha256', apiKey).update(text).digest('hex').toUpperCase();
    const user = Object.fromEntries(texts);
    return same(expected, String(sign)) && user.origin === origin ? user : null;
  } catch {
    return null;
  }
};

// A JavaScript number has 53 bits and may be printed as 1e21: integers of 16 and more digits become strings before JSON.parse
// rounds them. A quote inside a JSON text is escaped, so `":` always ends a name and this never changes what a user wrote.
const keepDigits = (body) => body.replace(/"(\w+)":\s*(-?\d{16,})(?=\s*[,}])/g, '"$1":"$2"');

// How a value stands in the signed text.
const signedText = (value) => {
  if (value === null) return '';
  if (typeof value === 'boolean' || Number.isSafeInteger(value)) return String(value);
  if (Array.isArray(value) && !value.some(Array.isArray)) return value.map(signedText).join(',');
  if (typeof value === 'string') return value;
  throw new Error('nothing that the proxy sends');
};

// Whether two texts are equal, in a time that tells nothing about where they differ.
const same = (a, b) => Buffer.byteLength(a) === Buffer.byteLength(b) && timingSafeEqual(Buffer.from(a), Buffer.from(b));

// Who is logged in.
class Visitors {
  #users = new Map();
  #nonces = new Map();

  // Whether what `verify` let pass is of now, and was not here before.
  firstTime({ timestamp = '', nonce = '' }, now) {
    if (!/^\d{1,12}$/.test(timestamp) || !(Math.abs(now - Number(timestamp)) <= TOLERANCE) || !nonce) return false;
    for (const [known, end] of this.#nonces) if (end < now) this.#nonces.delete(known);
    if (this.#nonces.has(nonce)) return false;
    this.#nonces.set(nonce, Number(timestamp) + TOLERANCE);
    return true;
  }

  // The name of a new session.
  enter(user) {
    const session = randomBytes(32).toString('base64url');
    this.#users.set(session, user);
    if (this.#users.size > MAX_REMEMBERED) this.#users.delete(this.#users.keys().next().value);
    return session;
  }

  // The user of a session, in the browser whose cookie `login` is the `state` that this login began with.
  user({ session, login }) {
    const user = this.#users.get(session);
    return user && login && same(user.state ?? '', login) ? user : null;
  }
}

// What the environment says, and what is done with it.
class Site {
  constructor(environment) {
    this.apiKey = environment.WECHAT_PROXY_API_KEY;
    if (!this.apiKey) throw new Error("set WECHAT_PROXY_API_KEY to the app's api_key (wxp_…)");
    this.app = (environment.WECHAT_PROXY_APP ?? 'http://127.0.0.1:8080/app/test').replace(/\/+$/, '');
    this.port = Number(environment.PORT ?? 9000);
    this.url = (environment.SITE_URL ?? `http://127.0.0.1:${this.port}`).replace(/\/+$/, '');
    this.byTicket = environment.VIA === 'ticket';
    this.visitors = new Visitors();
  }

  async answer(request) {
    const { pathname, searchParams } = new URL(request.url, 'http://site');
    const what = `${request.method} ${pathname}`;
    if (what === 'GET /') return this.show(request);
    if (what === 'GET /login') return this.login();
    if (what === 'GET /wechat') return this.redeem(searchParams);
    if (what !== 'POST /wechat') return page(404, '没有这一页');
    const body = await read(request);
    return body ? this.accept(body) : page(413, '看不懂的请求');
  }

  show(request) {
    const cookies = Object.fromEntries((request.headers.cookie ?? '').split(/; */).map((pair) => pair.split('=', 2)));
    const user = this.visitors.user(cookies);
    return user ? page(200, `你好, ${user.nickname || user.openid || user.userid}`, user) : page(200, '还没有登录');
  }

  login() {
    const state = randomBytes(16).toString('base64url');
    const query = new URLSearchParams({ call: `${this.url}/wechat`, state, ...(this.byTicket && { via: 'ticket' }) });
    return lead(302, `${this.app}/auth/info?${query}`, `login=${state}`);
  }

  // What the proxy says about the visitor: the body of the POST, or what a ticket brought.
  accept(body) {
    const user = verify(body, this.apiKey, this.url);
    if (!user || !this.visitors.firstTime(user, Date.now() / 1000)) return page(401, '登录信息无效或已过期');
    if (user.error) return sorry(user.error);
    return lead(303, '/', `session=${this.visitors.enter(user)}`);
  }

  // VIA=ticket: the browser brings a ticket; the user is fetched with it, once, by this server itself.
  async redeem(query) {
    const ticket = query.get('ticket');
    if (!ticket) return sorry(query.get('error') ?? '');
    const response = await fetch(`${this.app}/auth/user?${new URLSearchParams({ ticket })}`, {
      headers: { Authorization: `Bearer ${this.apiKey}` },
      signal: AbortSignal.timeout(10_000),
    });
    return this.accept(await response.text());
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

// With HTTPS add "; Secure". Lax is what keeps the comparison in Visitors.user worth something.
const lead = (status, location, cookie) => [status, { location, 'set-cookie': `${cookie}; Path=/; HttpOnly; SameSite=Lax` }, ''];

// access_denied: the visitor said no. A ticket's error is not signed: nothing but a word is shown.
const sorry = (error) => page(403, `没有登录: ${/^[a-z_]{1,40}$/.test(error) ? error : 'invalid_request'}`);

const escaped = (text) => text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);

const page = (status, title, user = {}) => {
  const rows = Object.entries(user).map(([name, text]) => `<li>${escaped(name)}: ${escaped(text)}</li>`);
  const body = '<!doctype html><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
    + `<h1>${escaped(title)}</h1><ul>${rows.join('')}</ul><a href="/login">用微信登录</a>`;
  return [status, { 'content-type': 'text/html; charset=utf-8' }, body];
};

const main = () => {
  const site = new Site(process.env);
  const server = http.createServer(async (request, response) => {
    const failed = (error) => {
      console.error('failed', error.message);
      return page(502, '登录没有完成, 请再试一次');
    };
    const [status, headers, body] = await site.answer(request).catch(failed);
    response.writeHead(status, { ...headers, 'cache-control': 'no-store' }).end(body);
  });
  server.listen(site.port, '127.0.0.1', () => console.log(`listening on http://127.0.0.1:${site.port}`));
};

main();
