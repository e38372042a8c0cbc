// An upstream that answers at once, in this process: what is measured is what the library keeps.

/** Accepts whoever asks. */
export const instantDialect = {
  name: 'instant',
  defaultBaseUrl: 'http://127.0.0.1:1',
  async authenticate({ username }) {
    const accessToken = Object.assign(Object.create(null), { value: `token of ${username}`, scopes: [] });
    // As decoded from JSON: strings of their own for each grant.
    const { name, scopes } = JSON.parse(JSON.stringify({ name: username, scopes: ['tme_user'] }));
    return { accessToken, username: name, scopes, isAPI: true, lifeMs: 86_400_000 };
  },
  api: {
    encode: () => ({ method: 'POST', path: '/' }),
    decode: () => ({ kind: 'data', data: null }),
  },
};
