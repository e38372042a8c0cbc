import assert from 'node:assert/strict';
import type { ServerResponse } from 'node:http';
import type { AccessToken, Credentials } from '../../core/credentials.js';
import { systemClock } from '../../async/system-clock.js';
import { XPayAuthError } from '../../core/errors.js';
import type { ApiCall, ApiOutcome, Dialect, Grant, Upstream, UpstreamRequest } from '../../core/ports.js';
import { axiosTransport, createAxios } from '../../http/axios-transport.js';
import { UpstreamClient } from '../../http/upstream-client.js';
import { LoopbackServer } from '../emulators/loopback-server.js';
import type { WireRequest } from '../emulators/wire-message.js';
import { spilled } from './dialect-contract-spill.js';

/** One answer to any request. An object is sent as JSON, and a string is sent unchanged. */
export interface CannedAnswer {
  /** The HTTP status. @default 200 */
  readonly status?: number;
  /** Headers. An object as body adds `content-type: application/json`. */
  readonly headers?: Readonly<Record<string, string>>;
  /** The body. @default empty */
  readonly body?: string | object | null;
}

/** A call of the upstream's API, as `XPayHttpService` would make it. */
export type StagedCall = Pick<ApiCall, 'method' | 'path' | 'body'>;

/** A dialect, and the upstream that it is tested against. */
export interface DialectStage {
  /** The dialect under test. */
  readonly dialect: Dialect;
  /** Base URL of a stand-in that behaves like the upstream without failures, such as an emulator. */
  readonly baseUrl: string;
  /**
   * An account of the stand-in. Its secret must contain `+`, `&`, `%`, `"` and a letter beyond ASCII, and have at least 16
   * characters, so that the contract detects a wrong encoding and a secret in an error.
   */
  readonly good: Credentials;
  /** The scopes of the account `good`. @default not checked */
  readonly scopes?: readonly string[];
  /**
   * Answers to a login with an invalid expiry, by name: one in the past, one that is not a number, one in the wrong unit.
   * Empty only if the upstream never states an expiry.
   */
  readonly nonsense: Readonly<Record<string, CannedAnswer>>;
  /** A call that the stand-in answers with data if the token is valid. */
  readonly call: StagedCall;
  /** A call that the stand-in rejects for a reason other than the token. */
  readonly failingCall: StagedCall;
  /**
   * A call of a list of the stand-in that has at least two pages, for a dialect with `api.paging`. @default none
   */
  readonly list?: StagedCall;
  /** Revokes all access tokens of the stand-in. */
  revokeTokens(): unknown;
  /** Stops the stand-in. */
  stop(): unknown;
}

/** One case of the contract. */
export type Play = (rig: Rig) => Promise<void>;

/** The `uuid` of every API call of the contract. */
const CALL_UUID = '00000000-0000-4000-8000-000000000000';

/** Maximum length of an answer in the contract. */
export const MOST_BYTES = 65_536;

/** Starts the stage, runs the case and stops the stage. */
export async function playing(setup: () => DialectStage | Promise<DialectStage>, play: Play): Promise<void> {
  const stage = await setup();
  const rig = new Rig(stage);
  try {
    await rig.server.open();
    await play(rig);
  } finally {
    await rig.server.close();
    await stage.stop();
  }
}

/** The tools of a case: the stage, a server with scripted answers, and the secrets that must not leak. */
export class Rig {
  readonly dialect: Dialect;
  readonly good: Credentials;
  readonly bad: Credentials;
  /** The stand-in. */
  readonly live: Upstream;
  /** The server with scripted answers, on 127.0.0.1. */
  readonly server = new LoopbackServer(0, (request, response) => this.#serve(request, response));
  /** The requests to the server with scripted answers. */
  readonly requests: WireRequest[] = [];
  readonly #secrets: string[];
  #answer: (request: WireRequest) => CannedAnswer = () => ({ status: 500 });

  constructor(readonly stage: DialectStage) {
    this.dialect = stage.dialect;
    this.good = stage.good;
    this.bad = { username: stage.good.username, secretKey: `${stage.good.secretKey} but wrong` };
    this.live = upstreamAt(stage.baseUrl);
    this.#secrets = [this.good.secretKey, this.bad.secretKey];
  }

  #serve(request: WireRequest, response: ServerResponse): void {
    this.requests.push(request);
    const { status = 200, headers = {}, body } = this.#answer(request);
    const isJson = typeof body === 'object';
    response.writeHead(status, { ...(isJson && { 'content-type': 'application/json' }), ...headers });
    response.end(isJson ? JSON.stringify(body) : (body ?? ''));
  }

  /** An upstream with this answer to every request. */
  answering(answer: CannedAnswer | ((request: WireRequest) => CannedAnswer)): Upstream {
    this.#answer = typeof answer === 'function' ? answer : () => answer;
    return upstreamAt(this.server.url);
  }

  /** Logs in at the stand-in. The tokens of the grant become secrets of the rig. */
  async grant(): Promise<Grant> {
    const grant = await this.dialect.authenticate(this.good, this.live, 'own token');
    this.keepSecret(grant.accessToken.value, grant.refreshToken?.reveal());
    return grant;
  }

  /** Makes an API call with a new token of the stand-in. `meanwhile` runs between the login and the call. */
  async callApi(
    upstream: Upstream,
    staged: StagedCall = this.stage.call,
    meanwhile?: () => unknown,
  ): Promise<ApiOutcome> {
    const { accessToken } = await this.grant();
    await meanwhile?.();
    const call: ApiCall = { ...staged, uuid: CALL_UUID };
    const answer = await upstream.send(this.dialect.api.encode(call, accessToken));
    return this.dialect.api.decode(answer, call, accessToken);
  }

  /** Adds secrets that must not leak. */
  keepSecret(...secrets: readonly (string | undefined)[]): void {
    this.#secrets.push(...secrets.filter((secret) => secret !== undefined));
  }

  /** Encodes the API call of the stage. Members of `more` replace those of the call. */
  encode(token: AccessToken, more: Partial<ApiCall> = {}): UpstreamRequest {
    return this.dialect.api.encode({ ...this.stage.call, uuid: CALL_UUID, ...more }, token);
  }

  /** Returns the failure of an action. Fails unless the failure is an `XPayAuthError` without a secret. */
  async failureOf(action: () => unknown, what: string): Promise<XPayAuthError> {
    let outcome: unknown;
    try {
      outcome = await action();
    } catch (thrown) {
      this.assertNothingSpilled(thrown, what);
      assert.ok(thrown instanceof XPayAuthError, `${what}: expected an XPayAuthError, it threw ${String(thrown)}`);
      return thrown;
    }
    this.assertNothingSpilled(outcome, what);
    return assert.fail(`${what}: expected a failure, it succeeded`);
  }

  assertNothingSpilled(value: unknown, what: string): void {
    const where = spilled(value, this.#secrets);
    assert.deepEqual(where, [], `${what}: a secret shows in ${where.join(', ')}`);
  }
}

/**
 * An upstream that is called through the library's own HTTP client, which follows no redirects and limits the length of
 * answers.
 */
export function upstreamAt(baseUrl: string): Upstream {
  const timeoutMs = 5_000;
  const transport = axiosTransport(createAxios({ timeoutMs, maxResponseBytes: MOST_BYTES }));
  return new UpstreamClient({ transport, baseUrl, clock: systemClock, timeoutMs });
}
