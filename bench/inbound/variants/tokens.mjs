// Libraries that verify a JWT on each request without Passport.
import { UnauthorizedException, UseGuards } from '@nestjs/common';
import { JwtModule, JwtService } from '@nestjs/jwt';
import { createRequire } from 'node:module';
import { audience, hs256, issuer, rs256, secret, secretObject } from '../callers.mjs';

const require = createRequire(import.meta.url);

/** The guard in Nest's documentation. */
export const nestJwtKeyObject = () => {
  let jwt;
  const guard = {
    async canActivate(context) {
      const request = context.switchToHttp().getRequest();
      const [type, token] = request.headers.authorization?.split(' ') ?? [];
      if (type !== 'Bearer') throw new UnauthorizedException();
      try {
        request.user = await jwt.verifyAsync(token);
      } catch {
        throw new UnauthorizedException();
      }
      return true;
    },
  };
  return {
    imports: [JwtModule.register({ secret: secretObject, verifyOptions: { algorithms: ['HS256'] } })],
    marks: [UseGuards(guard)],
    setUp: (app) => void (jwt = app.get(JwtService, { strict: false })),
    authorization: hs256,
  };
};

/** A middleware of Express. The library has no guard for Nest. */
export function oauth2JwtBearer() {
  const { auth } = require('express-oauth2-jwt-bearer');
  return {
    setUp: (app) => void app.use(auth({ issuer, audience, secret, tokenSigningAlg: 'HS256' })),
    authorization: hs256,
  };
}

/** The offline mode of the library: it knows the public key of the realm and makes no request. */
export function keycloakOffline() {
  const { AuthGuard, KeycloakConnectModule, TokenValidation } = require('nest-keycloak-connect');
  const { publicKey, authorization } = rs256();
  const realmPublicKey = publicKey.export({ type: 'spki', format: 'der' }).toString('base64');
  return {
    imports: [
      KeycloakConnectModule.register({
        authServerUrl: 'http://127.0.0.1',
        realm: 'bench',
        clientId: audience,
        secret: 'unused',
        realmPublicKey,
        tokenValidation: TokenValidation.OFFLINE,
      }),
    ],
    marks: [UseGuards(AuthGuard)],
    authorization: () => authorization,
  };
}
