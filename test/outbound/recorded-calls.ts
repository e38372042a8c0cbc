import { Test } from '@nestjs/testing';
import {
  AccessToken,
  type Dialect,
  type HttpOptions,
  XPayAuthModule,
  XPayHttpService,
  XPayTokenService,
} from 'nestjs-xpay-auth';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { type IncomingHttpHeaders, type IncomingMessage, type ServerResponse, createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { collector } from './outbound.js';

/** One request as it reached the upstream. */
export interface Recorded {
  /** Path and query. */
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

/** An app that calls an API through a dialect, and an upstream that records the bytes of every call. */
export interface RecordedCalls extends AsyncDisposable {
  readonly http: XPayHttpService;
  readonly tokens: XPayTokenService;
  /** The upstream's origin. */
  readonly url: string;
  readonly recorded: Recorded[];
  /** Number of tokens obtained. */
  logins: number;
  /** The value of every token. @default a new UUID for each */
  tokenValue?: string;
  /** Runs before a token is granted. */
  beforeGrant: () => unknown;
  /** Runs after a request was read and before the response; returns the status. */
  beforeAnswer: (count: number) => number;
}

/** A response that every dialect of the library reads as data. */
const ANSWER = JSON.stringify({ success: { message: 'OK', data: null }, message: 'OK', data: null });

/**
 * @param spoken the dialect whose API is called; its login is replaced by one that needs no request
 * @param body the JSON of every response, or of the response to the call with this number, from 1
 * @param http options of the HTTP client
 */
export async function startRecordedCalls(
  spoken: Dialect,
  body: string | ((count: number) => string) = ANSWER,
  http: HttpOptions = {},
): Promise<RecordedCalls> {
  const recorded: Recorded[] = [];
  const answer = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    recorded.push({ path: request.url ?? '', headers: request.headers, body: await text(request) });
    const status = calls.beforeAnswer(recorded.length);
    response.writeHead(status, { 'content-type': 'application/json' });
    response.end(typeof body === 'string' ? body : body(recorded.length));
  };
  const server = createServer((request, response) => void answer(request, response));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const dialect: Dialect = {
    ...spoken,
    async authenticate({ username }) {
      calls.logins++;
      await calls.beforeGrant();
      return {
        accessToken: new AccessToken(calls.tokenValue ?? randomUUID()),
        username,
        scopes: [],
        isAPI: true,
        lifeMs: 3_600_000,
      };
    },
  };
  const module = await Test.createTestingModule({
    imports: [
      XPayAuthModule.forRoot({
        dialect,
        baseUrl: url,
        http,
        credentials: { username: 'app', secretKey: 'the key of the app' },
      }),
    ],
  })
    .setLogger(collector([]))
    .compile();
  await module.init();
  const calls: RecordedCalls = {
    http: module.get(XPayHttpService),
    tokens: module.get(XPayTokenService),
    url,
    recorded,
    logins: 0,
    beforeGrant: () => undefined,
    beforeAnswer: () => 200,
    [Symbol.asyncDispose]: async () => {
      await module.close();
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
  return calls;
}
