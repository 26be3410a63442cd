// Runs Chromium in $BROWSER's place, and gives a verdict on what it meets there: RESULT=FILE receives it, LOG=FILE what
// happened on the way, SCREENSHOT=DIRECTORY pictures of the pages.

import { appendFileSync } from 'node:fs';
import { mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import axe from 'axe-core';
import { chromium } from 'playwright-core';
import { EXECUTABLE, FLAGS } from './chromium.mjs';

const { LOG, RESULT, RUNNING, SCREENSHOT } = process.env;

const problems = [];
export const expect = (holds, problem) => holds || problems.push(problem);
export const log = (line) => LOG && appendFileSync(LOG, `browser: ${line}\n`);

// Visits pages in a browser of its own, and ends the process.
export async function verdict(visit) {
  const running = join(RUNNING, String(process.ppid));
  await writeFile(running, '');
  const profile = await mkdtemp(join(tmpdir(), 'chromium-'));
  try {
    const browser = await chromium.launchPersistentContext(profile, {
      executablePath: EXECUTABLE,
      args: FLAGS,
      timeout: 30_000,
    });
    browser.setDefaultTimeout(10_000);
    browser.on('weberror', (error) => problems.push(`an error of a script: ${error.error().message}`));
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
}

// Judges a page as a person meets it: on a phone and at a desk, light and dark, by the rules of axe-core, and without a
// mouse. The fields and buttons come in this order, and the first one has the focus. A picture is taken of each that has
// a name.
export async function judge(page, order, name) {
  const title = await page.innerText('h1');
  await judgeKeyboard(page, order, title);
  for (const [colorScheme, viewport] of [
    ['dark', { width: 800, height: 600 }],
    ['light', { width: 390, height: 844 }],
    ['dark', { width: 390, height: 844 }],
    ['light', { width: 800, height: 600 }],
  ]) {
    await page.emulateMedia({ colorScheme });
    await page.setViewportSize(viewport);
    const where = `${title} (${colorScheme}, ${viewport.width} pixels)`;
    // Not in the page, whose policy would forbid it.
    await page.evaluate(axe.source);
    const { violations, passes } = await page.evaluate(() => axe.run());
    log(`${where}: ${passes.length} rules of axe-core hold`);
    expect(passes.some(({ id }) => id === 'color-contrast'), `${where}: the contrasts were not judged`);
    for (const { id, nodes } of violations) {
      expect(false, `${where}: ${id}: ${nodes.map((node) => node.html).join(' ')}`);
    }
    const overflows = await page.evaluate(() => document.documentElement.scrollWidth > innerWidth);
    expect(!overflows, `${where}: wider than the window`);
  }
  const styled = await page.evaluate(() => getComputedStyle(document.querySelector('main')).borderRadius !== '0px');
  expect(styled, `${title}: the page has lost its style`);
  // Letters, and the punctuation of a text: a system may lack everything else.
  const strange = (await page.innerText('html')).match(/[^\t\n\x20-\xff\u2010-\u2026]/u);
  expect(!strange, `${title}: a system may lack ${strange}`);
  if (SCREENSHOT && name) {
    await page.screenshot({ path: join(SCREENSHOT, `${name}-light.png`) });
    await page.setViewportSize({ width: 390, height: 844 });
    await page.emulateMedia({ colorScheme: 'dark' });
    await page.screenshot({ path: join(SCREENSHOT, `${name}-dark.png`) });
  }
}

async function judgeKeyboard(page, order, title) {
  const first = await page.evaluateHandle(() => document.activeElement);
  const met = [];
  for (;;) {
    const [name, isVisible] = await page.evaluate(() => {
      const { outlineStyle, outlineWidth } = getComputedStyle(document.activeElement);
      const named = document.activeElement.labels?.[0] ?? document.activeElement;
      const isVisible = outlineStyle === 'solid' && parseFloat(outlineWidth) >= 2;
      return document.activeElement === document.body ? [] : [named.innerText, isVisible];
    });
    // Behind the last one is the browser itself, and then the first one.
    if (!name || (met.length && await first.evaluate((element) => element === document.activeElement))) {
      break;
    }
    met.push(name);
    expect(isVisible, `${title}: the focus at "${name}" cannot be seen`);
    await page.keyboard.press('Tab');
  }
  expect(met.join() === order.join(), `${title}: Tab leads to ${met.join()}, and not to ${order.join()}`);
  await first.evaluate((element) => element.focus());
}
