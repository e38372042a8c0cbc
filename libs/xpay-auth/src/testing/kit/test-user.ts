import { randomUUID } from 'node:crypto';
import { type Credentials, flawOf } from '../../core/credentials.js';
import { type XPayAuthError, configurationError } from '../../core/errors.js';
import type { Scope } from '../../core/principal.js';

/** A user who calls your app in a test. */
export interface TestUser {
  /** The user name, `principal.username`. Must not contain a colon, because a user name in Basic credentials cannot contain one. */
  readonly username: string;
  /**
   * The scopes from the upstream, before `scopeHierarchy` of your app. @default none
   */
  readonly scopes?: readonly Scope[];
  /**
   * `principal.isAPI`. @default false
   */
  readonly isAPI?: boolean;
  /**
   * Expiry in ms since the epoch. @default none
   */
  readonly expiresAt?: number;
  /**
   * The only named instance that accepts the user. @default every instance of the app
   */
  readonly instance?: string;
}

/** Request headers from {@link asUser}. */
export type TestUserHeaders = {
  /** Basic credentials (RFC 7617). */
  readonly authorization: string;
};

/** The test users, by their secret keys. */
const users = new Map<string, TestUser>();

/**
 * Returns the headers of a request by this user, for an app that imports `XPayAuthTestingModule`:
 *
 * ```ts
 * await request(app.getHttpServer()).get('/me').set(asUser({ username: 'ada', scopes: ['tme_user'] })); // supertest
 * await app.inject({ url: '/me', headers: asUser({ username: 'ada' }) }); // Fastify
 * ```
 *
 * The headers contain Basic credentials with a random key of this process. Any other app, and the same app without the testing
 * module, rejects the key.
 *
 * @throws XPayAuthError `configuration` for a user name that Basic credentials cannot contain.
 */
export function asUser(user: TestUser): TestUserHeaders {
  const { username, secretKey } = testCredentials(user);
  if (username.includes(':')) throw unusable('contains a colon');
  return { authorization: `Basic ${Buffer.from(`${username}:${secretKey}`).toString('base64')}` };
}

/**
 * Returns the same credentials as an object, for `XPaySessionService.login` or the body of your login route. Throws like {@link
 * asUser}, but accepts a colon.
 */
export function testCredentials(user: TestUser): Credentials {
  const credentials = { username: user.username, secretKey: randomUUID() };
  const flaw = flawOf(credentials);
  if (flaw !== undefined)
    throw unusable(`is ${flaw === 'control' ? 'one with control characters' : flaw.replace('_', ' ')}`);
  users.set(credentials.secretKey, { ...user, scopes: [...(user.scopes ?? [])] });
  return credentials;
}

/** Returns the user of these credentials, or `undefined` if {@link testCredentials} did not create them. */
export function userOf({ username, secretKey }: Credentials): TestUser | undefined {
  const user = users.get(secretKey);
  return user?.username === username ? user : undefined;
}

function unusable(why: string): XPayAuthError {
  return configurationError(`asUser: the user name ${why}; no caller could present it.`);
}
