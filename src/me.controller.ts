import { Controller, Get } from '@nestjs/common';
import { Authenticated, CurrentUser, type Principal } from 'nestjs-xpay-auth';

@Controller('me')
export class MeController {
  /** Who am I? For any valid caller. */
  @Authenticated()
  @Get()
  me(@CurrentUser() { username, scopes, isAPI, expiresAt }: Principal) {
    return { username, scopes, isAPI, expiresAt };
  }
}
