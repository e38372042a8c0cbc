// Strategies behind @nestjs/passport's AuthGuard.
import { SetMetadata, UseGuards } from '@nestjs/common';
import { Reflector } from '@nestjs/core';
import { AuthGuard, PassportStrategy } from '@nestjs/passport';
import { createRequire } from 'node:module';
import { basics, caller, isCaller, hs256, secret, secretObject } from '../callers.mjs';

const require = createRequire(import.meta.url);
const user = Object.freeze({ username: caller.username, scopes: caller.scopes });

/** The cost of Passport before any check. */
export function passportConstant() {
  const { Strategy } = require('passport-custom');
  class ConstantStrategy extends PassportStrategy(Strategy, 'constant') {
    validate() {
      return user;
    }
  }
  return {
    open: true,
    providers: [ConstantStrategy],
    marks: [UseGuards(AuthGuard('constant'))],
    authorization: () => basics,
  };
}

export function passportHttp() {
  const { BasicStrategy } = require('passport-http');
  class HttpStrategy extends PassportStrategy(BasicStrategy, 'basic') {
    validate(username, secretKey) {
      return isCaller(username, secretKey) ? user : null;
    }
  }
  return { providers: [HttpStrategy], marks: [UseGuards(AuthGuard('basic'))], authorization: () => basics };
}

const passportJwt = (secretOrKey) => () => {
  const { ExtractJwt, Strategy } = require('passport-jwt');
  class JwtStrategy extends PassportStrategy(Strategy, 'jwt') {
    constructor() {
      super({ jwtFromRequest: ExtractJwt.fromAuthHeaderAsBearerToken(), secretOrKey, algorithms: ['HS256'] });
    }
    validate({ sub, scope }) {
      return { username: sub, scopes: scope.split(' ') };
    }
  }
  const reflector = new Reflector();
  const scopesGuard = {
    canActivate(context) {
      const scopes = reflector.getAllAndOverride('scopes', [context.getHandler(), context.getClass()]);
      const { user: held } = context.switchToHttp().getRequest();
      return scopes.every((scope) => held.scopes.includes(scope));
    },
  };
  return {
    providers: [JwtStrategy],
    marks: [SetMetadata('scopes', ['tme_admin']), UseGuards(AuthGuard('jwt'), scopesGuard)],
    authorization: hs256,
  };
};

export const passportJwtString = passportJwt(secret);
export const passportJwtKeyObject = passportJwt(secretObject);
