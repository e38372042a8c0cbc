import { beforeAll, describe, expect, it } from '@jest/globals';
import { execFile } from 'node:child_process';
import { resolve } from 'node:path';
import { promisify } from 'node:util';
import { XPayAuthError, type XPayAuthErrorCode } from 'nestjs-xpay-auth';
import { FAILURES } from '../../libs/xpay-auth/src/core/errors.js';
import { headersOf } from '../../libs/xpay-auth/src/nest/exceptions/http-exception.js';
import { ENVIRONMENT } from '../../libs/xpay-auth/src/nest/options/environment.js';
import { optionsSchema } from '../../libs/xpay-auth/src/nest/options/options-schema.js';

const root = resolve(import.meta.dirname, '../..');
const tables = (...flags: string[]) =>
  promisify(execFile)(process.execPath, ['scripts/docs-tables.mjs', ...flags], { cwd: root });

/** The rows that the script reads from the docstrings. */
interface Read {
  readonly options: readonly { readonly path: string; readonly byDefault: string; readonly value?: unknown }[];
  readonly variables: readonly { readonly name: string; readonly option: string }[];
  readonly errors: readonly {
    readonly code: XPayAuthErrorCode;
    readonly status: string;
    readonly trouble: string;
    readonly headers: string;
  }[];
}

let read: Read;
const isGroup = (path: string): boolean => read.options.some((option) => option.path.startsWith(`${path}.`));
beforeAll(async () => {
  read = JSON.parse((await tables('--json')).stdout) as Read;
});

describe('the tables in the documents', () => {
  it('are what `npm run docs:tables` writes', async () => {
    await expect(tables('--check')).resolves.toMatchObject({ stderr: '' });
  });
});

describe('the docstrings of the options', () => {
  /** The required options of a group that is itself optional. They have no default. */
  const required = { accounts: { credentials: () => undefined } };
  const { value } = optionsSchema['~standard'].validate(required) as {
    value: Readonly<Record<string, unknown>>;
  };
  const defaults: Readonly<Record<string, unknown>> = {
    ...value,
    accounts: { ...(value['accounts'] as object), credentials: undefined },
  };
  const defaultOf = (path: string): unknown =>
    path.split('.').reduce<unknown>((whole, key) => (whole as Record<string, unknown>)[key], defaults);

  it('name every option that the boot accepts', () => {
    const top = read.options.map(({ path }) => path.split('.')[0]);
    expect(new Set(top)).toEqual(new Set(Object.keys(defaults)));
    const inGroups = Object.entries(defaults).flatMap(([name, value]) =>
      isGroup(name) ? Object.keys(value as object).map((key) => `${name}.${key}`) : [],
    );
    expect(inGroups.length).toBeGreaterThan(20);
    expect(read.options.map(({ path }) => path)).toEqual(expect.arrayContaining(inGroups));
  });

  it('state the default that the boot uses, in words only if it is computed later', () => {
    const stated = read.options.filter(({ path }) => !isGroup(path));
    const documented = stated.map(({ path, value }) => [path, value]);
    expect(documented).toEqual(stated.map(({ path }) => [path, defaultOf(path)]));
  });
});

describe('the table of variables', () => {
  it('lists every variable that is read, with its option', () => {
    const rows = Object.entries(ENVIRONMENT).map(([name, option]) => ({ name: `XPAY_${name}`, option }));
    expect(read.variables).toMatchObject(rows);
    expect(read.variables).toHaveLength(rows.length);
  });
});

describe('the table of errors', () => {
  it('lists every code with its status and the responsible party', () => {
    const rows = Object.entries(FAILURES).map(([code, { status, trouble }]) => ({
      code,
      status: String(status),
      trouble,
    }));
    expect(read.errors).toMatchObject(rows);
    expect(read.errors).toHaveLength(rows.length);
  });

  it('lists the headers that are sent', () => {
    const challenge = { realm: 'xpay', schemes: [{ scheme: 'Basic' }] };
    for (const { code, headers } of read.errors) {
      const sent = Object.keys(headersOf(new XPayAuthError(code, 'for the test'), challenge));
      const listed = ['WWW-Authenticate', 'Retry-After'].filter((name) => headers.includes(name));
      expect([code, sent.filter((name) => name !== 'cache-control')]).toEqual([
        code,
        listed.map((name) => name.toLowerCase()),
      ]);
    }
  });
});
