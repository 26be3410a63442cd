// Chromium in $BROWSER's place: signs in as alice and consents, or with VISIT=deny cancels, and judges the last page.
// RESULT=FILE gets the verdict, LOG=FILE what happened on the way, SCREENSHOT=DIRECTORY pictures of the last page.

import { appendFileSync } from 'node:fs';
import { mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { chromium } from 'playwright-core';

const { LOG, RESULT, RUNNING, SCREENSHOT, VISIT } = process.env;
const denies = VISIT === 'deny';
const url = process.argv[2];
const redirect = new URL(new URL(url).searchParams.get('redirect_uri'));

const LOOPBACK = ['127.0.0.1', 'localhost', '[::1]'];
const FLAGS = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  '--disable-dev-shm-usage',
  '--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost, EXCLUDE [::1]',
];

const problems = [];
const expect = (holds, problem) => holds || problems.push(problem);
const log = (line) => LOG && appendFileSync(LOG, `browser: ${line}\n`);

const running = join(RUNNING, String(process.ppid));
await writeFile(running, '');
const profile = await mkdtemp(join(tmpdir(), 'chromium-'));
try {
  const browser = await chromium.launchPersistentContext(profile, {
    executablePath: '/usr/bin/chromium',
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
    const { host, hostname, origin, pathname, protocol } = new URL(request.url());
    log(`${request.method()} ${origin}${pathname}`);
    expect(protocol === 'data:' || LOOPBACK.includes(hostname), `a request for another host: ${host}`);
  });
  browser.on('console', (message) => {
    const said = `${message.type()}: ${message.text()}`;
    log(said);
    const ours = message.location().url?.startsWith(redirect.origin);
    expect(message.type() !== 'error' || !(ours || said.includes('Content Security Policy')), said);
  });
  browser.on('weberror', (error) => problems.push(`an error of a script: ${error.error().message}`));

  const page = browser.pages()[0] ?? await browser.newPage();
  await page.goto(url);
  await page.fill('[name=login]', 'alice');
  await page.fill('[name=password]', 'x');
  await page.click('[type=submit]');
  await page.waitForSelector('[name=prompt][value=consent]', { state: 'attached' });
  await page.click(denies ? 'a[href$="/abort"]' : '[type=submit]');
  await page.waitForURL((now) => now.hostname === redirect.hostname && now.pathname === redirect.pathname);

  const text = await page.innerText('body');
  const words = denies ? 'access_denied' : 'reached the terminal';
  expect(text.includes(words), `the page does not say "${words}", but: ${text}`);
  expect(denies || !text.includes('denied'), `the page says denied: ${text}`);
  const address = await page.evaluate(() => location.href);
  expect(address === redirect.origin + redirect.pathname, 'the address is not the bare redirect URI after the load');
  const styled = await page.evaluate(() => getComputedStyle(document.querySelector('main')).borderRadius !== '0px');
  expect(styled, 'the page has lost its style');
  if (SCREENSHOT) {
    for (const colorScheme of ['light', 'dark']) {
      await page.emulateMedia({ colorScheme });
      await page.screenshot({ path: join(SCREENSHOT, `${denies ? 'denied' : 'success'}-${colorScheme}.png`) });
    }
  }
}
