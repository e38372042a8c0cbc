// An upstream in this process that answers at once, so that only the memory of the library is measured.

/** Accepts every caller. */
export const instantDialect = {
  name: 'instant',
  defaultBaseUrl: 'http://127.0.0.1:1',
  async authenticate({ username }) {
    const accessToken = Object.assign(Object.create(null), { value: `token of ${username}`, scopes: [] });
    // Each grant has separate strings, as if it were decoded from JSON.
    const { name, scopes } = JSON.parse(JSON.stringify({ name: username, scopes: ['tme_user'] }));
    return { accessToken, username: name, scopes, isAPI: true, lifeMs: 86_400_000 };
  },
  api: {
    encode: () => ({ method: 'POST', path: '/' }),
    decode: () => ({ kind: 'data', data: null }),
  },
};
