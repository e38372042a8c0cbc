import { hkdfSync } from 'node:crypto';
import { XPayAuthError } from '../core/errors.js';

/** One key of a ring. */
export interface EncryptionKey {
  /** Written beside what is sealed with it: up to 32 letters, digits, `_` and `-`. Not `index`. */
  readonly id: string;
  /** 32 random bytes, or the same in base64. */
  readonly key: string | Uint8Array;
}

/**
 * Keys: the first seals, all of them open. Or as one text, `id:base64,id:base64`, where the id `index` names the index key.
 */
export type EncryptionKeys = readonly EncryptionKey[] | string;

const KEY_BYTES = 32;
const ID = /^[\w-]{1,32}$/;
const BASE64 = /^[A-Za-z0-9+/_-]+={0,2}$/;
const HOW = `Make one with: node -e "console.log('k1:' + require('node:crypto').randomBytes(32).toString('base64'))"`;

/**
 * The keys of a store. From each one a subkey for every purpose is derived (HKDF, RFC 5869). The index key names things
 * whose names must outlive a rotation; it is the key called `index`, or else the last one of the ring.
 */
export class KeyRing {
  readonly #keys: ReadonlyMap<string, Uint8Array>;
  readonly #index: Uint8Array;
  readonly #subkeys = new Map<string, Buffer>();
  /** Id of the key that seals. */
  readonly first: string;

  /** Throws `configuration` for a key that is missing, too short, or not base64. Says how to make one; shows none. */
  constructor(keys: EncryptionKeys | undefined, indexKey?: string | Uint8Array) {
    const given = typeof keys === 'string' ? parse(keys) : [...(keys ?? [])];
    const ring = new Map<string, Uint8Array>();
    let index = indexKey === undefined ? undefined : bytesOf('index', indexKey);
    for (const { id, key } of given) {
      if (typeof id !== 'string' || !ID.test(id)) throw refused('an id is not up to 32 letters, digits, "_" and "-"');
      if (ring.has(id)) throw refused(`two keys are called "${id}"`);
      if (id === 'index') index = bytesOf(id, key);
      else ring.set(id, bytesOf(id, key));
    }
    const [first, last] = [[...ring.keys()][0], [...ring.values()].at(-1)];
    if (first === undefined || last === undefined) throw refused('there is no key');
    this.#keys = ring;
    this.#index = index ?? last;
    this.first = first;
  }

  /** A subkey for one purpose, or `undefined` when no key of this id is in the ring. */
  subkey(id: string, purpose: string): Buffer | undefined {
    const key = this.#keys.get(id);
    return key === undefined ? undefined : this.#derived(key, `${id} ${purpose}`, purpose);
  }

  /** A subkey of the index key. */
  indexSubkey(purpose: string): Buffer {
    return this.#derived(this.#index, `index ${purpose}`, `index ${purpose}`);
  }

  #derived(key: Uint8Array, slot: string, purpose: string): Buffer {
    const known = this.#subkeys.get(slot);
    if (known !== undefined) return known;
    const made = Buffer.from(hkdfSync('sha256', key, 'nestjs-xpay-auth', `v1 ${purpose}`, KEY_BYTES));
    this.#subkeys.set(slot, made);
    return made;
  }
}

function parse(text: string): EncryptionKey[] {
  const items = text.split(',').map((item) => item.trim());
  return items
    .filter((item) => item !== '')
    .map((item) => {
      const colon = item.indexOf(':');
      // What is not `id:key` may be a key alone, so it is not shown.
      if (colon < 1) throw refused('expected `id:base64`, several of them with commas between');
      return { id: item.slice(0, colon), key: item.slice(colon + 1) };
    });
}

function bytesOf(id: string, key: unknown): Uint8Array {
  const text = typeof key === 'string' && BASE64.test(key) ? Buffer.from(key, 'base64') : undefined;
  const bytes = key instanceof Uint8Array ? key : text;
  if (bytes === undefined) throw refused(`the key "${id}" is not base64`);
  if (bytes.length !== KEY_BYTES) throw refused(`the key "${id}" has ${bytes.length} bytes, expected ${KEY_BYTES}`);
  if (bytes.every((byte) => byte === bytes[0])) throw refused(`the key "${id}" is not random`);
  return Uint8Array.from(bytes);
}

function refused(why: string): XPayAuthError {
  return new XPayAuthError('configuration', `redisStore encryptionKeys (XPAY_ENCRYPTION_KEYS): ${why}. ${HOW}`);
}
