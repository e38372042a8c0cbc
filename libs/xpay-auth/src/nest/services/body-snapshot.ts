/**
 * A copy of a body or a query that axios has not encoded yet: of bytes, `URLSearchParams`, and arrays and plain objects at any
 * depth.
 * Everything else (a stream, a form, an instance of a class, an object with `toJSON`) is the same object, because a copy might
 * not behave like it.
 */
export function snapshotOf(body: unknown): unknown {
  if (Buffer.isBuffer(body)) return Buffer.from(body);
  if (body instanceof ArrayBuffer) return body.slice(0);
  if (ArrayBuffer.isView(body)) return copyOfView(body);
  if (body instanceof URLSearchParams) return new URLSearchParams(body);
  return copyOf(body, new Map());
}

/** Of the same type, as a `transformRequest` may expect. Its buffer ends where the view does: axios sends the whole buffer. */
function copyOfView({ buffer, byteOffset, byteLength, constructor }: ArrayBufferView): unknown {
  return Reflect.construct(constructor, [buffer.slice(byteOffset, byteOffset + byteLength)]);
}

/** @param copies by original, so that a circular object ends up circular: axios refuses it as it would without us */
function copyOf(value: unknown, copies: Map<object, object>): unknown {
  if ((!Array.isArray(value) && !isPlainObject(value)) || 'toJSON' in value) return value;
  const known = copies.get(value);
  if (known !== undefined) return known;
  const copy: object = Array.isArray(value) ? Array.from({ length: value.length }) : {};
  copies.set(value, copy);
  for (const [name, member] of Object.entries(value)) {
    Object.defineProperty(copy, name, {
      value: copyOf(member, copies),
      enumerable: true,
      writable: true,
      configurable: true,
    });
  }
  return copy;
}

function isPlainObject(value: unknown): value is object {
  if (typeof value !== 'object' || value === null) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === null || Object.getPrototypeOf(prototype) === null;
}
