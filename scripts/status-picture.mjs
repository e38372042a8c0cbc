// Writes docs/status.png, the picture of /status in the README: `npm run status:picture`. Runs the built reference app in demo
// mode with its traffic for 50 s, until the page shows a renewal, a lockout and an outage. Needs Chromium. Pictures in dark, at
// 360 px and of the outage go to .check/, for manual inspection.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { chromium } from 'playwright-core';

const MOST_BYTES = 200_000;
const root = resolve(import.meta.dirname, '..');
const check = join(root, '.check');
mkdirSync(check, { recursive: true });

const app = spawn(process.execPath, [join(root, 'dist/main.js'), '--traffic'], {
  cwd: tmpdir(),
  env: { PATH: process.env.PATH, PORT: '0', NO_COLOR: '1' },
  stdio: ['ignore', 'pipe', 'inherit'],
});
let output = '';
app.stdout.on('data', (chunk) => (output += chunk));
const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM_PATH ?? '/usr/bin/chromium',
  args: ['--disable-dev-shm-usage', '--no-sandbox'],
});
try {
  let url;
  for (let tries = 0; tries < 200 && url === undefined; tries++, await sleep(100)) {
    url = /Watch the token and the callers: (\S+)/.exec(output)?.[1];
  }
  if (url === undefined) throw new Error(`The app did not start:\n${output}`);
  const open = async (options) => {
    const page = await browser.newPage({ locale: 'en-GB', ...options });
    await page.goto(url);
    return page;
  };
  const wide = { viewport: { width: 1240, height: 900 } };
  const [light, dark, narrow] = [
    await open({ ...wide, colorScheme: 'light' }),
    await open({ ...wide, colorScheme: 'dark' }),
    await open({ viewport: { width: 360, height: 800 }, colorScheme: 'light' }),
  ];
  await light.getByText('The token has expired. Renewals fail', { exact: false }).waitFor({ timeout: 60_000 });
  await light.screenshot({ path: join(check, 'status-outage.png'), fullPage: true });
  await dark.screenshot({ path: join(check, 'status-outage-dark.png'), fullPage: true });
  await light.getByText('The token is fresh', { exact: false }).waitFor({ timeout: 60_000 });
  await sleep(12_000);
  const picture = join(root, 'docs/status.png');
  await light.screenshot({ path: picture });
  await dark.screenshot({ path: join(check, 'status-dark.png'), fullPage: true });
  await narrow.screenshot({ path: join(check, 'status-360.png'), fullPage: true });
  const { size } = statSync(picture);
  if (size > MOST_BYTES) throw new Error(`docs/status.png has ${size} bytes, more than ${MOST_BYTES}`);
  console.log(`docs/status.png: ${size} bytes`);
} finally {
  await browser.close();
  app.kill();
  if (app.exitCode === null) await once(app, 'exit');
}
