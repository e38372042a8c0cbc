import { dialectContract } from 'nestjs-xpay-auth/testing';
import { test } from 'node:test';
import { stage } from './stage.js';

// jest and vitest: `it(title, run)` in a `describe`.
for (const { title, run } of dialectContract('harbour', stage)) void test(title, run);
