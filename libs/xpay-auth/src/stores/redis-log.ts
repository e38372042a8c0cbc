import { createHash, randomBytes } from 'node:crypto';
import { lengthPrefixed } from '../core/credentials.js';
import type { LogPage, LogRecord } from '../core/store.js';
import type { Codec } from './codec.js';
import type { RedisLink } from './redis-link.js';
import * as scripts from './redis-scripts.js';

export interface RedisLogsParts {
  readonly link: Pick<RedisLink, 'run'>;
  readonly codec: Codec;
  /** Returns the Redis key of one part of an entry. */
  readonly keyOf: (name: string, part: string) => string;
  /** Called for each record that cannot be read. */
  readonly onUnreadable: () => void;
  /** Called for each readable record that version 0.1.0 has written. */
  readonly onRecordOf010: () => void;
}

/** The text whose keyed name is kept with a log, so that an instance with another index key is detected. */
export const INDEX_KEY_CHECK = 'check of the index key';

/**
 * Returns the name of a log in the store: a hash without a key. An instance with a wrong index key must find the log, so that it
 * notices that its key is wrong.
 */
export function nameOfLog(log: string): string {
  return createHash('sha256').update(log).digest('base64url');
}

/** The end of a log, where the next record is appended. */
interface End {
  readonly epoch: string;
  readonly newest: number;
}

/**
 * The logs of a store. Each record is bound to its epoch and position, so that a record that was edited, moved or copied to
 * another position is detected. Two parts of the record bind it. The MAC with the index key can still be checked after a rotation
 * of keys. The encrypted value can be decrypted at its own position only. Without the second part, an attacker could remove the
 * MAC and make the record look like a record of version 0.1.0, which has no MAC.
 */
export class RedisLogs {
  readonly #ends = new Map<string, End>();
  readonly #appending = new Map<string, Promise<unknown>>();

  constructor(private readonly parts: RedisLogsParts) {}

  /**
   * Appends a record. Appends of one log run one after the other, because the position of a record must be known before the
   * record is encrypted.
   */
  append(log: string, index: string, value: string): Promise<LogPage> {
    const before = this.#appending.get(log) ?? Promise.resolve();
    const appended = before.catch(() => undefined).then(() => this.#append(log, index, value));
    this.#appending.set(log, appended);
    return appended;
  }

  async read(log: string, after: number): Promise<LogPage> {
    const { epoch, newest, oldest, lines } = await this.#call(log, scripts.READ_LOG, [after]);
    const first = newest - lines.length + 1;
    // A deleted record shifts the positions of later records, so all positions are compared.
    const records = lines.map((line, i) => this.#open(log, { epoch, position: first + i }, line));
    return { epoch, newest, oldest, records };
  }

  async renewEpoch(log: string, lostEpoch: string): Promise<void> {
    await this.parts.link.run(scripts.RENEW_EPOCH, this.#keysOf(log), [lostEpoch, newEpoch()]);
  }

  async #append(log: string, index: string, value: string): Promise<LogPage> {
    let end = this.#ends.get(log) ?? (await this.read(log, Number.MAX_SAFE_INTEGER));
    for (;;) {
      const place = { epoch: end.epoch, position: end.newest + 1 };
      const sealed = this.parts.codec.seal(placeOf(log, place, index), value);
      const record = [String(place.position), index, sealed, this.#mac(log, place, index, sealed)].join('|');
      const args = [place.epoch, place.position, record];
      const { epoch, newest, oldest, lines } = await this.#call(log, scripts.APPEND, args);
      if (lines.length > 0) return { epoch, newest, oldest, records: [] };
      // Another instance has appended a record first. Each failed attempt of this instance is a successful attempt of another
      // instance.
      end = { epoch, newest };
    }
  }

  async #call(log: string, script: scripts.Script, args: scripts.ScriptArgs) {
    const { link, codec } = this.parts;
    const first = [newEpoch(), codec.indexOf(INDEX_KEY_CHECK)];
    const answer = (await link.run(script, this.#keysOf(log), [...first, ...args])) as unknown[];
    const [epoch, newest, oldest] = [String(answer[0]), Number(answer[1]), Number(answer[2])];
    this.#ends.set(log, { epoch, newest });
    return { epoch, newest, oldest, lines: (answer[3] as unknown[]).map(String) };
  }

  #open(log: string, place: { epoch: string; position: number }, line: string): LogRecord {
    const { codec, onUnreadable, onRecordOf010 } = this.parts;
    const { position } = place;
    const [written, index = '', sealed = '', mac] = line.split('|');
    const isOf010 = mac === undefined;
    const value = codec.open(isOf010 ? placeOf010(log, index) : placeOf(log, place, index), sealed);
    if (value === undefined) onUnreadable();
    else if (isOf010) onRecordOf010();
    const isGenuine = isOf010 ? value !== undefined : mac === this.#mac(log, place, index, sealed);
    if (written === String(position) && isGenuine) return { position, index, value };
    if (value !== undefined) onUnreadable();
    return { position, index: undefined, value: undefined };
  }

  #mac(log: string, { epoch, position }: { epoch: string; position: number }, index: string, sealed: string): string {
    return this.parts.codec.indexOf(lengthPrefixed(['log record', log, epoch, String(position), index, sealed]));
  }

  /** The Redis keys of the state of a log, and of its records. */
  #keysOf(log: string): readonly string[] {
    const name = nameOfLog(log);
    return [this.parts.keyOf(name, 'm'), this.parts.keyOf(name, 'r')];
  }
}

function placeOf(log: string, { epoch, position }: { epoch: string; position: number }, index: string) {
  return { kind: 'revocation', name: lengthPrefixed([log, epoch, index]), generation: position } as const;
}

/** Returns the place for which version 0.1.0 encrypted a record. It does not include the position. */
function placeOf010(log: string, index: string) {
  return { kind: 'revocation', name: `${log} ${index}`, generation: 0 } as const;
}

function newEpoch(): string {
  return randomBytes(9).toString('base64url');
}
