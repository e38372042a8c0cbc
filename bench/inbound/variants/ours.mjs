// This library, with an emulator of the upstream. The first request of each caller calls the emulator. All measured requests are
// answered from the cache.
import { AuthGuard } from '@nestjs/passport';
import { UseGuards } from '@nestjs/common';
import { Authenticated, Public, Scopes, XPayAuthModule, XPaySessionService } from 'nestjs-xpay-auth';
import { basics, callers } from '../callers.mjs';

// The longest period, so that no renewal falls into the measurement.
const verification = { periodMs: 300_000 };
const module = () => XPayAuthModule.forRoot({ baseUrl: process.env.BENCH_UPSTREAM, verification });
const withBasic = () => basics;

export const oursBasic = () => ({ imports: [module()], marks: [Authenticated()], authorization: withBasic });

export const oursScopes = () => ({ imports: [module()], marks: [Scopes('tme_admin')], authorization: withBasic });

export const oursBearer = () => ({
  imports: [module()],
  marks: [Authenticated()],
  async authorization(app) {
    const { accessToken } = await app.get(XPaySessionService).login(callers[0]);
    return `Bearer ${accessToken}`;
  },
});

/** The same strategy through Passport's registry. */
export const oursPassport = () => ({
  imports: [module()],
  marks: [Public(), UseGuards(AuthGuard('xpay'))],
  authorization: withBasic,
});
