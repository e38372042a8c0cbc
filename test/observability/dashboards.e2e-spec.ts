import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { metrics } from '@opentelemetry/api';
import { XPayTokenService } from 'nestjs-xpay-auth';
import { startXPayEmulator } from 'nestjs-xpay-auth/testing';
import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { serveMetrics } from '../../src/metrics.js';
import { newKey } from '../support/encryption-keys.js';
import { freePort } from '../support/free-port.js';
import { RedisServer } from '../support/redis-server.js';
import { startReferenceApp } from '../support/reference-app.js';
import { basic } from '../support/start-app.js';
import { type Matcher, scraped, spokenOf } from './promql.js';

const docs = resolve(import.meta.dirname, '../../docs');
const USER = { username: 'user@example.test', secretKey: 'key-of-user-1', scopes: ['tme_user', 'tme_admin'] };
const APP = { username: 'this-app@example.test', secretKey: 'key-of-app-1' };
/** Labels that the scraper adds to every series. */
const OF_PROMETHEUS = ['job', 'instance'];

interface Panel {
  readonly title: string;
  readonly type: string;
  readonly gridPos: { readonly h: number; readonly w: number; readonly x: number; readonly y: number };
  readonly targets?: readonly { readonly expr: string; readonly legendFormat: string }[];
}

interface Dashboard {
  readonly title: string;
  readonly panels: readonly Panel[];
  readonly templating: { readonly list: readonly { readonly name: string; readonly definition?: string }[] };
}

const dashboard = JSON.parse(readFileSync(join(docs, 'dashboards/grafana.json'), 'utf8')) as Dashboard;
const rules = readFileSync(join(docs, 'dashboards/prometheus-rules.yaml'), 'utf8')
  .split(/^ {6}- alert: /m)
  .slice(1)
  .map((rule) => {
    const [, name = '', expression = ''] = /^(\w+)\n {8}expr: (.*)$/m.exec(rule) ?? [];
    return { name, expression, words: [...rule.matchAll(/\$labels\.(\w+)/g)].map(([, label = '']) => label) };
  });
const panels = dashboard.panels.filter(({ type }) => type !== 'row');
const expressions = [
  ...panels.flatMap(({ title, targets = [] }) => targets.map(({ expr }) => ({ where: title, expression: expr }))),
  ...rules.map(({ name, expression }) => ({ where: name, expression })),
];

