import type { Case } from './run-case.js';

type Json = null | boolean | number | string | Json[] | { [name: string]: Json };

/** A case with one expectation turned into a falsehood, and which one. */
export interface Falsified<One> {
  readonly what: string;
  readonly one: One;
}

/** The case in as many ways wrong as it has expectations. None of them may pass. */
export function falsified<One extends Case<{ do: string }>>(one: One): Falsified<One>[] {
  const places = [
    ...one.steps.flatMap((step, at) => ('expect' in step || step.do === 'expect' ? [['steps', at] as const] : [])),
    ['expect'] as const,
  ];
  return places.flatMap((place) => {
    const holder = place.reduce<Json>(
      (here, key) => (here as Record<string, Json>)[key] as Json,
      one as unknown as Json,
    );
    const expected = ((holder as { expect?: Json }).expect ?? holder) as Record<string, Json>;
    return Object.entries(expected).flatMap(([name, value]) => {
      const wrong = falsehood(name, value);
      if (wrong === undefined) return [];
      const copy = structuredClone(one) as unknown as Json;
      const spot = place.reduce<Json>((here, key) => (here as Record<string, Json>)[key] as Json, copy);
      const target = ((spot as { expect?: Json }).expect ?? spot) as Record<string, Json>;
      delete target[name];
      Object.assign(target, wrong);
      return [{ what: `${place.join(' ')}: ${name} ${JSON.stringify(value)}`, one: copy as unknown as One }];
    });
  });
}

/** What stands in the place of a right expectation; `undefined` where nothing is expected, or only by waiting for it. */
function falsehood(name: string, value: Json): Record<string, Json> | undefined {
  // A label that nobody has used yet would be as right as the one that stands there.
  if (name === 'token') return { none: true };
  if (name === 'none' || name === 'data' || name === 'left') return { error: 'configuration' };
  if (name === 'do' || name === 'session') return undefined;
  if (name === 'logins' || name === 'calls') return Number(value) > 0 ? { [name]: Number(value) - 1 } : undefined;
  if (name === 'events') return Array.isArray(value) && value.length > 0 ? { events: value.slice(1) } : undefined;
  if (typeof value === 'number') return { [name]: value + 1 };
  if (typeof value === 'string') return { [name]: `not ${value}` };
  if (Array.isArray(value)) return { [name]: typeof value[0] === 'number' ? [-2, -1] : [...value, 'another'] };
  return value === null ? { [name]: 77 } : undefined;
}
