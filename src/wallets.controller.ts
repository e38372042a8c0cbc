import { BadRequestException, Body, Controller, HttpCode, Post } from '@nestjs/common';
import { ApiBadRequestResponse, ApiBody, ApiOkResponse, ApiOperation } from '@nestjs/swagger';
import { Scopes, XPayHttpService } from 'nestjs-xpay-auth';
import { ApiXPayFailures } from 'nestjs-xpay-auth/swagger';
import { PageBody } from './docs/bodies.js';

@Controller('wallets')
export class WalletsController {
  constructor(private readonly xpay: XPayHttpService) {}

  /**
   * The wallets of *this app's* account, a page at a time.
   *
   * Beware of the confused deputy: the call below runs with the rights of the app, not of the caller. So it hands on two
   * numbers it has looked at and nothing else of the body, and it is one that every `tme_user` may see the result of. A call
   * that moves money, or shows what belongs to one user, first has to ask whether this very caller may have it done.
   */
  @ApiOperation({ summary: "The wallets of this app's account, a page at a time" })
  @ApiBody({ type: PageBody, required: false })
  @ApiOkResponse({ description: 'As xPay answers it.', schema: { type: 'array', items: { type: 'object' } } })
  @ApiBadRequestResponse({ description: 'A number that is none from 1 to 100, or malformed credentials.' })
  @ApiXPayFailures('call')
  @Scopes('tme_user')
  @HttpCode(200)
  @Post('find')
  find(@Body() body: unknown): Promise<unknown> {
    return this.xpay.post('/client/wallets/find', {
      page: pageNumber(body, 'page', 1),
      pageSize: pageNumber(body, 'pageSize', 10),
    });
  }
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
