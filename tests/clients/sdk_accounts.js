// Accounts of the sandbox for programs that run an SDK of Node.js; sdk_accounts.py beside it says what TARGET is.
'use strict';
const assert = require('node:assert');

const { SANDBOX_URL: SANDBOX, PROXY_URL: PROXY } = process.env;
const TARGET = process.env.TARGET_URL || PROXY;
const THROUGH_THE_PROXY = TARGET === PROXY;

// The JSON answer to a GET, or to a request with a JSON body.
async function ask(url, body, method = body ? 'POST' : 'GET') {
  const request = body ? { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } } : {};
  const answer = await fetch(url, { method, ...request });
  assert.ok(answer.ok, `${method} ${url}: ${answer.status}`);
  return answer.json();
}

// Registers an account of the sandbox as `key`; all the secrets that an SDK may use, by kind.
async function secrets(key, appid, secret, more = {}) {
  if (!THROUGH_THE_PROXY) return { AppSecret: secret };
  const receipt = await ask(`${PROXY}/register`, { key, appid, secret, ...more });
  assert.strictEqual(receipt.success, true);
  return { AppSecret: secret, api_key: receipt.api_key };
}

// A user who follows and has just written.
async function follower(appid, openid) {
  const account = `${SANDBOX}/sandbox/accounts/${appid}`;
  await ask(`${account}/callback`, { url: `${SANDBOX}/sandbox/backend?empty=1`, token: 'token', mode: 'plain', check: false }, 'PUT');
  const push = await ask(`${account}/push`, { openid, text: 'hi', wait: true });
  assert.ok(['acknowledged', 'ignored'].includes(push.outcome), JSON.stringify(push));
  return openid;
}

// What the account's API calls showed to a user: the contents, oldest first.
async function shown(appid, openid) {
  const { entries } = await ask(`${SANDBOX}/sandbox/accounts/${appid}/chat?openid=${openid}`);
  return entries.filter((entry) => entry.from === 'account').map((entry) => entry.content);
}

// What WeChat was asked about an account.
async function calls(appid) {
  return (await ask(`${SANDBOX}/sandbox/calls?appid=${appid}&limit=1000`)).calls;
}

module.exports = { SANDBOX, PROXY, TARGET, THROUGH_THE_PROXY, ask, secrets, follower, shown, calls };
