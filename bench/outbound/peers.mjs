// Gives the cached token of every library the same interface: `create(endpoint, how)` returns `{ get, peek? }`. Libraries that
// leave the request to the user share one function with `fetch`.
import { createRequire } from 'node:module';
import { pathToFileURL } from 'node:url';

const require = createRequire(import.meta.url);

async function request(endpoint) {
  const answer = await fetch(`${endpoint}/token`, { method: 'POST', body: 'grant_type=client_credentials' });
  return answer.json();
}

/** Only this library has `peek`, which returns a valid token without a promise. */
export const PEERS = {
  clock: {
    name: 'a function that only compares a clock',
    paceOnly: true,
    async create() {
      const token = Promise.resolve({ value: 'token' });
      const expiresAt = Date.now() + 3_600_000;
      return { get: () => (Date.now() < expiresAt ? token : Promise.reject(new Error('expired'))) };
    },
  },
  ours: {
    name: '**ours**: `getToken()`',
    create: async (endpoint, how) => (await import('./ours.mjs')).createTokens({ endpoint, ...how }),
  },
  'ours-redis': {
    name: '**ours**, several instances on one Redis',
    stampedeOnly: true,
    create: async (endpoint, how) =>
      (await import('./ours.mjs')).createTokens({ endpoint, redis: process.env.BENCH_REDIS, ...how }),
  },
  azure: {
    name: '@azure/core-rest-pipeline',
    package: '@azure/core-rest-pipeline',
    async create(endpoint) {
      // createTokenCycler is used by bearerTokenAuthenticationPolicy, but the package does not export it.
      const index = require.resolve('@azure/core-rest-pipeline');
      const { createTokenCycler } = await import(pathToFileURL(index.replace(/index\.js$/, 'util/tokenCycler.js')));
      const getToken = async () => {
        const { access_token: token, expires_in: life } = await request(endpoint);
        return { token, expiresOnTimestamp: Date.now() + life * 1_000 };
      };
      const cycle = createTokenCycler({ getToken });
      const options = {};
      return { get: () => cycle(['scope'], options) };
    },
  },
  smithy: {
    name: '@smithy/core',
    package: '@smithy/core',
    async create(endpoint) {
      const { doesIdentityRequireRefresh, isIdentityExpired, memoizeIdentityProvider } = require('@smithy/core');
      const provider = async () => {
        const { access_token: token, expires_in: life } = await request(endpoint);
        return { token, expiration: new Date(Date.now() + life * 1_000) };
      };
      return { get: memoizeIdentityProvider(provider, isIdentityExpired, doesIdentityRequireRefresh) };
    },
  },
  google: {
    name: 'google-auth-library, `refreshHandler`',
    package: 'google-auth-library',
    async create(endpoint) {
      const { OAuth2Client } = require('google-auth-library');
      const client = new OAuth2Client();
      client.refreshHandler = async () => {
        const { access_token, expires_in: life } = await request(endpoint);
        return { access_token, expiry_date: Date.now() + life * 1_000 };
      };
      return { get: () => client.getAccessToken() };
    },
  },
  simple: {
    name: 'simple-oauth2, as in its readme',
    package: 'simple-oauth2',
    async create(endpoint) {
      const { ClientCredentials } = require('simple-oauth2');
      const client = new ClientCredentials({
        client: { id: 'bench', secret: 'bench-secret' },
        auth: { tokenHost: endpoint, tokenPath: '/token' },
      });
      let held;
      return {
        async get() {
          if (held === undefined || held.expired()) held = await client.getToken({});
          return held;
        },
      };
    },
  },
  badgateway: {
    name: '@badgateway/oauth2-client',
    package: '@badgateway/oauth2-client',
    async create(endpoint) {
      const { OAuth2Client, OAuth2Fetch } = await import('@badgateway/oauth2-client');
      const client = new OAuth2Client({
        server: endpoint,
        clientId: 'bench',
        clientSecret: 'bench-secret',
        tokenEndpoint: '/token',
      });
      const wrapper = new OAuth2Fetch({
        client,
        scheduleRefresh: false,
        getNewToken: () => client.clientCredentials(),
      });
      return { get: () => wrapper.getToken() };
    },
  },
  msal: {
    name: '@azure/msal-node',
    package: '@azure/msal-node',
    create: async (endpoint) => (await import('./msal.mjs')).createTokens({ endpoint, request }),
  },
};
