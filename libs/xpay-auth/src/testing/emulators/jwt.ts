import { createHmac } from 'node:crypto';

/** The header of a JWT (RFC 7519 §5). */
export interface JwtHeader {
  readonly alg: 'HS256' | 'HS512';
  readonly typ: 'JWT';
}

/** A compact JWT. Header and claims keep the order of their keys, because some clients recognise a vendor's tokens by it. */
export function signJwt(header: JwtHeader, claims: object, key: Buffer): string {
  const signed = `${part(header)}.${part(claims)}`;
  const signature = createHmac(header.alg === 'HS256' ? 'sha256' : 'sha512', key).update(signed);
  return `${signed}.${signature.digest('base64url')}`;
}

function part(value: object): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url');
}
