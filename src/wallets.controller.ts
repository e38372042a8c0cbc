import { BadRequestException, Body, Controller, HttpCode, Post } from '@nestjs/common';
import { ApiBadRequestResponse, ApiBody, ApiOkResponse, ApiOperation } from '@nestjs/swagger';
import { CurrentUser, type Principal, Scopes, XPayHttpService } from 'nestjs-xpay-auth';
import { ApiXPayFailures } from 'nestjs-xpay-auth/swagger';
import { PageBody } from './docs/bodies.js';

@Controller()
export class WalletsController {
  constructor(private readonly xpay: XPayHttpService) {}

  /** The wallets of the *caller*, one page at a time. xPay receives the token of the caller, and decides what the caller may see. */
  @ApiOperation({ summary: 'The wallets of the caller, a page at a time' })
  @ApiBody({ type: PageBody, required: false })
  @ApiOkResponse({ description: 'The response of xPay.', schema: { type: 'array', items: { type: 'object' } } })
  @ApiBadRequestResponse({ description: 'A number outside 1 to 100, or malformed credentials.' })
  @ApiXPayFailures('call')
  @Scopes('tme_user')
  @HttpCode(200)
  @Post('wallets/find')
  find(@Body() body: unknown, @CurrentUser() caller: Principal): Promise<unknown> {
    return this.xpay.asCaller(caller).post('/client/wallets/find', pageOf(body));
  }

  /**
   * The wallets of the *app account*, one page at a time.
   *
   * Beware of the confused deputy: this call runs with the rights of the app, not of the caller. It passes on only two
   * validated numbers from the body, and its result may be shown to every `tme_admin`. A call that moves money or shows
   * one user's data must first check that this caller may do so, or act as the caller like the route above.
   */
  @ApiOperation({ summary: 'The wallets of the app account, a page at a time' })
  @ApiBody({ type: PageBody, required: false })
  @ApiOkResponse({ description: 'The response of xPay.', schema: { type: 'array', items: { type: 'object' } } })
  @ApiBadRequestResponse({ description: 'A number outside 1 to 100, or malformed credentials.' })
  @ApiXPayFailures('call')
  @Scopes('tme_admin')
  @HttpCode(200)
  @Post('app/wallets/find')
  findOfApp(@Body() body: unknown): Promise<unknown> {
    return this.xpay.post('/client/wallets/find', pageOf(body));
  }
}

function pageOf(body: unknown): { readonly page: number; readonly pageSize: number } {
  return { page: pageNumber(body, 'page', 1), pageSize: pageNumber(body, 'pageSize', 10) };
}

function pageNumber(body: unknown, name: 'page' | 'pageSize', fallback: number): number {
  const value: unknown =
    typeof body === 'object' && body !== null ? (body as Record<string, unknown>)[name] : undefined;
  if (value === undefined) return fallback;
  if (typeof value !== 'number' || !Number.isInteger(value) || value < 1 || value > 100) {
    throw new BadRequestException(`${name} must be a whole number from 1 to 100`);
  }
  return value;
}
