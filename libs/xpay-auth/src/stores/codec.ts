import { createCipheriv, createDecipheriv, createHmac, randomBytes } from 'node:crypto';
import { lengthPrefixed } from '../core/cache-key.js';
import type { EntryKind, EntryName } from '../core/store.js';
import type { KeyRing } from './key-ring.js';

const FORMAT = 'v1';
const IV_BYTES = 12;
const TAG_BYTES = 16;
const ALGORITHM = 'aes-256-gcm';

/** What a value belongs to. It opens nowhere else. */
export interface Place {
  readonly kind: EntryKind;
  /** As {@link Codec.nameOf} gives it. */
  readonly name: string;
  readonly generation: number;
}

/**
 * What a store that others can read and write sees of us: names that say nothing, and values that only open where they were
 * put. Names are HMAC-SHA256 under the index key, so that a rotation hides nothing; values are AES-256-GCM under a subkey
 * for each kind, with the place as additional data, so that a value that was edited, moved or renumbered does not open.
 */
export class Codec {
  constructor(
    private readonly ring: KeyRing,
    /** Keeps apart those who share a server. */
    private readonly realm: string,
  ) {}

  /** 256 bits in base64url. */
  nameOf({ kind, id }: EntryName): string {
    return this.indexOf(lengthPrefixed(['entry', kind, id]));
  }

  /** A keyed name for a text that outlives every rotation. */
  indexOf(text: string): string {
    const key = this.ring.indexSubkey('names');
    return createHmac('sha256', key)
      .update(lengthPrefixed([this.realm, text]))
      .digest('base64url');
  }

  seal(place: Place, value: string): string {
    const { first } = this.ring;
    const iv = randomBytes(IV_BYTES);
    const cipher = createCipheriv(ALGORITHM, this.#keyOf(first, place.kind) ?? unreachable(), iv);
    cipher.setAAD(this.#additional(place));
    const sealed = Buffer.concat([iv, cipher.update(value, 'utf8'), cipher.final(), cipher.getAuthTag()]);
    return `${FORMAT}.${first}.${sealed.toString('base64url')}`;
  }

  /** The value, or `undefined` for whatever was not sealed for this place with a key of this ring. */
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
    return this.ring.subkey(id, `values ${kind}`);
  }

  #additional({ kind, name, generation }: Place): Buffer {
    return Buffer.from(lengthPrefixed([FORMAT, this.realm, kind, name, String(generation)]));
  }
}

function unreachable(): never {
  throw new Error('the first key of a ring is in the ring');
}
