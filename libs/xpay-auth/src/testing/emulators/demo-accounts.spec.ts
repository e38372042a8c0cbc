import { describe, expect, it } from '@jest/globals';
import { parseEnv } from 'node:util';
import { demoAccounts, environmentLines } from './demo-accounts.js';

describe('the lines that an emulator prints for the .env of an app', () => {
  it('can be parsed between other lines', () => {
    for (const account of demoAccounts()) {
      const { username, secretKey } = account;
      const lines = `# Mine.\n${environmentLines('gift-stream', 'http://127.0.0.1:4010', account)}\nPORT=3000\n`;
      expect(parseEnv(lines)).toEqual({
        XPAY_DIALECT: 'gift-stream',
        XPAY_BASE_URL: 'http://127.0.0.1:4010',
        XPAY_USERNAME: username,
        XPAY_SECRET_KEY: secretKey,
        PORT: '3000',
      });
    }
  });
});
