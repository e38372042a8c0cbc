/** A JSON object, or `undefined` when the text is none. */
export function parseObject(text: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return isObject(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

export function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

export function isText(value: unknown): value is string {
  return typeof value === 'string';
}

export function isTexts(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.every(isText);
}

/** A number that ends: the JSON text `1e999` reads as `Infinity`. */
export function isNumber(value: unknown): value is number {
  return Number.isFinite(value);
}

/** An optional field without a value: left out, or `null`, as many serializers write it. */
export function isAbsent(value: unknown): value is null | undefined {
  return value === undefined || value === null;
}

/** Such a number, or nothing at all. */
export function isOptionalNumber(value: unknown): value is number | null | undefined {
  return isAbsent(value) || isNumber(value);
}
