import {
  BadRequestException,
  Body,
  Controller,
  Get,
  Header,
  HttpCode,
  Inject,
  NotFoundException,
  Post,
  Res,
  UseGuards,
} from '@nestjs/common';
import { ApiExcludeController } from '@nestjs/swagger';
import type { ServerResponse } from 'node:http';
import { CurrentUser, type Principal, Public, Scopes, XPaySessionService, XPayTokenService } from 'nestjs-xpay-auth';
import { FrameStreams } from './frame-streams.js';
import { TRAFFIC, type Traffic } from './status-recorder.js';
import { ByBearer, FromLoopback, FromStatusPage } from './status-access.js';

/** Maximum length in characters of a user name. The library accepts user names of up to 4 KiB. */
const LONGEST_USERNAME = 4_096;

/** A response of Express, or of Fastify, which has the response of Node in `raw`. */
type PlatformResponse = ServerResponse | { readonly raw: ServerResponse; hijack(): unknown };

/** Data and buttons of the page. Each of the two subclasses declares which callers may use them. */
class StatusController {
  constructor(
    private readonly streams: FrameStreams,
    private readonly sessions: XPaySessionService,
    private readonly tokens: XPayTokenService,
    @Inject(TRAFFIC) private readonly traffic: Traffic | undefined,
  ) {}

  /** Ends the sessions and the cached credentials of a user. */
  @Post('revoke')
  @HttpCode(204)
  @Header('cache-control', 'no-store')
  async revoke(@Body() body: unknown): Promise<void> {
    const { username } = (body ?? {}) as { readonly username?: unknown };
    if (typeof username !== 'string' || username === '' || username.length > LONGEST_USERNAME) {
      throw new BadRequestException(`username must be a text of 1 to ${LONGEST_USERNAME} characters`);
    }
    await this.sessions.revokeUser(username);
  }

  /** Obtains a new app token. */
  @Post('refresh')
  @HttpCode(204)
  @Header('cache-control', 'no-store')
  async refresh(): Promise<void> {
    await this.tokens.refresh();
  }

  /** Starts or stops the demo traffic. */
  @Post('traffic')
  @HttpCode(204)
  @Header('cache-control', 'no-store')
  switchTraffic(@Body() body: unknown): void {
    const { isRunning } = (body ?? {}) as { readonly isRunning?: unknown };
    if (this.traffic === undefined) throw new NotFoundException();
    if (typeof isRunning !== 'boolean') throw new BadRequestException('isRunning must be true or false');
    if (isRunning) this.traffic.start();
    else this.traffic.stop();
  }

  /** Streams the state of the app, one line of JSON per second. */
  protected stream(response: PlatformResponse, username: string | undefined): void {
    this.streams.assertRoom();
    if ('raw' in response) response.hijack();
    this.streams.open('raw' in response ? response.raw : response, username);
  }
}

/** For demo mode: open to this machine. */
@ApiExcludeController()
@Controller('status')
@Public()
@UseGuards(FromLoopback, FromStatusPage)
export class DemoStatusController extends StatusController {
  @Get('frames')
  frames(@Res() response: PlatformResponse): void {
    this.stream(response, undefined);
  }
}

/** For administrators who logged in on the page. */
@ApiExcludeController()
@Controller('status')
@Scopes('tme_admin')
@UseGuards(ByBearer, FromStatusPage)
export class AdminStatusController extends StatusController {
  @Get('frames')
  frames(@Res() response: PlatformResponse, @CurrentUser() { username }: Principal): void {
    this.stream(response, username);
  }
}
