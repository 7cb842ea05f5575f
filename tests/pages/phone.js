// What phone_login, phone_jssdk and phone_pay share: the sandbox's phone as a person uses it, in a real browser, accounts with their
// registrations, and a site on another port. Not a program of its own.
'use strict';
const http = require('node:http');
const { randomBytes } = require('node:crypto');
const { chromium } = require('playwright-core');
const { SANDBOX_URL, PROXY_URL, CHROMIUM } = process.env;

const FLAGS = ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
  '--disable-component-update', '--disable-sync'];
/** How long a condition may take, in milliseconds. */
const PATIENCE = 20_000;

/** Asks the platform: its API, or its control API. */
async function ask(path, method = 'GET', body = undefined) {
  const response = await fetch(SANDBOX_URL + path, { method, body: body && JSON.stringify(body) });
  return response.json();
}

/** Registers at a proxy; answers where its paths are and, the first time, its api_key. */
async function register(key, members, { proxy = PROXY_URL, token = '' } = {}) {
  const headers = { 'content-type': 'application/json', ...(token && { authorization: `Bearer ${token}` }) };
  const response = await fetch(`${proxy}/register`, { method: 'POST', headers, body: JSON.stringify({ key, ...members }) });
  const answer = await response.json();
  if (!answer.success) throw new Error(`/register: ${JSON.stringify(answer)}`);
  return { url: `${proxy}/app/${encodeURIComponent(key)}`, key, apiKey: answer.api_key, appid: members.appid };
}

/** An official account on the platform. */
async function account(name) {
  const members = { appid: `wx${randomBytes(8).toString('hex')}`, secret: randomBytes(16).toString('hex') };
  await ask('/sandbox/accounts', 'POST', { ...members, name });
  // The phone's user is known to an account as soon as anybody looks.
  const { accounts } = await ask('/sandbox/accounts');
  return { ...members, phone: accounts.find((one) => one.appid === members.appid).phone };
}

/** A site on another port: `pages` are functions by path, called with the request, its URL and its body; they answer status, headers, text. */
async function openSite(pages) {
  const site = { pages, paths: [] };
  const server = http.createServer(async (request, response) => {
    const url = new URL(request.url, site.url);
    site.paths.push(url.pathname);
    const pieces = [];
    for await (const piece of request) pieces.push(piece);
    const page = pages[url.pathname];
    if (!page) return response.writeHead(404).end();
    const [status, headers, text] = await page(request, url, Buffer.concat(pieces)).catch((error) => [500, {}, String(error.stack)]);
    return response.writeHead(status, { 'content-type': 'text/html; charset=utf-8', ...headers }).end(text);
  });
  await new Promise((done) => server.listen(0, '127.0.0.1', done));
  site.url = `http://127.0.0.1:${server.address().port}`;
  site.close = () => {
    server.closeAllConnections();
    server.close();
  };
  return site;
}

function launch() {
  return chromium.launch({ executablePath: CHROMIUM, args: FLAGS });
}

/** Another browser, with one tab; `complaints` is what its console and scripts complain about. */
async function openTab(browser, options = {}) {
  const context = await browser.newContext({ locale: 'zh-CN', ...options });
  context.setDefaultTimeout(PATIENCE);
  const complaints = [];
  context.on('console', (message) => { if (message.type() === 'error') complaints.push(message.text()); });
  context.on('weberror', (error) => complaints.push(String(error.error().stack)));
  return { context, complaints, page: await context.newPage() };
}

/** The phone, in a browser with the browser's own User-Agent. */
async function openPhone(browser) {
  const { context, complaints, page } = await openTab(browser, { viewport: { width: 1280, height: 800 } });
  const start = async () => {
    await page.goto(SANDBOX_URL);
    await page.locator('.contact').first().waitFor();
  };
  await start();
  const place = page.locator('#browser');
  const within = page.frameLocator('#browser iframe:not([hidden])');
  const phone = {
    context, complaints, page, place, within,
    press: (name) => place.getByRole('button', { name, exact: true }).click(),
    close: () => phone.press('关闭网页'),
    /** The page in the phone whose title this is. */
    title: (text) => place.locator('.page-title', { hasText: text }).waitFor(),
    /** From now on in the chat of this account. */
    chat: (name) => page.locator('.contact', { hasText: name }).click(),
    async open(address) {
      if (await place.isVisible()) await phone.close();
      await page.getByRole('button', { name: '打开网页' }).click();
      await place.getByRole('textbox', { name: '网址' }).fill(address);
      await place.getByRole('textbox', { name: '网址' }).press('Enter');
    },
    async scan(png) {
      if (await place.isVisible()) await phone.close();
      await page.getByRole('button', { name: '扫一扫' }).first().click();
      await page.locator('.over-sheet.scanner input[type=file]').setInputFiles({ name: 'code.png', mimeType: 'image/png', buffer: png });
    },
    /** Sets the phone, and begins with it anew: a page that is open when it learns of that is loaded again. */
    async set(settings) {
      const set = await ask('/sandbox/phone', 'PATCH', settings);
      await page.goto('about:blank');
      await start();
      return set;
    },
  };
  return phone;
}

/** Calls until the answer is true; each try asks somebody else, so this is no busy loop. */
async function until(what, answers) {
  for (const end = Date.now() + PATIENCE; Date.now() < end;) {
    const answer = await answers();
    if (answer) return answer;
  }
  throw new Error(`never came: ${what}`);
}

module.exports = { PATIENCE, ask, register, account, openSite, launch, openTab, openPhone, until };
