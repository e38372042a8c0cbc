/**
 * Returns a copy of a body or a query that axios has not encoded yet. Copies bytes, `URLSearchParams`, and arrays and plain
 * objects at any depth. Returns any other value (a stream, a form, an instance of a class, an object with `toJSON`) without a
 * copy, because the copy might behave differently.
 */
export function snapshotOf(body: unknown): unknown {
  if (Buffer.isBuffer(body)) return Buffer.from(body);
  if (body instanceof ArrayBuffer) return body.slice(0);
  if (ArrayBuffer.isView(body)) return copyOfView(body);
  if (body instanceof URLSearchParams) return new URLSearchParams(body);
  return copyOf(body, new Map());
}

/**
 * Returns a view of the same type, because a `transformRequest` may expect that type. The buffer of the copy has only the
 * bytes of the view, because axios sends the whole buffer.
 */
function copyOfView({ buffer, byteOffset, byteLength, constructor }: ArrayBufferView): unknown {
  return Reflect.construct(constructor, [buffer.slice(byteOffset, byteOffset + byteLength)]);
}

/**
 * @param copies the copies by their originals. With this map, the copy of a circular object is circular too, and axios rejects
 *   the copy like the original.
 */
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
