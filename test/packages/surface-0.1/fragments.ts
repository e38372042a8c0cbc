// The fragments of 0.1.0's README. They have to compile and are never called.
import type { Credentials } from 'nestjs-xpay-auth';
import { InjectXPay, XPayAuthModule, XPayHttpService, XPaySessionService, XPayTokenService } from 'nestjs-xpay-auth';
import type { IncomingMessage } from 'node:http';

declare module 'nestjs-xpay-auth' {
  interface XPayScopes {
    'reports:read': true;
  }
}

class VaultModule {}

class Vault {
  read(name: string): Credentials {
    return { username: name, secretKey: '' };
  }
}

export class Fragments {
  constructor(
    private readonly sessions: XPaySessionService,
    private readonly xpay: XPayHttpService,
    private readonly tokens: XPayTokenService,
    @InjectXPay(XPayTokenService, 'gift') readonly giftTokens: XPayTokenService,
  ) {}

  async protectARoute(username: string, secretKey: string, request: IncomingMessage): Promise<void> {
    const session = await this.sessions.login({ username, secretKey }, { request });
    session.accessToken.toUpperCase();
    await this.sessions.logout(session.accessToken);
    await this.sessions.revokeUser('user@example.test');
  }

  async callTheApi(reference: string, signal: AbortSignal): Promise<unknown[]> {
    await this.xpay.post('/client/wallets/find', { page: 1 });
    const { data, uuid } = await this.xpay.request({ path: '/client/bills/view', body: { reference } });
    await this.tokens.getToken({ signal });
    await this.tokens.authorizationHeader();
    this.tokens.peek();
    this.tokens.status();
    this.tokens.events.subscribe((event) => event.type);
    return [data, uuid];
  }

  configure(vault: Vault, credentials: Credentials): void {
    XPayAuthModule.forRoot({ credentials: () => vault.read('xpay'), scopeHierarchy: { tme_admin: ['tme_user'] } });
    XPayAuthModule.forRootAsync({
      imports: [VaultModule],
      inject: [Vault],
      useFactory: (injected: Vault) => ({ credentials: () => injected.read('xpay') }),
    });
    XPayAuthModule.forRoot({ name: 'gift', dialect: 'gift-stream', credentials });
  }
}
