import { createCipheriv, createDecipheriv, createHmac, hkdfSync, randomBytes } from 'node:crypto';
import { lengthPrefixed } from '../core/credentials.js';
import type { EntryKind, EntryName } from '../core/store.js';
import type { KeyRing } from './key-ring.js';

const FORMAT = 'v1';
const IV_BYTES = 12;
const TAG_BYTES = 16;
const KEY_BYTES = 32;
const ALGORITHM = 'aes-256-gcm';

/** The place of a value in the store. A value that was encrypted for one place cannot be decrypted for another place. */
export interface Place {
  readonly kind: EntryKind;
  /** As returned by {@link Codec.nameOf}. */
  readonly name: string;
  readonly generation: number;
}

/**
 * Encrypts names and values for a store that attackers may be able to read and write. A name is an HMAC-SHA256 with the index
 * key, so that the entry can be found after a rotation of keys. A value is encrypted with AES-256-GCM, with one subkey for each
 * kind of entry. The place is the additional authenticated data, so that a value that was edited, moved or given another
 * generation cannot be decrypted. Each subkey is derived by HKDF (RFC 5869) and has one purpose.
 */
export class Codec {
  readonly #subkeys = new Map<string, Buffer>();

  constructor(
    private readonly ring: KeyRing,
    /** Separates the apps that share a server. */
    private readonly realm: string,
  ) {}

  /** Returns the name of an entry in the store: 256 bits in base64url. */
  nameOf({ kind, id }: EntryName): string {
    return this.indexOf(lengthPrefixed(['entry', kind, id]));
  }

  /** Returns a keyed name for a text. The name does not change when keys are rotated. */
  indexOf(text: string): string {
    const key = this.#subkey(this.ring.index, 'index', 'index names');
    return createHmac('sha256', key)
      .update(lengthPrefixed([this.realm, text]))
      .digest('base64url');
  }

  seal(place: Place, value: string): string {
    const { first } = this.ring;
    const key = this.#keyOf(first, place.kind);
    if (key === undefined) throw new Error('the first key of a ring is in the ring');
    const iv = randomBytes(IV_BYTES);
    const cipher = createCipheriv(ALGORITHM, key, iv);
    cipher.setAAD(this.#additional(place));
    const sealed = Buffer.concat([iv, cipher.update(value, 'utf8'), cipher.final(), cipher.getAuthTag()]);
    return `${FORMAT}.${first}.${sealed.toString('base64url')}`;
  }

  /** Returns the decrypted value, or `undefined` if the text was not encrypted for this place with a key of this ring. */
  open(place: Place, text: string): string | undefined {
    const [format, id = '', body = '', ...rest] = text.split('.');
    const sealed = Buffer.from(body, 'base64url');
    if (format !== FORMAT || rest.length > 0 || sealed.length < IV_BYTES + TAG_BYTES) return undefined;
    const key = this.#keyOf(id, place.kind);
    if (key === undefined) return undefined;
    const decipher = createDecipheriv(ALGORITHM, key, sealed.subarray(0, IV_BYTES), { authTagLength: TAG_BYTES });
    decipher.setAAD(this.#additional(place));
    decipher.setAuthTag(sealed.subarray(-TAG_BYTES));
    try {
      const opened = [decipher.update(sealed.subarray(IV_BYTES, -TAG_BYTES)), decipher.final()];
      return Buffer.concat(opened).toString('utf8');
    } catch {
      return undefined;
    }
  }

  #keyOf(id: string, kind: EntryKind): Buffer | undefined {
    const key = this.ring.keys.get(id);
    return key && this.#subkey(key, id, `values ${kind}`);
  }

  #subkey(key: Uint8Array, id: string, purpose: string): Buffer {
    const name = `${id} ${purpose}`;
    const known = this.#subkeys.get(name);
    if (known !== undefined) return known;
    const derived = Buffer.from(hkdfSync('sha256', key, 'nestjs-xpay-auth', `v1 ${purpose}`, KEY_BYTES));
    this.#subkeys.set(name, derived);
    return derived;
  }

  #additional({ kind, name, generation }: Place): Buffer {
    return Buffer.from(lengthPrefixed([FORMAT, this.realm, kind, name, String(generation)]));
  }
}
