import { describe, expect, it } from '@jest/globals';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { falsified } from './falsified.js';
import { readTokenCases, readVerificationCases } from './read-cases.js';
import { type Case, runCase } from './run-case.js';
import { tokenCases, verificationCases } from './schema.js';
import { openTokenStage } from './token-stage.js';
import { openVerificationStage } from './verification-stage.js';

const wrong = <One extends Case<{ do: string }> & { title: string }>(cases: readonly One[]) =>
  cases.flatMap((one) => falsified(one).map((way) => ({ ...way, title: one.title })));

describe('the runner of the conformance cases', () => {
  it.each(wrong(readTokenCases()))('fails if an expectation is wrong: $title, $what', async ({ one }) => {
    await expect(runCase(one, () => openTokenStage(one))).rejects.toThrow(/^(step \d+|at the end)/);
  });

  it.each(wrong(readVerificationCases()))('fails if an expectation is wrong: $title, $what', async ({ one }) => {
    await expect(runCase(one, () => openVerificationStage(one, 'express'))).rejects.toThrow(/^(step \d+|at the end)/);
  });

  it.each([
    ['an unknown step', { do: 'wait', ms: 5 }],
    ['a misspelt expectation', { do: 'expect', login: 1 }],
    ['a step without its expectation', { do: 'ask' }],
    ['an unknown answer', { do: 'upstream', next: ['shrugs'] }],
  ])('rejects a case with %s', (_, step) => {
    const one = { name: 'a case with a mistake', rows: ['O1'], steps: [step], expect: { logins: 0, events: [] } };
    expect(tokenCases.safeParse({ cases: [one] }).success).toBe(false);
    expect(verificationCases.safeParse({ cases: [one] }).success).toBe(false);
  });
});

describe('the cases', () => {
  it('have different names', () => {
    const names = [...readTokenCases(), ...readVerificationCases()].map(({ name }) => name);
    expect(new Set(names).size).toBe(names.length);
  });

  it.each([
    ['token.schema.json', tokenCases],
    ['verification.schema.json', verificationCases],
  ])('are in the format of %s (CONFORMANCE_SCHEMA=write writes it)', (file, format) => {
    const path = join(import.meta.dirname, file);
    const said = z.toJSONSchema(format, { io: 'input' });
    if (process.env['CONFORMANCE_SCHEMA'] === 'write') writeFileSync(path, JSON.stringify(said, undefined, 2));
    expect(JSON.parse(readFileSync(path, 'utf8'))).toEqual(said);
  });
});
