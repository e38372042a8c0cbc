import { describe, expect, it } from '@jest/globals';
import { parseEnv } from 'node:util';
import { resolveOptions } from '../../nest/options/resolve-options.js';
import { demoAccounts } from './demo-accounts.js';
import { environmentLines } from './environment-lines.js';

describe('what an emulator prints for the .env of an app', () => {
  it.each(['xpay', 'gift-stream', 'password-login'])(
    'makes the emulated %s its upstream, as it is',
    async (dialect) => {
      for (const account of demoAccounts()) {
        const { username, secretKey } = account;
        const lines = `# Mine.\n${environmentLines(dialect, 'http://127.0.0.1:4010', account)}\nPORT=3000\n`;
        const variables = parseEnv(lines);
        const options = resolveOptions({}, {}, (name) => variables[name]);
        expect([options.dialect.name, options.baseUrl]).toEqual([dialect, 'http://127.0.0.1:4010']);
        expect(await options.credentials?.()).toEqual({ username, secretKey });
        expect(variables['PORT']).toBe('3000');
      }
    },
  );
});
