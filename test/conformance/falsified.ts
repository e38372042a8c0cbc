import type { Case } from './run-case.js';

type Json = null | boolean | number | string | Json[] | { [name: string]: Json };

/** A case with one wrong expectation, and its description. */
export interface Falsified<One> {
  readonly what: string;
  readonly one: One;
}

/** The case with each of its expectations made wrong, one at a time. None of them may pass. */
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

/** A wrong value in place of a right expectation; `undefined` if nothing is expected, or only after a wait. */
function falsehood(name: string, value: Json): Record<string, Json> | undefined {
  // A label without a token yet would be as right as the present one.
  if (name === 'token') return { none: true };
  if (name === 'none') return { error: 'configuration' };
  if (name === 'do') return undefined;
  if (name === 'logins') return Number(value) > 0 ? { [name]: Number(value) - 1 } : undefined;
  if (name === 'events') return Array.isArray(value) && value.length > 0 ? { events: value.slice(1) } : undefined;
  if (typeof value === 'number') return { [name]: value + 1 };
  if (typeof value === 'string') return { [name]: `not ${value}` };
  if (Array.isArray(value)) return { [name]: typeof value[0] === 'number' ? [-2, -1] : [...value, 'another'] };
  return undefined;
}
