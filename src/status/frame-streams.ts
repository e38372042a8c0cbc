import { Injectable, type OnModuleDestroy, type OnModuleInit, ServiceUnavailableException } from '@nestjs/common';
import type { ServerResponse } from 'node:http';
import { XPayAuditService } from 'nestjs-xpay-auth';
import { Subscription, map, share } from 'rxjs';
import { StatusRecorder } from './status-recorder.js';

/** Number of pages that may be open. */
const MOST_STREAMS = 20;
/**
 * Ms after which a stream of a logged-in page ends. The page opens the next stream with its token. So a page whose session has
 * expired, or was ended on another instance, receives data for at most this time.
 */
const LONGEST_STREAM_MS = 10_000;
/** Ms after which a page that reads nothing is disconnected. */
const LONGEST_STALL_MS = 15_000;

interface FrameStream {
  /** The user of the page's token; `undefined` in demo mode. */
  readonly username: string | undefined;
  end(): void;
}

/** The open streams: a snapshot at first, then an update per second, each as one line of JSON. */
@Injectable()
export class FrameStreams implements OnModuleInit, OnModuleDestroy {
  readonly #streams = new Set<FrameStream>();
  readonly #subscription = new Subscription();
  /** The line of each update, which all streams share. */
  readonly #lines;

  constructor(
    private readonly recorder: StatusRecorder,
    private readonly audit: XPayAuditService,
  ) {
    this.#lines = recorder.updates.pipe(map(lineOf), share());
  }

  /** A logout ends the streams of its user, and a revocation ends all. A page whose token is still valid reconnects. */
  onModuleInit(): void {
    this.#subscription.add(
      this.audit.events.subscribe((event) => {
        if (event.type === 'revoked') this.#end(() => true);
        if (event.type === 'logout') this.#end(({ username }) => username === event.username);
      }),
    );
  }

  /** Ends all streams, because a server that closes waits for its open connections. */
  onModuleDestroy(): void {
    this.#subscription.unsubscribe();
    this.#end(() => true);
  }

  /** Throws 503 if too many pages are open. Call this method before {@link open}. */
  assertRoom(): void {
    if (this.#streams.size < MOST_STREAMS) return;
    throw new ServiceUnavailableException(`${MOST_STREAMS} status pages are open, which is the limit`);
  }

  /** Sends frames until the page disconnects. A page that reads slowly misses updates and gets a snapshot afterwards. */
  open(response: ServerResponse, username: string | undefined): void {
    response.writeHead(200, {
      'content-type': 'application/x-ndjson; charset=utf-8',
      'cache-control': 'no-store',
      'x-content-type-options': 'nosniff',
      // Without this header, nginx collects frames before it sends them.
      'x-accel-buffering': 'no',
      // A connection that stays open would delay the shutdown of the app.
      connection: 'close',
    });
    // The response to a HEAD has no body, so Node would send it only when the stream ends.
    if (response.req.method === 'HEAD') {
      response.end();
      return;
    }
    let isReady = true;
    let hasMissed = true;
    let stalled: NodeJS.Timeout | undefined;
    const disconnectStalled = (): void => {
      clearTimeout(stalled);
      stalled = setTimeout(() => response.destroy(), LONGEST_STALL_MS).unref();
    };
    const send = (line: string): void => {
      // At most one line waits in this process for a slow reader.
      hasMissed = !isReady;
      if (!isReady) return;
      isReady = response.write(line);
      if (!isReady) disconnectStalled();
    };
    const snapshot = (): void => send(lineOf(this.recorder.snapshot()));
    response.on('drain', () => {
      clearTimeout(stalled);
      isReady = true;
    });
    snapshot();
    const updates = this.#lines.subscribe((line) => (hasMissed && isReady ? snapshot() : send(line)));
    const end = (): void => {
      updates.unsubscribe();
      response.end();
      disconnectStalled();
    };
    const stream = { username, end };
    const longest = username === undefined ? undefined : setTimeout(stream.end, LONGEST_STREAM_MS).unref();
    this.#streams.add(stream);
    response.on('error', () => response.destroy());
    response.on('close', () => {
      this.#streams.delete(stream);
      updates.unsubscribe();
      clearTimeout(stalled);
      clearTimeout(longest);
    });
  }

  #end(isEnding: (stream: FrameStream) => boolean): void {
    for (const stream of this.#streams) if (isEnding(stream)) stream.end();
  }
}

function lineOf(frame: object): string {
  return `${JSON.stringify(frame)}\n`;
}
