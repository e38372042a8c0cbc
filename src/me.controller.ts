import { Controller, Get } from '@nestjs/common';
import { ApiOkResponse, ApiOperation } from '@nestjs/swagger';
import { Authenticated, CurrentUser, type Principal } from 'nestjs-xpay-auth';
import { CallerBody } from './docs/bodies.js';

@Controller('me')
export class MeController {
  /** Returns the authenticated caller. */
  @ApiOperation({ summary: 'Who am I? For any valid caller' })
  @ApiOkResponse({ type: CallerBody, description: 'The caller, as reported by the upstream.' })
  @Authenticated()
  @Get()
  me(@CurrentUser() { username, scopes, isAPI, expiresAt }: Principal) {
    return { username, scopes, isAPI, expiresAt };
  }
}
