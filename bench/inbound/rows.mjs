// The rows of the inbound tables. `make` names an export of a module in variants/.
const EVERYWHERE = ['express', 'fastify'];
const SCOPES = ['ours', 'oursScopes'];

/** The route that every row is compared with. */
export const BASELINE = ['plain', 'unguarded'];

/** A second unguarded server. Its ratio would be 1 on a machine without noise. Every group has this row. */
export const NOISE = row('unguarded-again', 'unguarded against itself (noise)', ['plain', 'unguarded']);

/** The rows with a target. They are measured together, on every version of Node and with repeats. */
export const TARGETS = [
  row('digest-alone', 'a guard that only computes one SHA-256', ['plain', 'digestAlone'], { rotate: true }),
  row('unavoidable', 'the least that caches callers, one caller per connection', ['plain', 'unavoidable']),
  row('unavoidable-rotating', 'the same, callers rotating', ['plain', 'unavoidable'], { rotate: true }),
  row('ours-scopes', '**ours**, `@Scopes`, one caller per connection', SCOPES),
  row('ours-rotating', '**ours**, `@Scopes`, callers rotating over shared connections', SCOPES, { rotate: true }),
  row('ours-passport', '**ours**, through `AuthGuard("xpay")` of Passport', ['ours', 'oursPassport']),
  row('fastify-basic-auth', '@fastify/basic-auth', ['fastify', 'fastifyBasicAuth'], { platforms: ['fastify'] }),
];

/** The other rows, measured once on the first version of Node. Rows of one group have equally long headers. */
export const OTHERS = [
  [
    row('always-true', 'a guard that returns true', ['plain', 'alwaysTrue']),
    row('ours-basic', '**ours**, `@Authenticated`', ['ours', 'oursBasic']),
    row('passport-constant', 'Passport, a constant strategy', ['passport', 'passportConstant']),
    row('passport-http', 'passport-http', ['passport', 'passportHttp']),
  ],
  [
    row('passport-jwt', 'passport-jwt and a scope guard, secret as a string', ['passport', 'passportJwtString']),
    row('passport-jwt-key', 'the same, secret as a KeyObject', ['passport', 'passportJwtKeyObject']),
    row('nest-jwt-key', '@nestjs/jwt, secret as a KeyObject', ['tokens', 'nestJwtKeyObject']),
    row('oauth2-jwt-bearer', 'express-oauth2-jwt-bearer', ['tokens', 'oauth2JwtBearer'], { platforms: ['express'] }),
  ],
  [row('ours-bearer', '**ours**, Bearer', ['ours', 'oursBearer'])],
  [row('keycloak', 'nest-keycloak-connect, offline', ['tokens', 'keycloakOffline'])],
];

function row(id, name, make, { platforms = EVERYWHERE, rotate = false } = {}) {
  return { id, name, make, platforms, rotate };
}
