/** Returns a JWT with an invalid signature, for forged tokens and for emulated upstreams in tests. */
export function unsignedJwt(claims: Readonly<Record<string, unknown>>): string {
  return `${part({ typ: 'JWT', alg: 'HS512' })}.${part(claims)}.c2lnbmF0dXJl`;
}

function part(value: object): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url');
}
