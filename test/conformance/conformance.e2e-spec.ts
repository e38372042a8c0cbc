import { describe, it } from '@jest/globals';
import { platforms } from '../support/start-app.js';
import { readTokenCases, readVerificationCases } from './read-cases.js';
import { runCase } from './run-case.js';
import { openTokenStage } from './token-stage.js';
import { openVerificationStage } from './verification-stage.js';

describe('conformance: the app token', () => {
  it.each(readTokenCases())('$title', (one) => runCase(one, () => openTokenStage(one)));
});

// Alternating platforms: test/inbound shows that both respond alike.
const cases = readVerificationCases().map((one, at) => ({ ...one, platform: platforms[at % 2] ?? 'express' }));

describe('conformance: verification of callers', () => {
  it.each(cases)('$title (on $platform)', (one) => runCase(one, () => openVerificationStage(one, one.platform)));
});
