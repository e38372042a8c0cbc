// The rows of the inbound tables. `make` names an export of a module in variants/.
const EVERYWHERE = ['express', 'fastify'];
const ROOMY = ['--max-semi-space-size=64'];

/** The baseline of each row: equally warm, on the same platform, with the same flags. */
export const BASELINE = { id: 'unguarded', make: ['plain', 'unguarded'] };

export const ROWS = [
  row('unguarded-again', 'unguarded, measured like the others (noise)', ['plain', 'unguarded']),
  row('always-true', 'a guard that returns true', ['plain', 'alwaysTrue']),
  row('digest-alone', 'a guard that only digests the header', ['plain', 'digestAlone']),
  row('ours-basic', '**ours**, cached Basic', ['ours', 'oursBasic'], { nodes: true, quick: true }),
  row('ours-bearer', '**ours**, cached Bearer', ['ours', 'oursBearer']),
  row('ours-scopes', '**ours**, Basic with `@Scopes`', ['ours', 'oursScopes'], { quick: true }),
  row('ours-global', '**ours**, Basic in a global guard', ['ours', 'oursGlobal']),
  row('ours-passport', '**ours**, Basic through `AuthGuard("xpay")`', ['ours', 'oursPassport']),
  row('ours-roomy', '**ours**, cached Basic, with a larger young generation', ['ours', 'oursBasic'], { flags: ROOMY }),
  row('passport-constant', 'Passport, a constant strategy', ['passport', 'passportConstant'], { nodes: true }),
  row(
    'passport-roomy',
    'Passport, a constant strategy, with a larger young generation',
    ['passport', 'passportConstant'],
    {
      flags: ROOMY,
    },
  ),
  row('passport-http', 'passport-http', ['passport', 'passportHttp'], { peer: 'passport-http' }),
  row('passport-jwt', 'passport-jwt and a scope guard, secret as a string', ['passport', 'passportJwtString'], {
    peer: 'passport-jwt',
  }),
  row(
    'passport-jwt-key',
    'passport-jwt and a scope guard, secret as a KeyObject',
    ['passport', 'passportJwtKeyObject'],
    {
      peer: 'passport-jwt',
    },
  ),
  row('nest-jwt', '@nestjs/jwt, secret as a string', ['tokens', 'nestJwtString'], { peer: '@nestjs/jwt' }),
  row('nest-jwt-key', '@nestjs/jwt, secret as a KeyObject', ['tokens', 'nestJwtKeyObject'], { peer: '@nestjs/jwt' }),
  row('oauth2-jwt-bearer', 'express-oauth2-jwt-bearer', ['tokens', 'oauth2JwtBearer'], {
    platforms: ['express'],
    peer: 'express-oauth2-jwt-bearer',
  }),
  row('keycloak', 'nest-keycloak-connect, offline', ['tokens', 'keycloakOffline'], { peer: 'nest-keycloak-connect' }),
  row('fastify-basic-auth', '@fastify/basic-auth', ['fastify', 'fastifyBasicAuth'], {
    platforms: ['fastify'],
    peer: '@fastify/basic-auth',
  }),
];

function row(id, name, make, { platforms = EVERYWHERE, flags = [], nodes = false, quick = false, peer } = {}) {
  return { id, name, make, platforms, flags, nodes, quick, peer };
}
