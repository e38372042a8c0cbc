import { Injectable } from '@nestjs/common';
import { type IncomingRequest, XPayHttpService, XPaySessionService, XPayTokenService } from 'nestjs-xpay-auth';

interface Given {
  readonly username: string;
  readonly secretKey: string;
  readonly request: IncomingRequest;
  readonly reference: string;
  readonly signal: AbortSignal;
}

@Injectable()
export class Service {
  constructor(
    readonly xpay: XPayHttpService,
    readonly tokens: XPayTokenService,
    readonly sessions: XPaySessionService,
  ) {}

  async example({ username, secretKey, request, reference, signal }: Given): Promise<unknown> {
    // …
    return { username, secretKey, request, reference, signal };
  }
}
