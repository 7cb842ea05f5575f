#!/usr/bin/env node
// A backend behind wechat-proxy's /app/KEY/msg/json: says a user's text back, welcomes who follows.
//
//     npm install standardwebhooks
//     WECHAT_PROXY_API_KEY=wxp_… node backend.js        # 127.0.0.1:9000, another port with PORT=
//
// What must stay true: nothing is looked at before its signature is verified, and no delivery is handled twice.
'use strict';
const http = require('node:http');
const { Webhook } = require('standardwebhooks');

// Larger than what the proxy takes from WeChat (1 MiB); escapes can make JSON longer than the XML it came from.
const MAX_BODY_BYTES = 4 * 1024 * 1024;

// How many deliveries are remembered. A real service keeps their ids in its database, under a unique key, and writes them in
// the transaction that does the work: then a restart forgets nothing. Deliveries come again for up to about two days.
const MAX_REMEMBERED = 10_000;

// The reply to a message, or null for none. Who it goes to and when is filled in by the proxy.
const answer = async (message) => {
  if (message.MsgType === 'text') return { MsgType: 'text', Content: `你说：${message.Content}` };
  if (message.MsgType === 'event' && message.Event === 'subscribe') return { MsgType: 'text', Content: '欢迎关注！' };
  return null;
};

// MsgId has 64 bits, a JavaScript number 53: integers of 16 and more digits become strings before JSON.parse rounds them.
// A quote inside a JSON text is escaped, so `":` always ends a name and this never changes what a user wrote.
const parse = (body) => JSON.parse(body.replace(/"(\w+)":\s*(-?\d{16,})(?=\s*[,}])/g, '"$1":"$2"'));

// Answers each delivery once; a repeated one gets the answer of the first time, or waits for it.
class Deliveries {
  #answers = new Map();

  answer(id, body) {
    const known = this.#answers.get(id);
    if (known) return known;
    const fresh = this.#handle(id, body);
    this.#answers.set(id, fresh);
    // What failed comes again and is to be tried again.
    fresh.catch(() => this.#answers.delete(id));
    if (this.#answers.size > MAX_REMEMBERED) this.#answers.delete(this.#answers.keys().next().value);
    return fresh;
  }

  async #handle(id, body) {
    const message = parse(body);
    const reply = await answer(message);
    console.log('handled', id, message.MsgType, message.Event ?? '');
    return reply === null ? '' : JSON.stringify(reply);
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
  return Buffer.concat(chunks).toString();
};

const genuine = (webhook, body, headers) => {
  try {
    // jsonParse: false, because the library's own JSON.parse would be for nothing.
    webhook.verify(body, headers, { jsonParse: false });
    return true;
  } catch {
    return false;
  }
};

const main = () => {
  const apiKey = process.env.WECHAT_PROXY_API_KEY;
  if (!apiKey) throw new Error("set WECHAT_PROXY_API_KEY to the app's api_key (wxp_…)");
  const webhook = new Webhook(`whsec_${Buffer.from(apiKey).toString('base64')}`);
  const deliveries = new Deliveries();
  const port = Number(process.env.PORT ?? 9000);

  const respond = async (request, response) => {
    const body = await read(request);
    if (body === null) return response.writeHead(413, { Connection: 'close' }).end();
    if (!genuine(webhook, body, request.headers)) return response.writeHead(401).end();
    const reply = await deliveries.answer(request.headers['webhook-id'], body);
    return response.writeHead(200, { 'Content-Type': 'application/json; charset=utf-8' }).end(reply);
  };
  const server = http.createServer((request, response) => {
    respond(request, response).catch((error) => {
      // Not 2xx: the proxy delivers it again later.
      console.error('failed', request.headers['webhook-id'], error);
      if (!response.headersSent) response.writeHead(500).end();
    });
  });
  server.listen(port, '127.0.0.1', () => console.log(`listening on http://127.0.0.1:${port}`));
};

main();
