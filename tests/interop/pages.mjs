// Chromium in $BROWSER's place: signs in at pkce-idp with the keyboard alone, meets each of its pages on the way, and
// examples/callback.html where it would be hosted, and judges each.

import { fileURLToPath } from 'node:url';
import { expect, judge, log, verdict } from './verdict.mjs';

const url = process.argv[2];
const at = (path) => new URL(path, url).href;
const callback = 'https://app.example.com/callback';
const hosted = fileURLToPath(new URL('../../examples/callback.html', import.meta.url));
// Of the code challenge in RFC 7636, appendix B.
const CHALLENGE = 'E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM';

await verdict(async (browser) => {
  const page = await browser.newPage();
  page.on('console', (message) => {
    log(`${message.type()}: ${message.text()}`);
    expect(!message.text().includes('Content Security Policy'), message.text());
  });
  await signIn(page);
  await decideForADevice(await browser.newPage());
  await copyTheAddress(await browser.newPage());
  await page.bringToFront();
  await press(page, 'Enter');
  await meet(page, 'Back to the terminal', []);
});

// Up to the consent of the login that pkce-callback waits for.
async function signIn(page) {
  await page.goto(at('/authorize?client_id=unknown'));
  await meet(page, 'Request failed', []);
  await page.goto(url);
  await meet(page, 'Sign in', ['Name', 'Sign in'], 'sign-in');
  await page.keyboard.press('Control+A');
  await page.keyboard.type('bob');
  await press(page, 'Enter');
  await meet(page, 'Allow access?', ['Allow', 'Deny'], 'consent');
  await says(page, 'a <b>client</b>', 'on this machine requests access as bob:', 'your name, to sign you in (openid)',
    'access while you are away, until it is revoked (offline_access)', `access to ${at('/mcp')}`);
}

async function decideForADevice(page) {
  for (const [isAllowed, end] of [[true, 'Back to your device'], [false, 'You are not signed in']]) {
    const code = await newCode();
    await page.goto(at('/device'));
    await meet(page, 'Sign in on a device', ['Code', 'Continue'], 'device');
    await page.keyboard.type('AAAA-AAAA');
    await press(page, 'Enter');
    await meet(page, 'Sign in on a device', ['Code', 'Continue']);
    await says(page, 'This code is unknown, expired or already used.');
    await page.keyboard.press('Control+A');
    await page.keyboard.type(code);
    await press(page, 'Enter');
    await meet(page, 'Allow access?', ['Allow', 'Deny'], 'device-consent');
    await says(page, 'pkce-tools on a device requests access as bob:', code);
    if (!isAllowed) {
      await page.keyboard.press('Tab');
    }
    await press(page, 'Enter');
    await meet(page, end, []);
  }
}

async function copyTheAddress(page) {
  await page.route(`${callback}*`, (route) => route.fulfill({ path: hosted }));
  await page.context().grantPermissions(['clipboard-read', 'clipboard-write']);
  const copied = () => page.evaluate(() => navigator.clipboard.readText());
  const address = `${callback}?code=c0de&state=st`;
  await page.goto(address);
  const order = ['The whole address', 'Copy', 'The code', 'Copy'];
  await meet(page, 'Back to the terminal', order, 'callback');
  expect(await page.evaluate(() => location.href) === callback, 'the code is still in the address');
  await page.keyboard.press('Control+C');
  expect(await copied() === address, `Control-C copied ${await copied()}`);
  await page.keyboard.press('Tab');
  await page.keyboard.press('Tab');
  await page.keyboard.press('Tab');
  await page.keyboard.press('Enter');
  await page.getByText('Copied').waitFor();
  expect(await copied() === 'c0de', `the button copied ${await copied()}`);
  await page.goto(`${callback}?error=access_denied&error_description=No`);
  await meet(page, 'You are not signed in', order.slice(0, 2));
  await says(page, 'The server said: access_denied (No).');
  await page.goto(callback);
  await meet(page, 'Nothing to copy here', []);
}

async function meet(page, title, order, picture) {
  const met = await page.innerText('h1');
  expect(met === title, `the title is ${met}, and not ${title}`);
  await judge(page, order, picture);
}

async function says(page, ...texts) {
  const text = await page.innerText('main');
  texts.forEach((words) => expect(text.includes(words), `the page does not say "${words}", but: ${text}`));
}

function press(page, key) {
  return Promise.all([page.waitForEvent('load'), page.keyboard.press(key)]);
}

async function newCode() {
  const body = new URLSearchParams({
    client_id: 'pkce-tools', scope: 'openid', code_challenge: CHALLENGE, code_challenge_method: 'S256',
  });
  return (await (await fetch(at('/device_authorization'), { method: 'POST', body })).json()).user_code;
}
