// Callers and credentials, invented for the bench.
import { createSecretKey, generateKeyPairSync } from 'node:crypto';
import { createRequire } from 'node:module';

export const caller = {
  username: 'caller@example.test',
  secretKey: 'a-key-of-24-bytes-length',
  scopes: ['tme_user', 'tme_admin'],
};

const basicOf = ({ username, secretKey }) => `Basic ${Buffer.from(`${username}:${secretKey}`).toString('base64')}`;

export const basic = basicOf(caller);

/** Callers with names of equal length, and their headers. They outnumber the entries of a cache for one connection. */
export const callers = Array.from({ length: 256 }, (_, i) => ({
  ...caller,
  username: `caller-${1_000 + i}@example.test`,
}));
export const basics = callers.map(basicOf);

/** Checks a username and its key in the same way as the examples in the documentation of the other libraries. */
const secretKeys = new Map(callers.map(({ username, secretKey }) => [username, secretKey]));
export const isCaller = (username, secretKey) => secretKeys.get(username) === secretKey;

export const issuer = 'http://127.0.0.1/realms/bench';
export const audience = 'bench';

/** The secret for HMAC signatures, as a string and as a `KeyObject`. Node verifies faster with a `KeyObject`. */
export const secret = 'a-secret-of-thirty-two-bytes-len';
export const secretObject = createSecretKey(Buffer.from(secret));

// jsonwebtoken is a CommonJS package. It is loaded only in the processes that need it.
const sign = (key, algorithm) => {
  const jwt = createRequire(import.meta.url)('jsonwebtoken');
  const claims = { scope: caller.scopes.join(' '), typ: 'Bearer', azp: audience };
  const options = { algorithm, issuer, audience, subject: caller.username, expiresIn: '1h', keyid: 'bench' };
  return `Bearer ${jwt.sign(claims, key, options)}`;
};

export const hs256 = () => sign(secret, 'HS256');

/** Returns a new key pair and a token that is signed with it. */
export function rs256() {
  const { publicKey, privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  return { publicKey, authorization: sign(privateKey, 'RS256') };
}
