import { type XPayAuthError, configurationError } from '../core/errors.js';

/** One key of a ring. */
export interface EncryptionKey {
  /**
   * Id of the key, which is stored with each value that the key has encrypted. Up to 32 letters, digits, `_` and `-`. The id
   * `index` is reserved.
   */
  readonly id: string;
  /** 32 random bytes, as bytes or in base64. */
  readonly key: string | Uint8Array;
}

/**
 * A list of keys. The first key encrypts, and all keys can decrypt. The keys can also be given as one text,
 * `id:base64,id:base64`, in which the key with the id `index` is the index key.
 */
export type EncryptionKeys = readonly EncryptionKey[] | string;

const INDEX = 'index';
const KEY_BYTES = 32;
const ID = /^[\w-]{1,32}$/;
const BASE64 = /^[A-Za-z0-9+/_-]+={0,2}$/;
const HOW = `Make one with: node -e "console.log('k1:' + require('node:crypto').randomBytes(32).toString('base64'))"`;

/** The keys of a store, in bytes. */
export interface KeyRing {
  /** Id of the key that encrypts. */
  readonly first: string;
  readonly keys: ReadonlyMap<string, Uint8Array>;
  /**
   * The key from which names in the store are computed: the key with the id `index`, or else the last key of the ring. It must
   * not change when keys are rotated.
   */
  readonly index: Uint8Array;
}

/**
 * Returns the keys of the options. Throws `configuration` for a key that is missing, too short, not random, or not base64. The
 * message explains how to create a key and contains no key.
 */
export function keyRing(keys: EncryptionKeys | undefined, indexKey?: string | Uint8Array): KeyRing {
  const given = typeof keys === 'string' ? parse(keys) : listOf(keys);
  const ring = new Map<string, Uint8Array>();
  for (const { id, key } of given) {
    if (typeof id !== 'string' || !ID.test(id)) throw invalid('an id is not up to 32 letters, digits, "_" and "-"');
    if (ring.has(id)) throw invalid(`two keys are called "${id}"`);
    ring.set(id, bytesOf(id, key));
  }
  const named = ring.get(INDEX);
  ring.delete(INDEX);
  const option = indexKey === undefined ? undefined : bytesOf(INDEX, indexKey);
  if (option !== undefined && named !== undefined && !Buffer.from(named).equals(option)) {
    throw invalid('the option indexKey differs from the key "index". Remove one of them');
  }
  const [first] = ring.keys();
  const last = [...ring.values()].at(-1);
  if (first === undefined || last === undefined) throw invalid('there is no key');
  return { first, keys: ring, index: option ?? named ?? last };
}

function listOf(keys: unknown = []): readonly EncryptionKey[] {
  if (Array.isArray(keys) && keys.every((key) => typeof key === 'object' && key !== null))
    return keys as EncryptionKey[];
  throw invalid('expected a text or a list of { id, key }');
}

function parse(text: string): EncryptionKey[] {
  const items = text.split(',').map((item) => item.trim());
  return items.filter(Boolean).map((item) => {
    const colon = item.indexOf(':');
    // A text without an id may be a key, so the message does not contain the text.
    if (colon < 1) throw invalid('expected `id:base64`, several of them with commas between');
    return { id: item.slice(0, colon), key: item.slice(colon + 1) };
  });
}

function bytesOf(id: string, key: unknown): Uint8Array {
  const text = typeof key === 'string' && BASE64.test(key) ? Buffer.from(key, 'base64') : undefined;
  const bytes = key instanceof Uint8Array ? key : text;
  if (bytes === undefined) throw invalid(`the key "${id}" is not base64`);
  if (bytes.length !== KEY_BYTES) throw invalid(`the key "${id}" has ${bytes.length} bytes, expected ${KEY_BYTES}`);
  if (bytes.every((byte) => byte === bytes[0])) throw invalid(`the key "${id}" is not random`);
  return Uint8Array.from(bytes);
}

function invalid(why: string): XPayAuthError {
  return configurationError(`redisStore encryptionKeys (XPAY_ENCRYPTION_KEYS): ${why}. ${HOW}`);
}
