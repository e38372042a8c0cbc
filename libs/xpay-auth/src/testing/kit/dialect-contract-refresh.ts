import assert from 'node:assert/strict';
import { Secret } from '../../core/secret.js';
import { isToken } from '../../http/answer.js';
import type { Play } from './dialect-contract-stage.js';

/** The requirements on a refresh. They pass for a dialect without one. */
export const refreshCases: Readonly<Record<string, Play>> = {
  'if it can refresh, renews a grant without the secret': async (rig) => {
    if (rig.dialect.refresh === undefined) return;
    const { refreshToken } = await rig.grant();
    assert.ok(refreshToken !== undefined, 'a dialect with `refresh` must bring a refresh token with its grants');
    const renewed = await rig.dialect.refresh(refreshToken, rig.live);
    rig.keepSecret(renewed.accessToken.value, renewed.refreshToken?.reveal());
    assert.ok(isToken(renewed.accessToken.value));
    rig.assertNothingSpilled(renewed, 'the renewed grant');
  },

  'if it can refresh, goes on with what a refresh brings, or with the old refresh token': async (rig) => {
    if (rig.dialect.refresh === undefined) return;
    let { refreshToken } = await rig.grant();
    for (let i = 0; i < 3; i++) {
      assert.ok(refreshToken !== undefined);
      const renewed = await rig.dialect.refresh(refreshToken, rig.live);
      refreshToken = renewed.refreshToken ?? refreshToken;
    }
  },

  'if it can refresh, calls a refused refresh token invalid_token, so that a login is next': async (rig) => {
    if (rig.dialect.refresh === undefined) return;
    const refused = new Secret('a-refresh-token-that-nobody-gave-out');
    rig.keepSecret(refused.reveal());
    const failure = await rig.failureOf(() => rig.dialect.refresh?.(refused, rig.live), 'an unknown refresh token');
    assert.equal(failure.code, 'invalid_token');
  },
};
