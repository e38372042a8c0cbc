// The app account comes from a vault. It is read again when the upstream rejects it, so keys rotate without a restart.
import { Injectable, Module } from '@nestjs/common';
import { type Credentials, XPayAuthModule } from 'nestjs-xpay-auth';
import { readFile } from 'node:fs/promises';
import { appWith, serve } from './app.js';

/** Replace this with your vault client; here the vault is a file. */
@Injectable()
class Vault {
  async read(name: string): Promise<Credentials> {
    const secrets = JSON.parse(await readFile(process.env['VAULT_FILE'] ?? 'vault.json', 'utf8')) as Record<
      string,
      Credentials
    >;
    const found = secrets[name];
    if (found === undefined) throw new Error(`the vault has no ${name}`);
    return found;
  }
}

@Module({ providers: [Vault], exports: [Vault] })
class VaultModule {}

await serve(
  appWith([
    XPayAuthModule.forRootAsync({
      imports: [VaultModule],
      inject: [Vault],
      useFactory: (vault: Vault) => ({ credentials: () => vault.read('xpay') }),
    }),
  ]),
);
