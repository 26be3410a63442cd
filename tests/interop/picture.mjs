// Takes pictures of a page that terminal.py wrote: picture.mjs PAGE NAME writes NAME-light.png and NAME-dark.png.

import { pathToFileURL } from 'node:url';
import { chromium } from 'playwright-core';
import { EXECUTABLE, FLAGS } from './chromium.mjs';

const [page, name] = process.argv.slice(2);
const browser = await chromium.launch({ executablePath: EXECUTABLE, args: FLAGS, timeout: 20_000 });
try {
  const tab = await browser.newPage();
  await tab.goto(pathToFileURL(page).href);
  for (const colorScheme of ['light', 'dark']) {
    await tab.emulateMedia({ colorScheme });
    await tab.locator('pre').screenshot({ path: `${name}-${colorScheme}.png` });
  }
} finally {
  await browser.close();
}
