import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { z } from 'zod';
import { type TokenCase, type VerificationCase, tokenCases, verificationCases } from './schema.js';

/** A case with the title of its test. */
export type Titled<Case> = Case & { readonly title: string };

/** Throws with the place of the mistake for a file in another format. */
export const readTokenCases = (): Titled<TokenCase>[] => read('token.json', tokenCases).cases.map(titled);
export const readVerificationCases = (): Titled<VerificationCase>[] =>
  read('verification.json', verificationCases).cases.map(titled);

function titled<Case extends { name: string; rows: string[] }>(one: Case): Titled<Case> {
  return { ...one, title: `${one.rows.join(' ')} · ${one.name}` };
}

function read<T extends z.ZodType>(file: string, format: T): z.output<T> {
  return format.parse(JSON.parse(readFileSync(join(import.meta.dirname, file), 'utf8')));
}
