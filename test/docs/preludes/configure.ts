import { Injectable, Module } from '@nestjs/common';
import type { Credentials } from 'nestjs-xpay-auth';

@Injectable()
class Vault {
  read(name: string): Promise<Credentials> {
    return Promise.resolve({ username: name, secretKey: 'from the vault' });
  }
}

@Module({ providers: [Vault], exports: [Vault] })
class VaultModule {}

const vault = new Vault();
const credentials: Credentials = { username: 'app@example.test', secretKey: 'key-of-app-1' };

// …
export { VaultModule, credentials, vault };
