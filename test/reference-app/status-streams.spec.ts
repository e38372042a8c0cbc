import { describe, expect, it } from '@jest/globals';
import type { ServerResponse } from 'node:http';
import { Writable } from 'node:stream';
import type { AuditEvent, XPayAuditService } from 'nestjs-xpay-auth';
import { Subject } from 'rxjs';
import { FrameStreams } from '../../src/status/frame-streams.js';
import { RecentRows, auditRow } from '../../src/status/recent-rows.js';
import type { StatusRecorder } from '../../src/status/status-recorder.js';

/** A connection that reads a line only when the test calls `take`. */
class SlowConnection extends Writable {
  readonly req = { method: 'GET' };
  readonly lines: string[] = [];
  #taken: (() => void) | undefined;

  constructor() {
    super({ highWaterMark: 1_000, decodeStrings: false });
  }

  writeHead(): this {
    return this;
  }

  override _write(line: string, _encoding: string, done: () => void): void {
    this.lines.push(line);
    this.#taken = done;
  }

  /** Reads the line that was sent last. */
  async take(): Promise<void> {
    this.#taken?.();
    await new Promise((next) => setImmediate(next));
  }
}

const refused = (username: string): AuditEvent => ({
  type: 'refused',
  scheme: 'Basic',
  username,
  address: '127.0.0.1',
  reason: 'invalid_credentials',
  reference: undefined,
});

const SNAPSHOT = { type: 'snapshot', filler: 'x'.repeat(1_000) };

/** Opens one stream. Returns the streams, the connection, and the subjects that emit updates and events. */
function start() {
  const [updates, events] = [new Subject<object>(), new Subject<AuditEvent>()];
  const streams = new FrameStreams(
    { updates, snapshot: () => SNAPSHOT } as unknown as StatusRecorder,
    { events } as unknown as XPayAuditService,
  );
  streams.onModuleInit();
  const connection = new SlowConnection();
  streams.open(connection as unknown as ServerResponse, undefined);
  return { updates, events, streams, connection };
}

describe('the streams of the status page', () => {
  const update = { type: 'update', filler: 'x'.repeat(1_000) };

  it('a page that reads nothing queues one line, however many updates there are', () => {
    const { updates, connection, streams } = start();
    for (let i = 0; i < 10_000; i++) updates.next(update);
    expect(connection.lines).toHaveLength(1);
    expect(connection.writableLength).toBeLessThan(1_100);
    connection.destroy();
    streams.onModuleDestroy();
  });

  it('a page that missed updates gets a snapshot next, and then updates again', async () => {
    const { updates, connection, streams } = start();
    for (let i = 0; i < 3; i++) updates.next(update);
    await connection.take();
    updates.next(update);
    await connection.take();
    updates.next(update);
    const types = connection.lines.map((line) => (JSON.parse(line) as { type: string }).type);
    expect(types).toEqual(['snapshot', 'snapshot', 'update']);
    connection.destroy();
    streams.onModuleDestroy();
  });

  it('a page that disconnects leaves no subscription', async () => {
    const { updates, connection, streams } = start();
    expect(updates.observed).toBe(true);
    connection.destroy();
    await new Promise((next) => setImmediate(next));
    expect(updates.observed).toBe(false);
    streams.onModuleDestroy();
  });
});

describe('the rows of the status page', () => {
  it('keeps the latest rows only, and returns each new row once', () => {
    const rows = new RecentRows(3);
    for (let i = 0; i < 1_000; i++) rows.add({ at: i, type: 'refused', detail: '' });
    expect(rows.taken()).toEqual([]);
    expect(rows.takeNew().map(({ at }) => at)).toEqual([997, 998, 999]);
    rows.add({ at: 1_000, type: 'refused', detail: '' });
    expect(rows.taken().map(({ at }) => at)).toEqual([997, 998, 999]);
    expect([rows.takeNew().map(({ at }) => at), rows.takeNew()]).toEqual([[1_000], []]);
  });

  it('shortens a presented user name, and replaces control and bidirectional characters', () => {
    expect(auditRow(refused('u'.repeat(100_000))).username).toHaveLength(121);
    expect(auditRow(refused('a\u0000b\u202ec\nd')).username).toBe('a\ufffdb\ufffdc\ufffdd');
  });
});
