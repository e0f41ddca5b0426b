// Somebody uses the dashboard, and the pages of the embedded issuer, in a real browser (Debian's Chromium, by playwright-core).
//
//   node walk.mjs DASHBOARD SCREENSHOTS QUICKSTART   prints one line for each stretch of the way; ends with 1 at the first that fails
//
// DASHBOARD is the address of the running example, SCREENSHOTS the folder for pictures, QUICKSTART a file with what the quickstart printed,
// in colours. Any error on a console fails it, as does whatever axe finds wrong with a page for people who do not see, or use a keyboard.
import assert from 'node:assert/strict';
import { mkdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { chromium } from 'playwright-core';

const [dashboard, screenshots, quickstart] = process.argv.slice(2);
const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
mkdirSync(screenshots, { recursive: true });

const quiet = [
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-gpu',
  '--disable-quic',
  '--disable-sync',
  '--no-first-run',
];
const browser = await chromium.launch({
  executablePath: process.env.BEARERGATE_CHROMIUM ?? '/usr/bin/chromium',
  args: process.getuid?.() === 0 ? [...quiet, '--no-sandbox'] : quiet,
});

const wrong = [];

/** A profile of its own: what is wrong in it, and all that it was sent. */
async function profile(name, options = {}) {
  const context = await browser.newContext({ viewport: { width: 1120, height: 650 }, ...options });
  context.setDefaultTimeout(20_000);
  const page = await context.newPage();
  const seen = [];
  page.on('console', (message) => {
    if (['error', 'warning'].includes(message.type())) wrong.push(`${name}: console: ${message.text()}`);
  });
  page.on('pageerror', (error) => wrong.push(`${name}: ${error}`));
  page.on('requestfailed', (request) => wrong.push(`${name}: ${request.url()}: ${request.failure()?.errorText}`));
  page.on('response', (response) => {
    if (response.url().startsWith(dashboard)) {
      seen.push(response.allHeaders().then((fields) => JSON.stringify(fields)));
      // One that is gone before it is read would be one that nobody has looked at.
      if (response.status() === 200) seen.push(response.text().catch((error) => wrong.push(`${name}: ${error}`)));
    }
  });
  return { context, page, seen };
}

const done = (stretch) => {
  assert.deepEqual(wrong, []);
  console.log(stretch);
};

/** What axe finds wrong with the page, in light and in dark. */
async function accessible(page, what) {
  for (const colorScheme of ['dark', 'light']) {
    await page.emulateMedia({ colorScheme });
    await page.evaluate(axe);
    const { violations } = await page.evaluate(() => globalThis.axe.run());
    const found = violations.map(({ id, nodes }) => `${id}: ${nodes.map((node) => node.html).join(', ')}`);
    assert.deepEqual(found, [], `${what}, ${colorScheme}`);
  }
  const isTooWide = () => document.documentElement.scrollWidth > document.documentElement.clientWidth;
  assert.equal(await page.evaluate(isTooWide), false, `${what} is wider than its window`);
}

const isSession = ({ name }) => name === `dashboard-session-${new URL(dashboard).port}`;
/** Clicks, and waits until the page behind it is there as a whole. */
async function go(page, role, label) {
  await page.getByRole(role, { name: label, exact: true }).click();
  await page.waitForLoadState('load');
}
const press = (page, label) => go(page, 'button', label);
const follow = (page, label) => go(page, 'link', label);
const heading = (page) => page.getByRole('heading', { level: 1 }).innerText();

/** On the issuer's page. */
async function consent(page, user) {
  await page.getByRole('radio', { name: user }).check();
  await press(page, 'Allow');
  await page.getByRole('heading', { name: `Hello, ${user}` }).waitFor();
  await page.waitForLoadState('load');
}

/** What the last button did: each step's words, its status, what was said. */
async function steps(page) {
  const items = await page.locator('#happened li').allInnerTexts();
  return items.map((text) => text.replaceAll(/\s+/g, ' '));
}

async function happens(page, ...expected) {
  await page.locator('#happened li').first().waitFor();
  const found = await steps(page);
  const fits = found.length === expected.length && expected.every((pattern, place) => pattern.test(found[place]));
  assert.ok(fits, `expected ${expected.join(', ')}, and found ${found.join(' / ')}`);
}

const { context, page, seen } = await profile('ben');
await page.goto(dashboard);
await accessible(page, 'the welcome');
await follow(page, 'Log in');
assert.equal(await heading(page), 'Allow dashboard to act for you?');
assert.match(await page.locator('main').innerText(), /read your orders \(read:orders\)/);
await accessible(page, 'the consent page');
// By the keyboard alone: from the user who is picked to the next one, and on to the button.
await page.getByRole('radio', { name: 'Ann Arbor' }).focus();
await page.keyboard.press('ArrowDown');
await page.keyboard.press('Tab');
assert.equal(await page.evaluate(() => document.activeElement.textContent), 'Allow');
await page.keyboard.press('Enter');
await page.getByRole('heading', { name: 'Hello, Ben Ohm' }).waitFor();
await page.waitForLoadState('load');
await happens(page, /^The dashboard gets tokens .* 200 OK/, /^GET \/me with the access token 200 OK/);
assert.equal(await page.locator('#scopes').innerText(), 'openid profile read:orders');
assert.match(await page.locator('#kind').innerText(), /^a JWT/);
await accessible(page, 'the dashboard');
done('login');

const before = await page.locator('#left').innerText();
assert.match(before, /^[12]:\d\d$/);
await page.waitForFunction((before) => document.getElementById('left').textContent !== before, before);
done('countdown');

const cookies = (await context.cookies(dashboard)).filter(isSession);
assert.deepEqual(
  cookies.map(({ httpOnly, sameSite, value }) => [httpOnly, sameSite, value.length > 40]),
  [[true, 'Lax', true]],
);
assert.equal(await page.evaluate(() => document.cookie + JSON.stringify({ ...localStorage, ...sessionStorage })), '{}');
done('cookie');

await press(page, 'My orders');
await happens(page, /^GET \/orders with the access token 200 OK$/);
await press(page, 'Place an order');
await happens(page, /^POST \/orders .* 403 Forbidden www-authenticate: Bearer .*scope="write:orders", error="insufficient_scope"/);
await page.screenshot({ path: join(screenshots, 'dashboard.png') });
done('403');

await follow(page, 'Ask for write:orders');
// Whom the dashboard knows already is picked.
assert.ok(await page.getByRole('radio', { name: 'Ben Ohm' }).isChecked());
assert.match(await page.locator('main').innerText(), /place orders for you \(write:orders\)/);
await consent(page, 'Ben Ohm');
await press(page, 'Place an order');
await happens(page, /^POST \/orders with the access token 200 OK$/);
assert.notEqual((await context.cookies(dashboard)).find(isSession).value, cookies[0].value);
done('more scope');

await press(page, 'Let it expire, and call');
await happens(
  page,
  /^\d+ s go by/,
  /^GET \/orders with the expired access token 401 Unauthorized www-authenticate: Bearer .*error="invalid_token", error_description="the token is expired"/,
  /^The dashboard asks the issuer for a new access token.* 200 OK/,
  /^GET \/orders with the new access token 200 OK$/,
);
done('expiry, refresh, retry');

await press(page, 'The ID token');
await happens(page, /^GET \/me with the ID token 401 Unauthorized www-authenticate: Bearer .*error="invalid_token"/);
await press(page, 'The token in the URL');
await happens(page, /^GET \/me\?access_token=… 401 Unauthorized www-authenticate: Bearer realm="[^"]*"$/, /^The API never looks there/);
await press(page, 'No token');
await happens(page, /^GET \/me without a token 401 Unauthorized www-authenticate: Bearer realm="[^"]*"$/);
done('what an API must not take');

// Another profile, and both at once.
const other = await profile('cleo');
await other.page.goto(dashboard);
await follow(other.page, 'Log in');
await consent(other.page, 'Cleo Park');
await press(other.page, 'Who am I?');
assert.match(await other.page.locator('#seen').innerText(), /"subject": "cleo"/);
await page.reload();
await press(page, 'Who am I?');
assert.match(await page.locator('#seen').innerText(), /"subject": "ben"/);
done('two users');

await press(page, 'Revoke, and call');
await happens(
  page,
  /^The dashboard revokes its refresh token 200 OK$/,
  /^The dashboard revokes its access token 400 Bad Request unsupported_token_type/,
  /^GET \/me with the access token 200 OK$/,
  /^A JWT is good until it expires/,
);
await press(page, 'Let it expire, and call');
await happens(page, /^\d+ s go by/, /401 Unauthorized/, /new access token.* 400 Bad Request invalid_grant/, /^This session has no tokens/);
done('revoked, a JWT');

await follow(page, 'Log in again');
await consent(page, 'Ben Ohm');
await follow(page, 'Switch to opaque tokens');
await consent(page, 'Ben Ohm');
assert.match(await page.locator('#kind').innerText(), /^opaque/);
await press(page, 'My orders');
await happens(page, /^GET \/orders with the access token 200 OK$/);
await press(page, 'Revoke, and call');
await happens(
  page,
  /^The dashboard revokes its refresh token 200 OK$/,
  /^The dashboard revokes its access token 200 OK$/,
  /^GET \/me .* 401 Unauthorized .*error_description="the token is not active"/,
  /new access token.* 400 Bad Request invalid_grant/,
  /^This session has no tokens/,
);
done('revoked, an opaque token');

await follow(page, 'Log in again');
await consent(page, 'Ben Ohm');
assert.match(await page.locator('#kind').innerText(), /^opaque/);
await follow(page, 'Switch to JWTs');
await page.getByRole('radio', { name: 'Ann Arbor' }).check();
await press(page, 'Deny');
await page.getByRole('heading', { name: 'Nothing has changed' }).waitFor();
await follow(page, 'Go on');
await follow(page, 'Switch to JWTs');
await consent(page, 'Ann Arbor');
await happens(page, /200 OK$/, /^You are Ann Arbor now; before, you were Ben Ohm/, /^GET \/me with the access token 200 OK$/);
await press(page, 'Log out');
await page.getByRole('link', { name: 'Log in', exact: true }).waitFor();
assert.deepEqual((await context.cookies(dashboard)).filter(isSession), []);
await other.page.reload();
assert.equal(await heading(other.page), 'Hello, Cleo Park');
done('log out');

await follow(page, 'Log in');
await press(page, 'Deny');
await page.getByRole('heading', { name: 'You are not logged in' }).waitFor();
assert.match(await page.locator('main').innerText(), /access_denied/);
await follow(page, 'Go on');
assert.equal(await heading(page), 'Orders');
done('deny');

// On a phone.
const phone = await profile('phone', { viewport: { width: 390, height: 844 }, deviceScaleFactor: 2, hasTouch: true, isMobile: true });
await phone.page.goto(dashboard);
const issuer = await phone.page.locator('main code').innerText();
await follow(phone.page, 'Log in');
await accessible(phone.page, 'the consent page on a phone');
for (const target of await phone.page.locator('button, label').all()) {
  assert.ok((await target.boundingBox()).height >= 44, 'what is tapped is as large as a finger');
}
await phone.page.screenshot({ path: join(screenshots, 'consent.png') });
await consent(phone.page, 'Ann Arbor');
await accessible(phone.page, 'the dashboard on a phone');
done('phone');

// A device asks; its user has a browser elsewhere.
const basic = `Basic ${Buffer.from('dashboard:dashboard-secret').toString('base64')}`;
const ask = async (path, form) => {
  const content = { method: 'POST', headers: { authorization: basic }, body: new URLSearchParams(form) };
  return (await fetch(issuer + path, content)).json();
};
const device = await ask('/device_authorization', { scope: 'read:orders' });
await phone.page.goto(device.verification_uri);
await accessible(phone.page, 'the page for a code');
await phone.page.getByLabel('The code that the device shows').fill(device.user_code.toLowerCase().replace('-', ' '));
await press(phone.page, 'Go on');
await accessible(phone.page, 'the page of a device');
await phone.page.getByRole('radio', { name: 'Cleo Park' }).check();
await press(phone.page, 'Allow');
await phone.page.getByRole('heading', { name: 'The device may go on' }).waitFor();
const grant = { grant_type: 'urn:ietf:params:oauth:grant-type:device_code', device_code: device.device_code };
assert.equal((await ask('/token', grant)).token_type, 'Bearer');
done('device');

// Neither in a page nor in a field was there a token.
for (const text of await Promise.all([...seen, ...other.seen, ...phone.seen])) {
  assert.doesNotMatch(text, /eyJ[\w-]+\.eyJ|opaque-[\w-]{30}|refresh-[\w-]{30}/);
}
assert.ok(seen.length > 50);
done('no token in the browser');

const terminal = await profile('terminal', { viewport: { width: 1000, height: 400 } });
await terminal.page.setContent(shown(readFileSync(quickstart, 'utf8')));
await terminal.page.locator('pre').screenshot({ path: join(screenshots, 'quickstart.png') });
await browser.close();
done('screenshots');

/** What a terminal makes of it. */
function shown(text) {
  const colours = { 1: 'font-weight:bold', 2: 'opacity:.7', 31: 'color:#ff8f8f', 32: 'color:#8fe3a5', 33: 'color:#ffd27a', 36: 'color:#8fd8ff' };
  const escaped = text.trimEnd().replaceAll('&', '&amp;').replaceAll('<', '&lt;');
  const html = escaped.replaceAll(/\x1b\[([\d;]*)m/g, (_, codes) => {
    const styles = codes.split(';').map((code) => colours[code]).filter(Boolean);
    return styles.length ? `<span style="${styles.join(';')}">` : '</span>';
  });
  assert.doesNotMatch(html, /\x1b/);
  return `<body style="margin:0;background:#16181d"><pre style="margin:0;padding:16px 20px;width:max-content;background:#16181d;color:#ececf1;font:14px/1.45 'DejaVu Sans Mono',monospace">${html}</pre>`;
}
