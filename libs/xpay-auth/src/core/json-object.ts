/** Parses a JSON object. Returns `undefined` if the text is not one. */
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

/** Whether the value is a finite number. `JSON.parse` reads `1e999` as `Infinity`, which no field may have. */
export function isNumber(value: unknown): value is number {
  return Number.isFinite(value);
}

/** Whether an optional field has no value. Many serializers write `null` instead of omitting the field. */
export function isAbsent(value: unknown): value is null | undefined {
  return value === undefined || value === null;
}

/** Whether an optional field has a finite number or no value. */
export function isOptionalNumber(value: unknown): value is number | null | undefined {
  return isAbsent(value) || isNumber(value);
}
