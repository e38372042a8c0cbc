/** A JWT whose signature is nobody's: what a stand-in says in a test, and what a stranger might make up. */
export function unsignedJwt(claims: Readonly<Record<string, unknown>>): string {
  return `${part({ typ: 'JWT', alg: 'HS512' })}.${part(claims)}.c2lnbmF0dXJl`;
}

function part(value: object): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url');
}
