import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';
import { type Browser, chromium } from 'playwright-core';

/** The names of the browser on Debian and other systems. */
const NAMES = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable'];

/**
 * Returns the path of the browser: `CHROMIUM_PATH`, or the first of the usual names on the `PATH`. Throws if there is
 * none.
 */
export function findChromium(env: NodeJS.ProcessEnv = process.env): string {
  const chosen = env['CHROMIUM_PATH'];
  const folders = (env['PATH'] ?? '').split(delimiter).filter((folder) => folder !== '');
  const candidates = chosen ? [chosen] : NAMES.flatMap((name) => folders.map((folder) => join(folder, name)));
  const found = candidates.find(isExecutable);
  if (found !== undefined) return found;
  throw new Error(
    chosen
      ? `CHROMIUM_PATH: ${chosen} cannot be run`
      : `No browser: install Debian's package chromium, or set CHROMIUM_PATH. Looked for ${NAMES.join(', ')}.`,
  );
}

/** Starts a real browser without a window. Fails if there is no browser, so that no test is skipped silently. */
export function startBrowser(): Promise<Browser> {
  // Containers have little shared memory. Chromium's sandbox does not work for root.
  const args = ['--disable-dev-shm-usage', ...(process.getuid?.() === 0 ? ['--no-sandbox'] : [])];
  return chromium.launch({ executablePath: findChromium(), args });
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
