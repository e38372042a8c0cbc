import { beforeAll, describe, expect, it } from '@jest/globals';
import { type Everything, everything } from './everything.js';

describe('exported telemetry', () => {
  let all: Everything;
  beforeAll(async () => {
    all = await everything();
  });

  it('O17 · contains no secret, token or username, in metrics and in spans', () => {
    const metrics = JSON.stringify(all.metrics);
    const spans = JSON.stringify(
      all.spans.map(({ name, attributes, events, links, status, resource, instrumentationScope }) => {
        return { name, attributes, events, links, status, resource: resource.attributes, instrumentationScope };
      }),
    );
    // The search is only valid if something was exported.
    expect(metrics).toContain('xpay_auth.requests');
    expect(spans).toContain('/client/authenticate');
    const found = all.secrets.filter((secret) => metrics.includes(secret) || spans.includes(secret));
    expect(found).toEqual([]);
    expect(all.secrets.length).toBeGreaterThan(20);
    expect(all.secrets.every((secret) => secret.length > 5)).toBe(true);
  });

  it('has few series for any number of callers: no attribute depends on the caller', () => {
    const values = new Set<string>();
    for (const { dataPoints } of all.metrics) {
      for (const { attributes } of dataPoints) for (const value of Object.values(attributes)) values.add(String(value));
    }
    // Names of instances, dialects, limits and levels, and codes of failure.
    expect([...values].filter((value) => !/^[A-Za-z_-]{2,24}$/.test(value))).toEqual([]);
  });
});
