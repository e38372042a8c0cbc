import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { anyText } from '../support/any-text.js';
import { randomBytes } from 'node:crypto';
import { AccessToken, Principal, XPayAuthError } from 'nestjs-xpay-auth';
import { ManualClock, MemoryStore } from 'nestjs-xpay-auth/testing';
import { FAILURES } from '../../libs/xpay-auth/src/core/errors.js';
import type { EntryKind } from '../../libs/xpay-auth/src/core/store.js';
import { RevocationLog } from '../../libs/xpay-auth/src/cluster/revocation-log.js';
import { SharedCredentials } from '../../libs/xpay-auth/src/cluster/shared-credentials.js';
import { SharedSessions } from '../../libs/xpay-auth/src/cluster/shared-sessions.js';
import { decodeToken } from '../../libs/xpay-auth/src/cluster/stored-token.js';
import type { CachedToken } from '../../libs/xpay-auth/src/token/cached-token.js';
import { readPrincipal } from '../../libs/xpay-auth/src/cluster/stored-principal.js';
import { Codec, type Place } from '../../libs/xpay-auth/src/stores/codec.js';
import { type EncryptionKeys, keyRing } from '../../libs/xpay-auth/src/stores/key-ring.js';
import { holds, holdsInTime } from '../support/property.js';
import { testTokenSource } from '../support/token-source.js';
import { nearlyJson, oddValue } from './nearly-json.js';
import { outcomeOf } from './outcome.js';

const kind = fc.constantFrom<EntryKind>(
  'token',
  'pause',
  'session',
  'seen',
  'caller',
  'welcome',
  'notice',
  'revocation',
);
const place: fc.Arbitrary<Place> = fc.record({ kind, name: fc.string(), generation: fc.nat() });

describe('a sealed value', () => {
  const codec = new Codec(keyRing([{ id: 'k1', key: randomBytes(32) }]), 'a realm');

  it('C4 B15 · decrypts under its own name and no other, and not with one letter changed', () => {
    holds(
      fc.property(place, place, anyText(), fc.nat(), fc.string(), (put, elsewhere, value, at, odd) => {
        const sealed = codec.seal(put, value);
        expect(codec.open(put, sealed)).toBe(value.toWellFormed());
        const same = ['kind', 'name', 'generation'].every((part) => put[part as 'name'] === elsewhere[part as 'name']);
        if (!same) expect(codec.open(elsewhere, sealed)).toBeUndefined();
        const cut = at % (sealed.length + 1);
        const changed = sealed.slice(0, cut) + odd + sealed.slice(cut + odd.length);
        const opened = codec.open(put, changed);
        // The last letter of base64url may have unused bits.
        if (opened !== undefined) expect(opened).toBe(value.toWellFormed());
      }),
    );
  });

  it('C4 · without valid encryption is no value', () => {
    const nearly = fc.tuple(
      fc.constantFrom('v1', 'v2', ''),
      fc.constantFrom('k1', 'k2', '__proto__'),
      fc.base64String(),
    );
    holds(
      fc.property(
        place,
        fc.oneof(
          nearly.map((parts) => parts.join('.')),
          anyText(),
        ),
        (where, text) => {
          expect(codec.open(where, text)).toBeUndefined();
        },
      ),
    );
  });
});

describe('encryption keys in any form', () => {
  it('C4 · give a key ring, or a configuration error without any key in it', () => {
    const key = randomBytes(32).toString('base64');
    const texts = fc.array(
      fc.oneof(fc.constantFrom(`k1:${key}`, `index:${key}`, key, `k 1:${key}`, 'k1:', ':', ''), fc.string()),
    );
    const lists = fc.array(
      fc.record({ id: fc.oneof(fc.string(), oddValue), key: fc.oneof(fc.constant(key), oddValue) }),
    );
    holds(
      fc.property(
        fc.oneof(
          texts.map((all) => all.join(',')),
          lists,
        ),
        (keys) => {
          const outcome = outcomeOf(() => keyRing(keys as EncryptionKeys));
          if (!('code' in outcome)) return;
          expect(outcome.code).toBe('configuration');
          expect(outcome.failure.message).not.toContain(key.slice(0, 10));
        },
      ),
    );
  });
});

/** A store whose entries of these kinds hold this text, as if another version of the library had encrypted it. */
class StoreWith extends MemoryStore {
  constructor(
    clock: ManualClock,
    private readonly kinds: readonly EntryKind[],
    private readonly value: string,
  ) {
    super(clock);
  }

  override read(name: Parameters<MemoryStore['read']>[0]): ReturnType<MemoryStore['read']> {
    if (!this.kinds.includes(name.kind)) return super.read(name);
    return Promise.resolve({ value: this.value, generation: 7, remainingMs: 200_000 });
  }
}

