import { appendFileSync } from 'node:fs';

/** A row of docs/resilience.md. */
export type Row = `${'E' | 'O'}${number}`;

/**
 * Records a measurement for the table in docs/resilience.md. `npm run resilience` sets the file. Other runs record
 * nothing.
 */
export function figure(row: Row, situation: string, measured: string): void {
  const file = process.env['RESILIENCE_FIGURES'];
  if (file !== undefined) appendFileSync(file, `${JSON.stringify({ row, situation, measured })}\n`);
}
