import { appendFileSync } from 'node:fs';

/** A row of docs/resilience.md. */
export type Row = `${'E' | 'O'}${number}`;

/**
 * Puts down what was measured, for the table in docs/resilience.md: `npm run resilience` says where. In any other run it
 * does nothing.
 */
export function figure(row: Row, situation: string, measured: string): void {
  const file = process.env['RESILIENCE_FIGURES'];
  if (file !== undefined) appendFileSync(file, `${JSON.stringify({ row, situation, measured })}\n`);
}
