import assert from 'node:assert/strict';
import { systemClock } from '../../async/system-clock.js';
import { lifeFromNow } from '../../core/lifetime.js';
import type { Grant, Purpose } from '../../core/ports.js';
import { Secret } from '../../core/credentials.js';
import { isName, isToken } from '../../core/decoders.js';
import type { Play } from './dialect-contract-stage.js';

const PURPOSES: readonly Purpose[] = ['own token', 'verification', 'login'];
const CENTURY_MS = 100 * 365.25 * 86_400_000;

/** The requirements on a login. */
export const loginCases: Readonly<Record<string, Play>> = {
  'has a name for keys and logs, and no default base URL except with https': async ({ dialect }) => {
    assert.match(dialect.name, /^[a-z][a-z0-9-]*$/);
    if (dialect.defaultBaseUrl !== undefined) assert.match(dialect.defaultBaseUrl, /^https:\/\//);
  },

  'grants a token for valid credentials, for every purpose': async ({ dialect, good, live, stage }) => {
    for (const purpose of PURPOSES) {
      const grant = await dialect.authenticate(good, live, purpose);
      assertReadable(grant);
      if (stage.scopes !== undefined && purpose !== 'own token') assert.deepEqual(grant.scopes, stage.scopes);
    }
  },

  'sends every character of a secret unchanged': async (rig) => {
    const { good } = rig;
    const characters = ['+', '&', '%', '"'].filter((character) => !good.secretKey.includes(character));
    assert.deepEqual(characters, [], 'the stage: put these characters into the secret of `good`');
    assert.match(good.secretKey, /\P{ASCII}/u, 'the stage: put a letter beyond ASCII into the secret of `good`');
    assert.ok(good.secretKey.length >= 16, 'the stage: make the secret of `good` 16 characters or longer');
    await rig.grant();
  },

  'rejects a wrong secret and an unknown user with invalid_credentials': async (rig) => {
    const nobody = { username: 'nobody-at-all@example.test', secretKey: rig.bad.secretKey };
    for (const [who, credentials] of Object.entries({ 'a wrong secret': rig.bad, 'an unknown user': nobody })) {
      const failure = await rig.failureOf(() => rig.dialect.authenticate(credentials, rig.live, 'verification'), who);
      assert.equal(failure.code, 'invalid_credentials', who);
    }
  },

  'keeps no state between logins: twenty concurrent ones do not mix': async ({ dialect, good, bad, live }) => {
    const presented = Array.from({ length: 20 }, (_, i) => (i % 2 === 0 ? good : bad));
    const logins = presented.map((credentials) => dialect.authenticate(credentials, live, 'verification'));
    const outcomes = (await Promise.allSettled(logins)).map(({ status }) => status);
    const expected = presented.map((credentials) => (credentials === good ? 'fulfilled' : 'rejected'));
    assert.deepEqual(outcomes, expected);
  },

  'does not print the secrets of a grant': async (rig) => {
    rig.assertNothingSpilled(await rig.grant(), 'the grant');
  },

  'accepts no invalid expiry as a long lifetime': async (rig) => {
    for (const [what, answer] of Object.entries(rig.stage.nonsense)) {
      let lifeMs: number | undefined;
      try {
        lifeMs = lifeOf(await rig.dialect.authenticate(rig.good, rig.answering(answer), 'verification'));
      } catch (thrown) {
        const failure = await rig.failureOf(() => Promise.reject(thrown), what);
        assert.equal(failure.code, 'upstream_malformed', what);
      }
      // A grant without an expiry gets the fallback lifetime.
      assert.equal(lifeMs, undefined, `${what}: expected upstream_malformed or no expiry at all`);
    }
  },

  'declares an access token that contains a refresh token': async (rig) => {
    const { accessToken, refreshToken } = await rig.grant();
    if (refreshToken === undefined) return;
    const parts = accessToken.value.split('.').map((part) => Buffer.from(part, 'base64url').toString('utf8'));
    const inside = [accessToken.value, ...parts].some((part) => part.includes(refreshToken.reveal()));
    assert.ok(!inside || rig.dialect.accessTokenIsLongLivedSecret === true, 'set accessTokenIsLongLivedSecret: true');
  },
};

/** The requirements on a refresh. They pass for a dialect without one. */
export const refreshCases: Readonly<Record<string, Play>> = {
  'with refresh: renews a grant without the secret': async (rig) => {
    if (rig.dialect.refresh === undefined) return;
    const { refreshToken } = await rig.grant();
    assert.ok(refreshToken !== undefined, 'the grants of a dialect with `refresh` must contain a refresh token');
    const renewed = await rig.dialect.refresh(refreshToken, rig.live);
    rig.keepSecret(renewed.accessToken.value, renewed.refreshToken?.reveal());
    assert.ok(isToken(renewed.accessToken.value));
    rig.assertNothingSpilled(renewed, 'the renewed grant');
  },

  'with refresh: refreshes again with the new refresh token, or with the old one': async (rig) => {
    if (rig.dialect.refresh === undefined) return;
    let { refreshToken } = await rig.grant();
    for (let i = 0; i < 3; i++) {
      assert.ok(refreshToken !== undefined);
      const renewed = await rig.dialect.refresh(refreshToken, rig.live);
      refreshToken = renewed.refreshToken ?? refreshToken;
    }
  },

  'with refresh: throws invalid_token for a rejected refresh token, so that a login follows': async (rig) => {
    if (rig.dialect.refresh === undefined) return;
    const refused = new Secret('a-refresh-token-that-nobody-gave-out');
    rig.keepSecret(refused.reveal());
    const failure = await rig.failureOf(() => rig.dialect.refresh?.(refused, rig.live), 'an unknown refresh token');
    assert.equal(failure.code, 'invalid_token');
  },
};

/** Fails unless the grant is complete and well-formed. */
function assertReadable(grant: Grant): void {
  assert.ok(isToken(grant.accessToken.value), 'accessToken: expected visible ASCII without a space');
  assert.ok(isName(grant.username), 'username: expected a text without control characters');
  assert.ok(Array.isArray(grant.scopes) && grant.scopes.every((scope) => typeof scope === 'string'), 'scopes: strings');
  assert.equal(typeof grant.isAPI, 'boolean', 'isAPI');
  const lifeMs = lifeOf(grant);
  assert.ok(lifeMs === undefined || (lifeMs > 0 && lifeMs <= CENTURY_MS), `its lifetime is ${lifeMs} ms`);
}

function lifeOf({ accessToken, lifeMs, upstreamNow }: Grant): number | undefined {
  return lifeFromNow({ expiresAt: accessToken.expiresAt, lifeMs, upstreamNow }, systemClock.now());
}
