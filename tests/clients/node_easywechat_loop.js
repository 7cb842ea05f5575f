// node-easywechat in a loop until its input ends: a new token, then calls with it. Says what came of it as one line of JSON.
//
//   node node_easywechat_loop.js TARGET APPID SECRET OPENID
'use strict';
const { OfficialAccount } = require('node-easywechat');

const [target, app_id, secret, openid] = process.argv.slice(2);
const tally = { tokens: 0, calls: 0, errors: [] };
let over = false;

function answered({ errcode, errmsg, subscribe }) {
  tally.calls += 1;
  if (errcode || subscribe === 0) tally.errors.push(`${errcode} ${errmsg}`);
}

async function loop(number) {
  const stable = number % 2 === 1;
  const app = new OfficialAccount({ app_id, secret, use_stable_access_token: stable, http: { baseURL: target } });
  // Each process of a team has a cache of its own.
  app.getAccessToken().setKey(`loop${number}`);
  const client = app.getClient();
  while (!over) {
    const token = app.getAccessToken();
    await (stable ? token.getStableAccessToken(true) : token.refresh());
    tally.tokens += 1;
    for (let call = 0; call < 3; call++) {
      answered((await client.get('/cgi-bin/user/info', { params: { openid } })).toObject());
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }
}

process.stdin.on('end', () => { over = true; }).resume();
Promise.allSettled([0, 1, 2, 3].map(loop)).then((ends) => {
  for (const { reason } of ends) if (reason) tally.errors.push(String(reason));
  console.log(JSON.stringify(tally));
});
