import { describe, expect, it } from '@jest/globals';
import { ConfigModule } from '@nestjs/config';
import { Test } from '@nestjs/testing';
import { XPayAuthModule, type XPayAuthOptions, XPayStrategy } from 'nestjs-xpay-auth';
import { ManualClock } from 'nestjs-xpay-auth/testing';
import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort } from '../support/free-port.js';
import { basic } from '../support/start-app.js';

interface Booted extends AsyncDisposable {
  readonly lines: string[];
  readonly ask: (username: string) => Promise<string>;
}

/** Boots an app whose `.env` has these lines, and collects what it logs. */
async function boot(
  options: XPayAuthOptions,
  env?: { text: string; validate?: (all: object) => object },
): Promise<Booted> {
  const lines: string[] = [];
  const at = (level: string) => (line: unknown, context: unknown) =>
    void (context === 'XPayAuth' && lines.push(`${level} ${String(line)}`));
  const envFilePath = join(mkdtempSync(join(tmpdir(), 'env-')), '.env.staging');
  if (env !== undefined) writeFileSync(envFilePath, env.text);
  const validate = env?.validate;
  const module = await Test.createTestingModule({
    imports: [ConfigModule.forRoot({ envFilePath, ...(validate && { validate }) }), XPayAuthModule.forRoot(options)],
  })
    .setLogger({ log: at('log'), warn: at('warn'), error: at('error'), debug: at('debug') })
    .compile();
  await module.init();
  const ask = async (username: string): Promise<string> => {
    const { authorization } = basic(username, 'a key');
    const socket = { remoteAddress: '192.0.2.1' };
    const request = {
      headers: { authorization },
      rawHeaders: ['Authorization', authorization],
      ip: '192.0.2.1',
      socket,
    };
    try {
      return (await module.get(XPayStrategy).validate(request)).username;
    } catch (failure) {
      return (failure as { code: string }).code;
    }
  };
  return { lines, ask, [Symbol.asyncDispose]: () => module.close() };
}

const warnings = ({ lines }: Booted): string[] => lines.filter((line) => line.startsWith('warn'));

describe('S5 · an upstream that cannot be reached', () => {
  it('is one warning with its host, the cause and the next step, however many callers there are', async () => {
    const clock = new ManualClock();
    const baseUrl = `http://127.0.0.1:${await freePort()}`;
    await using app = await boot({ baseUrl, clock });
    for (const name of ['ada', 'bob', 'cleo']) expect(await app.ask(name)).toBe('upstream_unavailable');
    expect(warnings(app)).toEqual([
      expect.stringMatching(
        new RegExp(
          `^warn Callers cannot be verified at ${baseUrl}: upstream_unavailable, .*ECONNREFUSED.*XPAY_BASE_URL`,
        ),
      ),
    ]);
    await clock.advance(61_000);
    await app.ask('dora');
    expect(warnings(app)).toHaveLength(2);
  });

  it('is named at boot, at the level that is on in production', async () => {
    await using own = await boot({ baseUrl: 'https://xpay.example.test' });
    expect(own.lines).toContain('log Upstream: xpay at https://xpay.example.test, without an app account');
    await using other = await boot({});
    expect(other.lines).toContainEqual(
      expect.stringMatching(/^log Upstream: xpay at https:.*default host.*baseUrl \(XPAY_BASE_URL\)/),
    );
  });
});

const dropUnknown = ({ PORT }: { PORT?: string }): object => ({ PORT });

describe('S6 · variables in an env file that the app does not receive', () => {
  const text = 'PORT=3000\nXPAY_BASE_URL=https://staging.example.test\nXPAY_ALLOW_INSECURE_HOSTS=\n';

  it('are named at boot when a validate function of @nestjs/config drops them', async () => {
    await using app = await boot({}, { text, validate: dropUnknown });
    expect(warnings(app)).toEqual([expect.stringMatching(/\.env\.staging sets XPAY_BASE_URL, .*validate/)]);
    expect(warnings(app).join()).not.toContain('staging.example.test');
  });

  it('are no warning where the function keeps them', async () => {
    try {
      await using app = await boot({}, { text, validate: (all) => all });
      expect(warnings(app)).toEqual([]);
      expect(app.lines).toContainEqual(expect.stringContaining('https://staging.example.test'));
    } finally {
      delete process.env['XPAY_BASE_URL'];
    }
  });

  it('are no warning for an option that is set in code', async () => {
    await using app = await boot({ baseUrl: 'https://xpay.example.test' }, { text, validate: dropUnknown });
    expect(warnings(app)).toEqual([]);
  });
});
