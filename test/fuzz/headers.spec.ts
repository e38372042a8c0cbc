import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { anyText } from '../support/any-text.js';
import { AccessToken, type IncomingRequest } from 'nestjs-xpay-auth';
import {
  CallerReader,
  parseAuthorization,
  parseBasic,
  parseBearer,
  schemeOf,
  soleAuthorizationOf,
  stripCredentials,
} from '../../libs/xpay-auth/src/nest/request/caller-reader.js';
import { flawOf } from '../../libs/xpay-auth/src/core/credentials.js';
import { addressOf, networkOf } from '../../libs/xpay-auth/src/rate-limit/client-address.js';
import { holds } from '../support/property.js';
import { outcomeOf } from './outcome.js';

const base64 = fc.oneof(
  fc.tuple(anyText(), anyText()).map((fields) => encoded(fields.join(':'))),
  fc.uint8Array({ maxLength: 60 }).map((bytes) => Buffer.from(bytes).toString('base64')),
  fc.base64String({ maxLength: 60 }),
  fc.string({ maxLength: 60 }),
);
/** One character added, removed or moved. */
const spoilt = fc
  .tuple(base64, fc.nat(60), fc.constantFrom('', '=', ' ', ':', '-', '_', '\t', '\u0000', 'é'))
  .map(([text, at, odd]) => text.slice(0, at) + odd + text.slice(at + 1));
const scheme = fc.oneof(
  fc.constantFrom(
    'Basic',
    'basic',
    'BASIC',
    'Bearer',
    'bearer',
    'Digest',
    'Basic:',
    'Bäsic',
    '',
    ' Basic',
    'x'.repeat(20_000),
  ),
  fc.string({ maxLength: 12 }),
);
const authorization = fc
  .tuple(
    scheme,
    fc.constantFrom(' ', '  ', '\t', '', ' , '),
    fc.oneof(base64, spoilt),
    fc.constantFrom('', ' ', '\r\n'),
  )
  .map((parts) => parts.join(''));

describe('any Authorization header', () => {
  it('I8 · is parsed, or is invalid_request', () => {
    holds(
      fc.property(authorization, (header) => {
        const outcome = outcomeOf(() => parseAuthorization(header));
        if ('code' in outcome) return expect(outcome.code).toBe('invalid_request');
        expect(outcome.value.scheme).toMatch(/^[!#$%&'*+\-.^_`|~0-9a-z]+$/);
        // Node has removed spaces and tabs around the value. What remains belongs to the credentials.
        expect(header.endsWith(outcome.value.rest)).toBe(true);
        expect(outcome.value.rest).not.toMatch(/^ /);
      }),
    );
  });

  it('I8 · as Basic is one pair of credentials with one spelling, or invalid_request', () => {
    holds(
      fc.property(fc.oneof(base64, spoilt), (rest) => {
        const outcome = outcomeOf(() => parseBasic(rest));
        if ('code' in outcome) return expect(outcome.code).toBe('invalid_request');
        const { username, secretKey } = outcome.value;
        expect(username).not.toContain(':');
        expect(encoded(`${username}:${secretKey}`)).toBe(rest);
        expect([undefined, 'too_long', 'ill_formed', 'control', 'empty']).toContain(flawOf(outcome.value));
      }),
    );
  });

  it('I8 · as Bearer is one b64token, or invalid_request', () => {
    holds(
      fc.property(fc.oneof(base64, spoilt, fc.string()), (rest) => {
        const outcome = outcomeOf(() => parseBearer(rest));
        if ('code' in outcome) expect(outcome.code).toBe('invalid_request');
        else expect(rest).toMatch(/^[\w.~+/-]+=*$/);
      }),
    );
  });
});

/** A request as Node and the platforms create one from bytes: several lines, the first of them in `headers`. */
const request: fc.Arbitrary<IncomingRequest> = fc
  .record({
    lines: fc.array(
      fc.tuple(fc.constantFrom('Authorization', 'AUTHORIZATION', 'authorization', 'Accept'), authorization),
      {
        maxLength: 3,
      },
    ),
    forwarded: fc.option(fc.oneof(fc.ipV4(), fc.ipV6(), fc.string()), { nil: undefined }),
    peer: fc.option(fc.oneof(fc.ipV4(), fc.ipV6(), fc.string()), { nil: undefined }),
    localAddress: fc.option(fc.ipV4(), { nil: undefined }),
    destroyed: fc.boolean(),
    onRaw: fc.boolean(),
    ip: fc.option(fc.oneof(fc.ipV4(), fc.string()), { nil: undefined }),
  })
  .map(({ lines, forwarded, peer, localAddress, destroyed, onRaw, ip }) => {
    const rawHeaders = lines.flat();
    const first = lines.find(([name]) => name.toLowerCase() === 'authorization')?.[1];
    const headers = { ...(first !== undefined && { authorization: first }), 'x-forwarded-for': forwarded };
    const socket = { remoteAddress: peer, localAddress, destroyed };
    return {
      headers,
      socket,
      ...(ip !== undefined && { ip }),
      ...(onRaw ? { raw: { rawHeaders, headers } } : { rawHeaders }),
    };
  });

describe('a request with any header lines', () => {
  it.each([[['basic', 'bearer']], [['bearer']], [['basic']]] as const)(
    'I9 · presents one set of credentials to %j, or fails',
    (schemes) => {
      const reader = new CallerReader(schemes);
      holds(
        fc.property(request, (incoming) => {
          const several = lines(incoming) > 1;
          const outcome = outcomeOf(() => reader.read(incoming));
          if (several) expect(outcome).toMatchObject({ code: 'invalid_request' });
          else if ('code' in outcome) {
            expect(['missing_credentials', 'invalid_request', 'invalid_credentials']).toContain(outcome.code);
          } else expect(lines(incoming)).toBe(1);
          expect(soleAuthorizationOf(incoming) === undefined).toBe(several || lines(incoming) === 0);
          expect(schemeOf(incoming).length).toBeLessThanOrEqual(33);
        }),
      );
    },
  );

  it('I5 D2 · has an address to count by or an untrusted proxy, and a network that is no longer than the address', () => {
    holds(
      fc.property(request, fc.oneof(fc.ipV4(), fc.ipV6(), fc.string()), (incoming, address) => {
        const { address: counted, untrustedProxy } = addressOf(incoming);
        expect(counted === undefined).toBe(untrustedProxy);
        expect(networkOf(networkOf(address)).length).toBeLessThanOrEqual(Math.max(address.length, 25));
      }),
    );
  });

  it('I9 · holds no credentials once they are stripped', () => {
    holds(
      fc.property(request, (incoming) => {
        fc.pre(lines(incoming) <= 1);
        stripCredentials(incoming);
        expect(soleAuthorizationOf(incoming)).toBeUndefined();
        expect(lines(incoming)).toBe(0);
      }),
    );
  });
});

describe('an access token with any content', () => {
  it('O17 · does not print', () => {
    holds(
      fc.property(fc.string({ minLength: 20 }), (value) =>
        expect(String(new AccessToken(value))).toBe('[access token]'),
      ),
    );
  });
});

function lines({ raw, rawHeaders }: IncomingRequest): number {
  const all = raw?.rawHeaders ?? rawHeaders ?? [];
  return all.filter((name, at) => at % 2 === 0 && name.toLowerCase() === 'authorization').length;
}

function encoded(text: string): string {
  return Buffer.from(text).toString('base64');
}
