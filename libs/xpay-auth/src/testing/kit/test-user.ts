import { randomUUID } from 'node:crypto';
import { type Credentials, flawOf } from '../../core/credentials.js';
import { XPayAuthError } from '../../core/errors.js';
import type { Scope } from '../../core/scopes.js';

/** Somebody who calls your app in a test. */
export interface TestUser {
  /** What `principal.username` will be. Without a colon, which Basic credentials cannot carry in a user name. */
  readonly username: string;
  /**
   * What the upstream says they may do; `scopeHierarchy` of your app adds to it. @default none
   */
  readonly scopes?: readonly Scope[];
  /**
   * What `principal.isAPI` will be. @default false
   */
  readonly isAPI?: boolean;
  /**
   * Ms since the epoch at which the upstream stops vouching for them. @default it does not say
   */
  readonly expiresAt?: number;
  /**
   * The one named instance that knows them. @default every instance of the app does
   */
  readonly instance?: string;
}

/** Headers of a request, as {@link asUser} makes them. */
export type TestUserHeaders = {
  /** Basic credentials (RFC 7617). */
  readonly authorization: string;
};

/** Who was promised what, by the key that only this process knows. */
const users = new Map<string, TestUser>();

/**
 * Headers of a request by this user, for an app that imports `XPayAuthTestingModule`:
 *
 * ```ts
 * await request(app.getHttpServer()).get('/me').set(asUser({ username: 'ada', scopes: ['tme_user'] })); // supertest
 * await app.inject({ url: '/me', headers: asUser({ username: 'ada' }) }); // Fastify
 * ```
 *
 * They are Basic credentials with a random key that this process made up. To any other app, and to the same app without the
 * testing module, they are wrong credentials.
 *
 * @throws XPayAuthError `configuration` for a user name that Basic credentials cannot carry.
 */
export function asUser(user: TestUser): TestUserHeaders {
  const { username, secretKey } = testCredentials(user);
  if (username.includes(':')) throw unusable('holds a colon');
  return { authorization: `Basic ${Buffer.from(`${username}:${secretKey}`).toString('base64')}` };
}

/**
 * The same as credentials, for `XPaySessionService.login` or the body of your login route. Throws as {@link asUser} does,
 * but takes a colon.
 */
export function testCredentials(user: TestUser): Credentials {
  const credentials = { username: user.username, secretKey: randomUUID() };
  const flaw = flawOf(credentials);
  if (flaw !== undefined) throw unusable(`is ${flaw === 'control' ? 'one with control characters' : flaw}`);
  users.set(credentials.secretKey, { ...user, scopes: [...(user.scopes ?? [])] });
  return credentials;
}

/** Whose credentials these are; `undefined` for those that {@link testCredentials} did not make. */
export function userOf({ username, secretKey }: Credentials): TestUser | undefined {
  const user = users.get(secretKey);
  return user?.username === username ? user : undefined;
}

function unusable(why: string): XPayAuthError {
  return new XPayAuthError('configuration', `asUser: the user name ${why}; no caller could present it.`);
}