const nobody = (): void => undefined;
const mark = { epoch: 'an epoch', position: 0 };
const writtenToken = {
  value: 'a-token',
  expiresAt: 1,
  tokenScopes: [],
  username: 'app',
  scopes: [],
  isAPI: true,
  lifeMs: 3_600_000,
};
const writtenPause = { code: 'upstream_unavailable', message: 'down', pauseMs: 200_000, refusals: 0, asked: false };
const writtenPrincipal = { username: 'ada', scopes: ['tme_user'], isAPI: true, expiresAt: 1e15, mark };
const written = nearlyJson(
  fc.constantFrom<unknown>(
    writtenToken,
    writtenPause,
    { ...writtenPrincipal, periodMs: 60_000, vouchedMs: 60_000 },
    { ...writtenPrincipal, token: { value: 'a-token', expiresAt: 1, scopes: [] } },
  ),
);

describe('a decrypted value with any content', () => {
  it.each(['lifeMs', 'expiresAt'])('C1 · is not a token if its %s is infinite', (field) => {
    const text = JSON.stringify({ ...writtenToken, [field]: 0 });
    expect(decodeToken(text.replace(`"${field}":0`, `"${field}":1e999`))).toBeUndefined();
  });

  it('D13 · null is absent in the optional fields of a token, a caller and a session', async () => {
    expect(decodeToken(JSON.stringify({ ...writtenToken, expiresAt: null }))?.accessToken.expiresAt).toBeUndefined();

    const clock = new ManualClock();
    const store = new MemoryStore(clock);
    const log = new RevocationLog({ store, clock, scope: 's', onUser: nobody, onEverybody: nobody });
    await log.fresh();
    const nulls = { expiresAt: null, periodMs: 60_000, vouchedMs: null, token: null, mark: log.position() };
    const value = JSON.stringify({ ...writtenPrincipal, ...nulls });
    const { callers, sessions } = sharedBy(new StoreWith(clock, ['session', 'caller'], value), log, clock);
    const principal = expect.objectContaining({ username: 'ada', expiresAt: undefined });
    expect(await callers.recall(presented)).toMatchObject({ principal, endsAt: Infinity });
    expect(await sessions.read('a token')).toMatchObject({ principal, upstreamToken: undefined });
    await log.stop();
  });

  it('I10 · is not a principal if its revocation position is infinite', () => {
    expect(readPrincipal({ ...writtenPrincipal, mark }, 'default', Symbol('an instance'))).toBeDefined();
    expect(
      readPrincipal({ ...writtenPrincipal, mark: { ...mark, position: Infinity } }, 'default', Symbol('an instance')),
    ).toBeUndefined();
  });

  it.each<[EntryKind]>([['token'], ['pause']])('C1 · as a %s returns a token, or a documented code', async (which) => {
    await holdsInTime(
      fc.asyncProperty(written, async (value) => {
        const clock = new ManualClock();
        const store = new StoreWith(clock, [which], value);
        const source = tokenSource(store, clock);
        const outcome = await source.get().catch((failure: unknown) => failure);
        source.stop();
        if (outcome instanceof AccessToken) return expect(outcome.value).not.toBe('');
        expect(outcome).toBeInstanceOf(XPayAuthError);
        expect(Object.keys(FAILURES)).toContain((outcome as XPayAuthError).code);
        // A stored backoff that is valid may be applied. An invalid one must be ignored, because the upstream would
        // have granted.
        const { code } = (JSON.parse(value) ?? {}) as { code?: unknown };
        expect([which, typeof code]).toEqual(['pause', 'string']);
      }),
    );
  });

  it('I10 · as a session or a caller is a valid principal, or none', async () => {
    await holdsInTime(
      fc.asyncProperty(written, async (value) => {
        const clock = new ManualClock();
        const store = new StoreWith(clock, ['session', 'caller'], value);
        const log = new RevocationLog({ store, clock, scope: 's', onUser: nobody, onEverybody: nobody });
        const { callers, sessions, issuer } = sharedBy(store, log, clock);
        for (const found of [await sessions.read('a token'), await callers.recall(presented)]) {
          if (found !== undefined) expect(Principal.isIssuedBy(issuer, found.principal)).toBe(true);
        }
        await log.stop();
      }),
    );
  });
});

const presented = { by: { scheme: 'Basic' }, credentials: { username: 'ada', secretKey: 'k' }, key: 'a key' };

/** Sessions and callers as an instance reads them from a store. */
function sharedBy(store: MemoryStore, log: RevocationLog, clock: ManualClock) {
  const issuer = Symbol('test');
  const shared = { store, log, clock, instance: 'default', issuer };
  const sessions = new SharedSessions({
    ...shared,
    scope: ['s'],
    periodMs: 1,
    idleMs: undefined,
    maxPerUser: 100,
    bearersMayRepeat: false,
  });
  const upstream = { dialect: 'xpay', baseUrl: 'https://upstream.example.test' };
  return { callers: new SharedCredentials({ ...shared, ...upstream }), sessions, issuer };
}

function tokenSource(store: MemoryStore, clock: ManualClock): CachedToken {
  const accessToken = new AccessToken('granted', { expiresAt: clock.now() + 3_600_000 });
  return testTokenSource({
    clock,
    store,
    policy: { backoffMs: { min: 1_000, max: 1_000 } },
    credentials: () => Promise.resolve({ username: 'app', secretKey: 'key' }),
    authenticate: () => Promise.resolve({ accessToken, username: 'app', scopes: [], isAPI: true }),
    random: Math.random,
  });
}
