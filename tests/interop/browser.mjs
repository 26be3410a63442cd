// Chromium in $BROWSER's place: signs in as alice and consents, and judges the page that this ends at. PAGE names it,
// where it is not the one of a success: for `denied` the person cancels, for `stray` they come with another redirect
// before, and it is that one's.

import { expect, judge, log, verdict } from './verdict.mjs';

const { PAGE = 'success' } = process.env;
const url = process.argv[2];
const redirect = new URL(new URL(url).searchParams.get('redirect_uri'));

const PAGES = {
  success: ['Back to the terminal', 'The login has reached the terminal and continues there.'],
  denied: ['You are not signed in', 'Access was denied (access_denied). The terminal has been told.'],
  stopped: ['This login was stopped', 'The response did not pass a security check, so it was not used.'],
  stray: ['Not this login', 'does not belong to the login that the terminal is waiting for: its state does not match.'],
};
// What the console says of a page by itself.
const SAID = { stopped: 'status of 400 (Bad Request)', stray: 'status of 400 (Bad Request)' };
const LOOPBACK = ['127.0.0.1', 'localhost', '[::1]'];

// The responses from the redirect URI.
let sent = 0;

await verdict(visit);

async function visit(browser) {
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

  const page = browser.pages()[0] ?? await browser.newPage();
  if (PAGE === 'stray') {
    await page.goto(`${redirect}?code=of-another-login&state=another`);
    await judgeEnd(page, 'stray');
  }
  await page.goto(url);
  await page.fill('[name=login]', 'alice');
  await page.fill('[name=password]', 'x');
  await page.click('[type=submit]');
  await page.waitForSelector('[name=prompt][value=consent]', { state: 'attached' });
  await page.click(PAGE === 'denied' ? 'a[href$="/abort"]' : '[type=submit]');
  await page.waitForURL(isRedirect);
  await judgeEnd(page, PAGE === 'stray' ? 'success' : PAGE);
  await judgeHistory(page);
}

async function judgeEnd(page, name) {
  const text = await page.innerText('main');
  for (const words of PAGES[name]) {
    expect(text.includes(words), `the page does not say "${words}", but: ${text}`);
  }
  const address = await page.evaluate(() => location.href);
  expect(address === redirect.href, 'the address is not the bare redirect URI after the load');
  await judge(page, [], name === PAGE ? name : undefined);
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
