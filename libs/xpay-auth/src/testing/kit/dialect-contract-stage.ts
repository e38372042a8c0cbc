import assert from 'node:assert/strict';
import type { Credentials } from '../../core/credentials.js';
import { systemClock } from '../../core/clock.js';
import { XPayAuthError } from '../../core/errors.js';
import type { ApiCall, Dialect, Grant, Upstream } from '../../core/ports.js';
import { createAxios } from '../../http/axios.js';
import { UpstreamClient } from '../../http/upstream-client.js';
import { type CannedAnswer, type CannedRequest, CannedServer } from './dialect-contract-server.js';
import { spilled } from './dialect-contract-spill.js';

/** A call of the upstream's API, as `XPayHttpService` would make it. */
export type StagedCall = Pick<ApiCall, 'method' | 'path' | 'body'>;

/** A dialect, and what it is tried against. */
export interface DialectStage {
  /** What is tried. */
  readonly dialect: Dialect;
  /** Where a stand-in of the upstream listens that behaves as the real one does when all is well, such as an emulator. */
  readonly baseUrl: string;
  /**
   * An account of the stand-in. Its secret must hold `+`, `&`, `%`, `"` and a letter beyond ASCII, and at least 16
   * characters: then a wrong encoding shows, and so does a secret in an error.
   */
  readonly good: Credentials;
  /**
   * The scopes that account holds. @default not looked at
   */
  readonly scopes?: readonly string[];
  /**
   * Logins that grant a token with an expiry that makes no sense, by a name for each: one in the past, one that is no
   * number, one in the wrong unit. Empty only where the upstream never says when a token ends.
   */
  readonly nonsense: Readonly<Record<string, CannedAnswer>>;
  /** A call that the stand-in answers with data when the token is good. */
  readonly call: StagedCall;
  /** A call that the stand-in turns down for a reason that is not the token. */
  readonly failingCall: StagedCall;
  /** Ends every access token that the stand-in has given out. */
  revokeTokens(): unknown;
  /** Ends the stand-in. */
  stop(): unknown;
}

/** One case of the contract, on its stage. */
export type Play = (rig: Rig) => Promise<void>;

/** What every API call of the contract is named: nobody keeps records of them. */
export const CALL_UUID = '00000000-0000-4000-8000-000000000000';

/** Longest answer that is read in the contract. */
export const MOST_BYTES = 65_536;

/** Sets the stage, plays the case and clears up. */
export async function playing(setup: () => DialectStage | Promise<DialectStage>, play: Play): Promise<void> {
  const stage = await setup();
  const server = new CannedServer();
  try {
    await server.start();
    await play(new Rig(stage, server));
  } finally {
    await server.stop();
    await stage.stop();
  }
}

/** What the cases play with: the stage, a server that answers anything, and an eye on secrets. */
export class Rig {
  readonly dialect: Dialect;
  readonly good: Credentials;
  readonly bad: Credentials;
  /** The stand-in. */
  readonly live: Upstream;
  readonly #secrets: string[];

  constructor(
    readonly stage: DialectStage,
    readonly server: CannedServer,
  ) {
    this.dialect = stage.dialect;
    this.good = stage.good;
    this.bad = { username: stage.good.username, secretKey: `${stage.good.secretKey} but wrong` };
    this.live = upstreamAt(stage.baseUrl);
    this.#secrets = [this.good.secretKey, this.bad.secretKey];
  }

  /** An upstream that answers everything alike. */
  answering(answer: CannedAnswer | ((request: CannedRequest) => CannedAnswer)): Upstream {
    this.server.answer = typeof answer === 'function' ? answer : () => answer;
    return upstreamAt(this.server.url);
  }

  /** Logs in at the stand-in; what it grants is a secret from here on. */
  async grant(credentials: Credentials = this.good): Promise<Grant> {
    const grant = await this.dialect.authenticate(credentials, this.live, 'own token');
    this.keepSecret(grant.accessToken.value, grant.refreshToken?.reveal());
    return grant;
  }

  /** From here on these must not show in an error. */
  keepSecret(...secrets: readonly (string | undefined)[]): void {
    this.#secrets.push(...secrets.filter((secret) => secret !== undefined));
  }

  /** The failure that this ends in: one of ours, with no secret in it. */
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

/** The real client: answers of any status, no redirects, a limit on the length. */
export function upstreamAt(baseUrl: string): Upstream {
  const axios = createAxios({ timeoutMs: 5_000, maxResponseBytes: MOST_BYTES });
  const client = new UpstreamClient(axios, baseUrl, systemClock);
  return { send: (request) => client.send(request) };
}
