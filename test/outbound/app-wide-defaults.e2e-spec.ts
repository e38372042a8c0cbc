import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import axios, { type AxiosRequestConfig } from 'axios';
import http from 'node:http';
import { APP, FIND, startOutbound } from './outbound.js';

const PLANTED = 'planted-by-the-app';

describe('defaults that an app sets for every axios and agent of its process', () => {
  const before = { ...axios.defaults };
  const globalAgent = http.globalAgent;
  let seen: string[];

  beforeEach(() => {
    seen = [];
    const see =
      (what: string) =>
      <T>(value: T): T => {
        seen.push(what);
        return value;
      };
    const refuse = (what: string) => (): never => {
      seen.push(what);
      throw new Error(what);
    };
    const everywhere = {
      adapter: refuse('adapter'),
      auth: { username: 'corp', password: PLANTED },
      baseURL: 'http://127.0.0.1:1/elsewhere',
      beforeRedirect: refuse('beforeRedirect'),
      data: PLANTED,
      decompress: false,
      headers: { ...axios.defaults.headers, common: { 'x-internal-key': PLANTED }, post: { 'x-post': PLANTED } },
      httpAgent: new SpyAgent(seen),
      httpsAgent: new SpyAgent(seen),
      lookup: refuse('lookup'),
      maxBodyLength: 1,
      maxContentLength: 1,
      maxRedirects: 5,
      params: { planted: PLANTED },
      paramsSerializer: { serialize: see('paramsSerializer').bind(undefined, PLANTED) },
      proxy: { host: '127.0.0.1', port: 1, protocol: 'http' },
      responseType: 'stream',
      socketPath: '/tmp/no-such.sock',
      timeout: 1,
      transformRequest: [see('transformRequest')],
      transformResponse: [see('transformResponse')],
      transport: { request: refuse('transport') },
      validateStatus: refuse('validateStatus'),
      withXSRFToken: true,
    } satisfies { [key in keyof AxiosRequestConfig]: unknown };
    Object.assign(axios.defaults, everywhere);
    axios.interceptors.request.use(see('request interceptor'));
    axios.interceptors.response.use(see('response interceptor'));
    http.globalAgent = new SpyAgent(seen);
  });

  afterEach(() => {
    for (const key of Reflect.ownKeys(axios.defaults)) Reflect.deleteProperty(axios.defaults, key);
    Object.assign(axios.defaults, before);
    axios.interceptors.request.clear();
    axios.interceptors.response.clear();
    http.globalAgent = globalAgent;
  });

  it('O17 · neither receive our credentials nor change our requests', async () => {
    await using app = await startOutbound();
    await app.tokens.getToken();
    await expect(app.http.post(FIND, {})).resolves.toEqual(expect.any(Array));
    expect(seen).toEqual([]);
    expect(app.xpay.ledger.map(({ path }) => path)).toEqual(['/client/authenticate', FIND]);
    expect(app.xpay.ledger[0]?.body).toMatchObject({ username: APP.username });
    expect(JSON.stringify(app.xpay.ledger)).not.toContain(PLANTED);
    for (const { headers } of app.xpay.ledger) {
      expect(Object.keys(headers)).not.toEqual(expect.arrayContaining([expect.stringMatching(/^x-/)]));
    }
    expect(app.xpay.ledger[0]?.headers).not.toHaveProperty('authorization');
  });
});

/** An agent that records its use. */
class SpyAgent extends http.Agent {
  constructor(private readonly seen: string[]) {
    super();
  }

  override createConnection(...how: Parameters<http.Agent['createConnection']>) {
    this.seen.push('agent');
    return super.createConnection(...how);
  }
}
