import type { Browser, BrowserContextOptions, Page } from 'playwright-core';

/** A page, and its activity that is not visible on it. */
export interface WatchedPage extends AsyncDisposable {
  readonly page: Page;
  /** Errors and warnings of the console with their paths, and uncaught errors. */
  readonly complaints: string[];
  /** Every requested address. */
  readonly requested: string[];
  /** Paths for which a browser with a window would have opened a login box. */
  readonly loginBoxes: string[];
}

export async function openWatchedPage(browser: Browser, options: BrowserContextOptions = {}): Promise<WatchedPage> {
  const page = await browser.newPage(options);
  const watched = { complaints: [] as string[], requested: [] as string[], loginBoxes: [] as string[] };
  page.on('console', (message) => {
    if (!['error', 'warning'].includes(message.type())) return;
    const path = message.location().url.replace(/^https?:\/\/[^/]+/, '');
    watched.complaints.push(`${message.text()} ${path}`);
  });
  page.on('pageerror', (error) => watched.complaints.push(String(error)));
  page.on('request', (request) => watched.requested.push(request.url()));

  // Without a window no login box opens, and Playwright does not report it, so this asks the browser.
  const devtools = await page.context().newCDPSession(page);
  // Closing a page aborts its requests, mostly the one for its icon. Before that, an aborted request is an error.
  const fails = (error: unknown): void => void watched.complaints.push(String(error));
  devtools.on('Fetch.requestPaused', ({ requestId }) => {
    devtools.send('Fetch.continueRequest', { requestId }).catch(fails);
  });
  devtools.on('Fetch.authRequired', ({ requestId, request }) => {
    watched.loginBoxes.push(new URL(request.url).pathname);
    const authChallengeResponse = { response: 'CancelAuth' } as const;
    devtools.send('Fetch.continueWithAuth', { requestId, authChallengeResponse }).catch(fails);
  });
  await devtools.send('Fetch.enable', { handleAuthRequests: true });
  return { page, ...watched, [Symbol.asyncDispose]: () => page.close() };
}
