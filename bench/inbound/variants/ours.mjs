// This library, with an emulator of the upstream. The first request calls it; for the measured ones the caller is cached.
import { AuthGuard } from '@nestjs/passport';
import { UseGuards } from '@nestjs/common';
import { Authenticated, Public, Scopes, XPayAuthModule, XPaySessionService } from 'nestjs-xpay-auth';
import { basic, caller } from '../callers.mjs';

const module = (options = {}) => XPayAuthModule.forRoot({ baseUrl: process.env.BENCH_UPSTREAM, ...options });
const withBasic = () => basic;

export const oursBasic = () => ({ imports: [module()], marks: [Authenticated()], authorization: withBasic });

export const oursScopes = () => ({ imports: [module()], marks: [Scopes('tme_admin')], authorization: withBasic });

export const oursGlobal = () => ({ imports: [module({ globalGuards: true })], authorization: withBasic });

export const oursBearer = () => ({
  imports: [module()],
  marks: [Authenticated()],
  async authorization(app) {
    const { accessToken } = await app.get(XPaySessionService).login(caller);
    return `Bearer ${accessToken}`;
  },
});

/** The same strategy through Passport's registry. */
export const oursPassport = () => ({
  imports: [module()],
  marks: [Public(), UseGuards(AuthGuard('xpay'))],
  authorization: withBasic,
});
