import { beforeAll, describe, expect, it } from '@jest/globals';
import { SpanKind } from '@opentelemetry/api';
import { DataPointType, type MetricData } from '@opentelemetry/sdk-metrics';
import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { FAILURES } from '../../libs/xpay-auth/src/core/errors.js';
import { ensureBuilt } from '../support/built-app.js';
import { type Everything, everything } from './everything.js';

const root = resolve(import.meta.dirname, '../..');
const text = readFileSync(join(root, 'docs/observability.md'), 'utf8');

/** The rows of the table below a heading, each a list of cells. */
function table(heading: string): string[][] {
  const [, below = ''] = text.split(`\n### ${heading}\n`);
  const rows = (below.split(/^### /m)[0] ?? '').match(/^\|.*\|$/gm) ?? [];
  return rows.slice(2).map((row) =>
    row
      .slice(1, -1)
      .split('|')
      .map((cell) => cell.trim()),
  );
}

function codes(cell = ''): string[] {
  return [...cell.matchAll(/`([^`]+)`/g)].map(([, code = '']) => code).toSorted();
}

function kindOf(metric: MetricData): string {
  if (metric.dataPointType === DataPointType.HISTOGRAM) return 'histogram';
  return metric.dataPointType === DataPointType.SUM && metric.isMonotonic ? 'counter' : 'gauge';
}

function alphabetically(a: unknown, b: unknown): number {
  return JSON.stringify(a).localeCompare(JSON.stringify(b));
}

/** Distinct, in order. */
function distinct(values: Iterable<string>): string[] {
  return [...new Set(values)].toSorted();
}

describe('docs/observability.md', () => {
  let all: Everything;
  beforeAll(async () => {
    all = await everything();
  });

  it('lists every metric that is emitted, with its kind, unit and attributes', () => {
    const emitted = new Map<string, [string, string, Set<string>]>();
    for (const metric of all.metrics) {
      const { name, unit } = metric.descriptor;
      const seen = emitted.get(name) ?? [kindOf(metric), unit, new Set<string>()];
      for (const { attributes } of metric.dataPoints) for (const key of Object.keys(attributes)) seen[2].add(key);
      emitted.set(name, seen);
    }
    const documented = table('Metrics').map(([name, kind = '', unit, attributes]) => ({
      name: codes(name)[0],
      kind,
      unit: codes(unit)[0],
      attributes: distinct(['xpay_auth.instance', ...codes(attributes)]),
    }));
    const found = [...emitted].map(([name, [kind, unit, keys]]) => ({ name, kind, unit, attributes: distinct(keys) }));
    expect(documented.toSorted(alphabetically)).toEqual(found.toSorted(alphabetically));
  });

  it('lists every span that is created, with its kind and attributes', () => {
    const ours = all.spans.filter(({ instrumentationScope }) => instrumentationScope.name === 'nestjs-xpay-auth');
    const found = new Map<string, Set<string>>();
    for (const { name, kind, attributes } of ours) {
      const which = kind === SpanKind.CLIENT ? '{method} {template} client' : `${name} internal`;
      const keys = found.get(which) ?? new Set<string>();
      for (const key of Object.keys(attributes)) keys.add(key);
      found.set(which, keys);
    }
    const documented = table('Spans').map(([name, kind = '', keys]) => [`${codes(name)[0]} ${kind}`, codes(keys)]);
    const made = [...found].map(([which, keys]) => [which, distinct(keys)]);
    expect(documented.toSorted(alphabetically)).toEqual(made.toSorted(alphabetically));
  });

  it('lists every attribute, and all values of those with a closed set', () => {
    const values = new Map<string, Set<string>>();
    const sources = [...all.metrics.flatMap(({ dataPoints }) => dataPoints as { attributes: object }[]), ...all.spans];
    for (const { attributes } of sources) {
      for (const [key, value] of Object.entries(attributes)) {
        values.set(key, (values.get(key) ?? new Set()).add(String(value)));
      }
    }
    const documented = new Map(table('Attributes').map(([name, cell]) => [codes(name)[0] ?? '', codes(cell)]));
    expect(distinct(documented.keys())).toEqual(distinct(values.keys()));
    const closed = ['operation', 'purpose', 'cache', 'cache.level', 'flight', 'limit', 'store.operation'];
    for (const name of closed.map((one) => `xpay_auth.${one}`)) {
      expect([name, documented.get(name)]).toEqual([name, distinct(values.get(name) ?? [])]);
    }
    const outcomes = new Set([...(documented.get('xpay_auth.outcome') ?? []), ...Object.keys(FAILURES)]);
    expect([...(values.get('xpay_auth.outcome') ?? [])].filter((outcome) => !outcomes.has(outcome))).toEqual([]);
  });

  it('has a health example that compiles', async () => {
    const [, code = ''] = /```ts\n(import \{ Controller.*?)```/s.exec(text) ?? [];
    expect(code).toContain('class HealthModule');
    await ensureBuilt();
    const folder = await mkdtemp(join(root, '.check/observability-'));
    try {
      const tsconfig = { extends: join(root, 'tsconfig.base.json'), compilerOptions: { noEmit: true } };
      await writeFile(join(folder, 'tsconfig.json'), JSON.stringify(tsconfig));
      await writeFile(join(folder, 'package.json'), JSON.stringify({ type: 'module' }));
      await writeFile(join(folder, 'health.module.ts'), code);
      const tsc = join(root, 'node_modules/typescript/bin/tsc');
      await promisify(execFile)(process.execPath, [tsc, '-p', folder]).catch(({ stdout }: { stdout: string }) => {
        throw new Error(`The example does not compile:\n${stdout}`);
      });
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  }, 240_000);
});
