import type { Browser, BrowserContextOptions, Page } from 'playwright-core';

/** A page, and what it does that nobody sees by looking at it. */
export interface WatchedPage extends AsyncDisposable {
  readonly page: Page;
  /** Errors and warnings of the console with the path they are about, and what no script caught. */
  readonly complaints: string[];
  /** Every address that was asked for something. */
  readonly requested: string[];
  /** The paths at which a browser with a window would have opened a login box of its own. */
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

  // Without a window no box opens, and Playwright does not tell: the browser itself has to be asked.
  const devtools = await page.context().newCDPSession(page);
  // A page that is closed takes its requests along, the one for its icon mostly; before that it is a complaint.
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
