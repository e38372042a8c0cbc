// An upstream in this process that answers at once, so that only the memory of the library is measured.
import { AccessToken } from 'nestjs-xpay-auth';

/** Length of a token of the emulated xPay.stream, in characters. */
const JWT_LENGTH = 232;

/** Accepts every caller. */
export const instantDialect = {
  name: 'instant',
  defaultBaseUrl: 'http://127.0.0.1:1',
  async authenticate({ username }) {
    // Each grant has separate strings, as if it were decoded from JSON.
    const answer = { name: username, scopes: ['tme_user'], token: `${username.padEnd(JWT_LENGTH, '.')}` };
    const { name, scopes, token } = JSON.parse(JSON.stringify(answer));
    const accessToken = new AccessToken(token, { scopes });
    return { accessToken, username: name, scopes, isAPI: true, lifeMs: 86_400_000 };
  },
  api: {
    encode: () => ({ method: 'POST', path: '/' }),
    decode: () => ({ kind: 'data', data: null }),
  },
};
