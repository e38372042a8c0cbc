import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { anyText } from '../support/any-text.js';
import type { XPayAuthFactoryOptions } from 'nestjs-xpay-auth';
import { ENVIRONMENT } from '../../libs/xpay-auth/src/nest/options/environment.js';
import { resolveOptions } from '../../libs/xpay-auth/src/nest/options/resolve-options.js';
import { holds } from '../support/property.js';
import { oddValue } from './nearly-json.js';
import { outcomeOf } from './outcome.js';

const SECRET = 'secret-that-must-not-show-16180';

const value = fc.oneof(
  fc.constantFrom('', ' ', '0', '-1', '60000', '6e4', '0x10', '9'.repeat(400), 'xpay', 'XPAY', 'gift-stream', 'null'),
  fc.constantFrom('https://apis.example.test', 'http://localhost:3000', 'https://', '//host', 'a,b', ',', ' a , b '),
  fc.webUrl({ withQueryParameters: true, withFragments: true }),
  anyText(),
);
/** Values that users put into variables for secrets, and secrets in the address, where none belongs. */
const secrets: fc.Arbitrary<Record<string, string>> = fc.record(
  {
    XPAY_USERNAME: fc.oneof(value, fc.constantFrom(SECRET, `${SECRET}\n`)),
    XPAY_SECRET_KEY: fc.constantFrom(SECRET, `${SECRET}\u0000`, `${SECRET}\ud800`, SECRET.repeat(200)),
    XPAY_BASE_URL: fc.constantFrom(`https://ada:${SECRET}@host`, `https://host/?key=${SECRET}`, `ftp://${SECRET}@host`),
  },
  { requiredKeys: [] },
);

const variables = fc
  .tuple(fc.dictionary(fc.constantFrom(...Object.keys(ENVIRONMENT).map((name) => `XPAY_${name}`)), value), secrets)
  .map(([all, some]) => ({ ...all, ...some }));

describe('any environment', () => {
  it('O17 · gives complete options, or a configuration error without secrets', () => {
    holds(
      fc.property(variables, (environment) => {
        const outcome = outcomeOf(() => resolveOptions({}, {}, (name) => environment[name]));
        if ('code' in outcome) {
          expect(outcome.code).toBe('configuration');
          expect(outcome.failure.message).not.toContain(SECRET);
          return;
        }
        const { baseUrl, http } = outcome.value;
        const { protocol, hostname, search, hash, username } = new URL(baseUrl);
        expect([search, hash, username]).toEqual(['', '', '']);
        const excused = /^(localhost|127\.\d+\.\d+\.\d+|\[::1\])$/.test(hostname);
        const allowed = http.allowInsecureHosts.some((host) => host.toLowerCase() === hostname);
        expect(protocol === 'https:' || excused || allowed).toBe(true);
      }),
      3,
    );
  });
});

const NAMES = ['baseUrl', 'dialect', 'token', 'verification', 'session', 'attempts', 'http', 'scopeHierarchy', 'clock'];
const INNER = [
  'periodMs',
  'refreshAt',
  'maxEntries',
  'timeoutMs',
  'perUser',
  'extractors',
  'agent',
  'realm',
  '__proto__',
];

describe('any options', () => {
  it('O17 · are complete, or a configuration error without secrets', () => {
    const group = fc.dictionary(fc.constantFrom(...INNER, 'token'), oddValue);
    const options = fc.dictionary(fc.constantFrom(...NAMES, 'scopes'), fc.oneof(oddValue, group));
    holds(
      fc.property(options, oddValue, (given, odd) => {
        const credentials = { username: odd, secretKey: SECRET };
        const all = { ...given, credentials } as unknown as XPayAuthFactoryOptions;
        const outcome = outcomeOf(() => resolveOptions(all, {}, () => undefined));
        if (!('code' in outcome)) return;
        expect(outcome.code).toBe('configuration');
        expect(outcome.failure.message).not.toContain(SECRET);
      }),
      3,
    );
  });
});
