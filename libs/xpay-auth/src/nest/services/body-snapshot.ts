/**
 * A copy of a body that axios has not encoded yet: of bytes, `URLSearchParams`, and arrays and plain objects at any depth.
 * Everything else (a stream, a form, an instance of a class) is the same object, because a copy might not behave like it.
 */
export function snapshotOf(body: unknown): unknown {
  // A Buffer, because of a view on a part of an ArrayBuffer axios sends the whole.
  if (ArrayBuffer.isView(body)) return Buffer.from(new Uint8Array(body.buffer, body.byteOffset, body.byteLength));
  if (body instanceof ArrayBuffer) return Buffer.from(new Uint8Array(body));
  if (body instanceof URLSearchParams) return new URLSearchParams(body);
  return copyOf(body);
}

function copyOf(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(copyOf);
  if (!isPlainObject(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([name, member]) => [name, copyOf(member)]));
}

function isPlainObject(value: unknown): value is object {
  if (typeof value !== 'object' || value === null) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === null || Object.getPrototypeOf(prototype) === null;
}
