// MSAL, without its discovery of an authority: all metadata is in this file. MSAL only requests tokens from the endpoint.
import { ConfidentialClientApplication } from '@azure/msal-node';

const HOST = 'login.microsoftonline.com';
const TENANT = '00000000-0000-4000-8000-000000000000';
const authority = `https://${HOST}/${TENANT}`;

export function createTokens({ endpoint, request }) {
  const networkClient = {
    sendGetRequestAsync: () => Promise.reject(new Error('discovery is not needed')),
    async sendPostRequestAsync() {
      return { headers: {}, status: 200, body: { ...(await request(endpoint)), ext_expires_in: 3_600 } };
    },
  };
  const client = new ConfidentialClientApplication({
    auth: {
      clientId: TENANT,
      clientSecret: 'bench-secret',
      authority,
      cloudDiscoveryMetadata: JSON.stringify({
        tenant_discovery_endpoint: `${authority}/v2.0/.well-known/openid-configuration`,
        metadata: [{ preferred_network: HOST, preferred_cache: HOST, aliases: [HOST] }],
      }),
      authorityMetadata: JSON.stringify({
        issuer: `${authority}/v2.0`,
        authorization_endpoint: `${authority}/oauth2/v2.0/authorize`,
        token_endpoint: `${authority}/oauth2/v2.0/token`,
        end_session_endpoint: `${authority}/oauth2/v2.0/logout`,
        jwks_uri: `${authority}/discovery/v2.0/keys`,
      }),
    },
    system: { networkClient },
  });
  const scopes = ['https://bench.example.test/.default'];
  return { get: () => client.acquireTokenByClientCredential({ scopes }) };
}