describe('the dashboard and the alert rules', () => {
  let page: string;
  let series: ReturnType<typeof scraped>;

  beforeAll(async () => {
    await using redis = await RedisServer.start();
    await using xpay = await startXPayEmulator({ accounts: [USER, APP] });
    const port = await freePort();
    const provider = await serveMetrics({ host: '127.0.0.1', port });
    try {
      await using app = await startReferenceApp('fastify', {
        XPAY_BASE_URL: xpay.url,
        XPAY_USERNAME: APP.username,
        XPAY_SECRET_KEY: APP.secretKey,
        XPAY_REDIS_URL: redis.url,
        XPAY_ENCRYPTION_KEYS: `k1:${newKey()}`,
      });
      const headers = basic(USER.username, USER.secretKey);
      await app.fetch('/me', { headers });
      await app.fetch('/app/wallets/find', { method: 'POST', headers });
      await app.app.get(XPayTokenService).refresh();
      xpay.faults.next({ kind: 'unavailable' });
      await app.fetch('/me', { headers: basic('somebody@example.test', 'a-guess') });
      page = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text();
      series = scraped(page);
    } finally {
      metrics.disable();
      await provider.shutdown();
    }
  });

  it('refer to at least one metric', () => {
    expect(page).toContain('xpay_auth_requests_total{xpay_auth_instance="default",xpay_auth_outcome="admitted"');
    expect(panels.length).toBeGreaterThan(12);
    expect(expressions.length).toBeGreaterThan(rules.length);
    expect(rules.every(({ name, expression }) => name !== '' && expression.length > 20)).toBe(true);
  });

  it('refer to every exported metric, and to no other', () => {
    const known = new Set(series.keys());
    const unknown = expressions.flatMap(({ where, expression }) =>
      spokenOf(expression)
        .metrics.filter((metric) => !known.has(metric))
        .map((metric) => `${where}: ${metric}`),
    );
    expect(unknown).toEqual([]);
    const printed = [...page.matchAll(/^# TYPE (xpay_auth_\w+)/gm)].map(([, name = '']) => name);
    const spoken = expressions.flatMap(({ expression }) => spokenOf(expression).metrics).join(' ');
    expect(printed.length).toBe(18);
    expect(printed.filter((name) => !spoken.includes(name))).toEqual([]);
  });

  it('match existing labels and values of these metrics', () => {
    const strangers = expressions.flatMap(({ where, expression }) => {
      const { metrics: names, matchers, kept } = spokenOf(expression);
      const lost = matchers.filter((matcher) => !isMet(matcher)).map(({ label, value }) => `${label} ${value}`);
      const missing = (kept ?? []).filter((label) => !names.some((name) => hasLabel(name, label)));
      return [...lost, ...missing].map((what) => `${where}: ${what}`);
    });
    expect(strangers).toEqual([]);
  });

  it('use only labels in texts that are left after the aggregation', () => {
    const legends = panels.flatMap(({ title, targets = [] }) =>
      targets.map(({ expr, legendFormat }) => ({
        where: title,
        expression: expr,
        words: [...legendFormat.matchAll(/\{\{(\w+)\}\}/g)].map(([, label = '']) => label),
      })),
    );
    const alerts = rules.map(({ name, ...rest }) => ({ where: name, ...rest }));
    const strangers = [...legends, ...alerts].flatMap(({ where, expression, words }) => {
      const { metrics: names, kept } = spokenOf(expression);
      return words
        .filter((word) => !(kept?.includes(word) ?? names.every((name) => hasLabel(name, word))))
        .map((word) => `${where}: ${word}`);
    });
    expect(strangers).toEqual([]);
  });

  it('fill variables from a metric that every instance exports', () => {
    const queries = dashboard.templating.list.flatMap(({ definition = '' }) => definition);
    const named = queries.flatMap((query) => [...query.matchAll(/label_values\((\w+)/g)].map(([, name = '']) => name));
    expect(named).toEqual(['xpay_auth_requests_total', 'xpay_auth_requests_total']);
    const variables = new Set(dashboard.templating.list.map(({ name }) => `$${name}`));
    const used = expressions.flatMap(({ expression }) => expression.match(/"\$\w+"/g) ?? []);
    expect(used.filter((one) => !variables.has(one.slice(1, -1)))).toEqual([]);
  });

  it('have no overlapping panels', () => {
    const overlapping = dashboard.panels.flatMap((one, at) =>
      dashboard.panels
        .slice(at + 1)
        .filter(({ gridPos: b }) => {
          const { gridPos: a } = one;
          return a.x < b.x + b.w && b.x < a.x + a.w && a.y < b.y + b.h && b.y < a.y + a.h;
        })
        .map((other) => `${one.title}, ${other.title}`),
    );
    expect(overlapping).toEqual([]);
  });

  it('have the alerts that docs/observability.md lists', () => {
    const text = readFileSync(join(docs, 'observability.md'), 'utf8');
    const listed = [...text.matchAll(/^\| `(XPay\w+)`/gm)].map(([, name = '']) => name);
    expect(listed).toEqual(rules.map(({ name }) => name));
  });

  function hasLabel(metric: string, label: string): boolean {
    return OF_PROMETHEUS.includes(label) || series.get(metric)?.has(label) === true;
  }

  /** Every alternative of a pattern must match a value. */
  function isMet({ metric, label, isRegExp, value }: Matcher): boolean {
    if (!hasLabel(metric, label)) return false;
    if (value.startsWith('$')) return true;
    const there = [...(series.get(metric)?.get(label) ?? [])];
    if (!isRegExp) return there.includes(value);
    return value.split('|').every((one) => there.some((found) => new RegExp(`^(?:${one})$`).test(found)));
  }
});

describe('serveMetrics', () => {
  afterAll(() => metrics.disable());

  it('fails with a message when its port is taken', async () => {
    const port = await freePort();
    const provider = await serveMetrics({ host: '127.0.0.1', port });
    await expect(serveMetrics({ host: '127.0.0.1', port })).rejects.toThrow(/EADDRINUSE/);
    await provider.shutdown();
  });
});
