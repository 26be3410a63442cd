// Chromium in $BROWSER's place: signs in as alice and consents, and judges the page that this ends at. PAGE names it,
// where it is not the one of a success: for `denied` the person cancels, for `stray` they come with another redirect
// before, and it is that one's. RESULT=FILE receives the verdict, LOG=FILE what happened on the way, SCREENSHOT=DIRECTORY
// pictures of the page.

import { appendFileSync } from 'node:fs';
import { mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { chromium } from 'playwright-core';
import { EXECUTABLE, FLAGS } from './chromium.mjs';

const { LOG, PAGE = 'success', RESULT, RUNNING, SCREENSHOT } = process.env;
const url = process.argv[2];
const redirect = new URL(new URL(url).searchParams.get('redirect_uri'));

const PAGES = {
  success: ['Back to the terminal', 'The sign-in has reached the terminal and continues there.'],
  denied: ['You are not signed in', 'Access was denied (access_denied). The terminal has been told.'],
  stopped: ['This sign-in was stopped', 'The response did not pass a security check, so it was not used.'],
  stray: ['Not this sign-in', 'does not belong to the sign-in that the terminal is waiting for: its state does not match.'],
};
// What the console says of a page by itself.
const SAID = { stopped: 'status of 400 (Bad Request)', stray: 'status of 400 (Bad Request)' };
const LOOPBACK = ['127.0.0.1', 'localhost', '[::1]'];

const problems = [];
// The responses from the redirect URI.
let sent = 0;
const expect = (holds, problem) => holds || problems.push(problem);
const log = (line) => LOG && appendFileSync(LOG, `browser: ${line}\n`);

const running = join(RUNNING, String(process.ppid));
await writeFile(running, '');
const profile = await mkdtemp(join(tmpdir(), 'chromium-'));
try {
  const browser = await chromium.launchPersistentContext(profile, {
    executablePath: EXECUTABLE,
    args: FLAGS,
    viewport: { width: 800, height: 600 },
    timeout: 20_000,
  });
  try {
    await visit(browser);
  } finally {
    await browser.close();
  }
} catch (error) {
  problems.push(error.message);
}
await rm(profile, { recursive: true, force: true, maxRetries: 5 });
await rm(running);
problems.forEach(log);
// Renamed, so that whoever waits for it never sees half of it.
await writeFile(`${RESULT}.part`, `${problems.join('\n') || 'well'}\n`);
await rename(`${RESULT}.part`, RESULT);
process.exit(problems.length ? 1 : 0);

async function visit(browser) {
  browser.setDefaultTimeout(10_000);
  browser.on('request', (request) => {
    const address = new URL(request.url());
    log(`${request.method()} ${address.origin}${address.pathname}`);
    const { host, hostname, protocol } = address;
    expect(protocol === 'data:' || LOOPBACK.includes(hostname), `a request for another host: ${host}`);
    sent += isRedirect(address) && address.search ? 1 : 0;
  });
  browser.on('console', (message) => {
    const said = `${message.type()}: ${message.text()}`;
    log(said);
    const ours = message.location().url?.startsWith(redirect.origin) && !said.endsWith(SAID[PAGE]);
    expect(message.type() !== 'error' || !(ours || said.includes('Content Security Policy')), said);
  });
  browser.on('weberror', (error) => problems.push(`an error of a script: ${error.error().message}`));

  const page = browser.pages()[0] ?? await browser.newPage();
  if (PAGE === 'stray') {
    await page.goto(`${redirect}?code=of-another-login&state=another`);
    await judge(page, 'stray');
  }
  await page.goto(url);
  await page.fill('[name=login]', 'alice');
  await page.fill('[name=password]', 'x');
  await page.click('[type=submit]');
  await page.waitForSelector('[name=prompt][value=consent]', { state: 'attached' });
  await page.click(PAGE === 'denied' ? 'a[href$="/abort"]' : '[type=submit]');
  await page.waitForURL(isRedirect);
  await judge(page, PAGE === 'stray' ? 'success' : PAGE);
  await judgeHistory(page);
}

async function judge(page, name) {
  const text = await page.innerText('main');
  for (const words of PAGES[name]) {
    expect(text.includes(words), `the page does not say "${words}", but: ${text}`);
  }
  const address = await page.evaluate(() => location.href);
  expect(address === redirect.href, 'the address is not the bare redirect URI after the load');
  for (const colorScheme of ['light', 'dark']) {
    await page.emulateMedia({ colorScheme });
    const contrasts = await page.evaluate(contrastsOfPage);
    log(`contrasts, ${name}, ${colorScheme}: ${contrasts.map((contrast) => contrast.toFixed(1)).join(' ')}`);
    // As WCAG 2 asks for in 1.4.3.
    expect(Math.min(...contrasts) >= 4.5, `the page is hard to read (${colorScheme})`);
    for (const viewport of [{ width: 390, height: 844 }, { width: 800, height: 600 }]) {
      await page.setViewportSize(viewport);
      const overflows = await page.evaluate(() => document.documentElement.scrollWidth > innerWidth);
      expect(!overflows, `the page is wider than ${viewport.width} pixels`);
    }
    if (SCREENSHOT && name === PAGE) {
      await page.screenshot({ path: join(SCREENSHOT, `${name}-${colorScheme}.png`) });
    }
  }
  const styled = await page.evaluate(() => getComputedStyle(document.querySelector('main')).borderRadius !== '0px');
  expect(styled, 'the page has lost its style');
}

// How much its title, its text and its mark stand out from what is behind them.
function contrastsOfPage() {
  const style = (selector) => getComputedStyle(document.querySelector(selector));
  const luminance = (color) => {
    const [red, green, blue] = color.match(/[\d.]+/g).map((part) => {
      const share = part / 255;
      return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
  };
  const behind = luminance(style('main').backgroundColor);
  return ['h1', 'p:not(.mark)', '.mark'].map((selector) => {
    const [dark, light] = [behind, luminance(style(selector).color)].sort((one, other) => one - other);
    return (light + 0.05) / (dark + 0.05);
  });
}

// Neither what the browser remembers nor the way back and forth shows the redirect again, or sends it again.
async function judgeHistory(page) {
  const session = await page.context().newCDPSession(page);
  const { entries } = await session.send('Page.getNavigationHistory');
  const visited = entries.map((entry) => new URL(entry.url));
  expect(visited.filter(isRedirect).length === sent, 'the history lacks a page');
  expect(!visited.some((address) => isRedirect(address) && address.search), 'a redirect is in the history');
  const before = sent;
  await page.goBack();
  expect(!isRedirect(new URL(page.url())), 'the way back stays at the page');
  // Nobody listens there any more.
  await page.goForward().catch(({ message }) => expect(message.includes('ERR_CONNECTION_REFUSED'), message));
  expect(sent === before, 'a redirect was sent again');
}

function isRedirect(address) {
  return address.host === redirect.host && address.pathname === redirect.pathname;
}
