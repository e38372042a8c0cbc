import { type KeyObject, createHmac, createSecretKey, randomBytes } from 'node:crypto';

/** A signing key that nobody but one emulator ever holds, as only the vendor holds the real one. */
export function randomSigningKey(bytes: number): KeyObject {
  return createSecretKey(randomBytes(bytes));
}

/** A compact JWT. Header and payload keep the order of their keys, because vendors' tokens are recognised by it. */
export function signJwt(
  hash: 'sha256' | 'sha512',
  header: Readonly<Record<string, string>>,
  payload: Readonly<Record<string, unknown>>,
  key: KeyObject,
): string {
  const signed = `${part(header)}.${part(payload)}`;
  return `${signed}.${createHmac(hash, key).update(signed).digest('base64url')}`;
}

function part(value: object): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url');
}
