import type { Locator, Page } from 'playwright-core';

/** A response as Swagger UI shows it. */
export interface ShownAnswer {
  readonly status: number;
  readonly body: string;
}

/** Operates Swagger UI as a user does, by its buttons and fields. */
export class SwaggerUi {
  constructor(readonly page: Page) {}

  async open(url: string): Promise<void> {
    await this.page.goto(url);
    await this.page.locator('.opblock').first().waitFor();
  }

  authorizeBasic(username: string, secretKey: string): Promise<void> {
    return this.#inDialog('basic', async (form) => {
      await form.getByLabel('auth-basic-username').fill(username);
      await form.getByLabel('auth-basic-password').fill(secretKey);
      await form.getByRole('button', { name: 'Apply credentials' }).click();
    });
  }

  authorizeBearer(token: string): Promise<void> {
    return this.#inDialog('bearer', async (form) => {
      await form.getByLabel('auth-bearer-value').fill(token);
      await form.getByRole('button', { name: 'Apply credentials' }).click();
    });
  }

  /** Clears the entered credentials. */
  forget(scheme: 'basic' | 'bearer'): Promise<void> {
    return this.#inDialog(scheme, (form) => form.getByRole('button', { name: 'Remove authorization' }).click());
  }

  /** Expands an operation. Returns its part of the page. */
  async unfold(path: string): Promise<Locator> {
    const operation = this.page
      .locator('.opblock')
      .filter({ has: this.page.locator(`[data-path="${path}"]`) })
      .first();
    if (!/\bis-open\b/.test((await operation.getAttribute('class')) ?? '')) {
      await operation.locator('.opblock-summary-control').click();
    }
    await operation.locator('.responses-wrapper').waitFor();
    return operation;
  }

  /** Clicks "Try it out" and "Execute", and returns the response that is shown. */
  async execute(path: string, body?: object): Promise<ShownAnswer> {
    const operation = await this.unfold(path);
    const tryIt = operation.getByRole('button', { name: 'Try it out' });
    if (await tryIt.isVisible()) await tryIt.click();
    if (body !== undefined) await operation.locator('textarea').first().fill(JSON.stringify(body));
    const clear = operation.getByRole('button', { name: 'Clear' });
    if (await clear.isVisible()) await clear.click();
    await operation.getByRole('button', { name: 'Execute' }).click();
    const shown = operation.locator('.live-responses-table .response').first();
    await shown.waitFor();
    const text = shown.locator('.response-col_description pre code').first();
    return {
      status: Number.parseInt(await shown.locator('.response-col_status').innerText(), 10),
      body: (await text.count()) === 0 ? '' : await text.innerText(),
    };
  }

  async #inDialog(scheme: string, act: (form: Locator) => Promise<void>): Promise<void> {
    await this.page.locator('.scheme-container button.authorize').click();
    const dialog = this.page.locator('.modal-ux');
    await act(dialog.locator('.auth-container').filter({ has: this.page.locator('code', { hasText: scheme }) }));
    await dialog.getByRole('button', { name: 'Close' }).first().click();
    await dialog.waitFor({ state: 'hidden' });
  }
}
