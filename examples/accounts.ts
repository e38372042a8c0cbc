// Many accounts: each merchant has an account of its own at xPay. The app knows the merchants only at run time.
import { Controller, ForbiddenException, Get, Param } from '@nestjs/common';
import {
  type Credentials,
  CurrentUser,
  type Principal,
  Scopes,
  XPayAuthModule,
  XPayHttpService,
} from 'nestjs-xpay-auth';
import { appWith, serve } from './app.js';

interface Merchant extends Credentials {
  readonly suspended?: boolean;
}

/** Replace this with your database; here the merchants are in a variable. */
const merchants = new Map(Object.entries(JSON.parse(process.env['MERCHANTS'] ?? '{}') as Record<string, Merchant>));

/** Called when the token of a merchant is obtained. `undefined`: there is no such merchant, so the caller gets 404. */
async function credentialsOf(id: string): Promise<Credentials | undefined> {
  const merchant = merchants.get(id);
  if (merchant?.suspended === true) throw new ForbiddenException('This merchant is suspended'); // the caller gets this 403
  return merchant;
}

interface Wallet {
  readonly tag: string;
  readonly username: string;
}

@Controller()
class MerchantsController {
  constructor(private readonly xpay: XPayHttpService) {}

  /** A merchant sees its own wallets: the id comes from the authenticated caller. */
  @Scopes('tme_user')
  @Get('my-wallets')
  mine(@CurrentUser() { username }: Principal): Promise<object[]> {
    const [id = ''] = [...merchants].find(([, merchant]) => merchant.username === username) ?? [];
    return this.walletsOf(id);
  }

  /** The id comes from the URL, so only an administrator may choose it. */
  @Scopes('tme_admin')
  @Get('merchants/:id/wallets')
  async walletsOf(@Param('id') id: string): Promise<object[]> {
    const wallets = await this.xpay.forAccount(id).post<Wallet[]>('/client/wallets/find', { page: 1 });
    return wallets.map(({ tag, username }) => ({ tag, username }));
  }
}

await serve(appWith([XPayAuthModule.forRoot({ accounts: { credentials: credentialsOf } })], MerchantsController));
