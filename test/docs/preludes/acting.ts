import { Injectable } from '@nestjs/common';
import { type Principal, XPayHttpService } from 'nestjs-xpay-auth';

export interface Wallet {
  readonly tag: string;
}

@Injectable()
export class Service {
  constructor(readonly xpay: XPayHttpService) {}

  async example(caller: Principal): Promise<unknown> {
    // …
    return caller;
  }
}
