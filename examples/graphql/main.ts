import 'reflect-metadata';
import { ApolloDriver, type ApolloDriverConfig } from '@nestjs/apollo';
import { Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { GraphQLModule } from '@nestjs/graphql';
import { XPayAuthModule } from 'nestjs-xpay-auth';
import { demoAccounts, startXPayEmulator } from 'nestjs-xpay-auth/testing';
import { WalletsResolver } from './wallets.resolver.js';

// A GraphQL API with guarded fields, and an xPay emulator in the same process.

const accounts = demoAccounts();
const [user, admin, both] = accounts;
const app = { username: 'this-app@example.test', secretKey: 'only for this example' };
const xpay = await startXPayEmulator({ accounts: [...accounts, app] });

@Module({
  imports: [
    XPayAuthModule.forRoot({ baseUrl: xpay.url, credentials: app }),
    GraphQLModule.forRoot<ApolloDriverConfig>({
      driver: ApolloDriver,
      autoSchemaFile: true,
      fieldResolverEnhancers: ['guards'],
    }),
  ],
  providers: [WalletsResolver],
})
class AppModule {}

const nest = await NestFactory.create(AppModule, { logger: ['warn', 'error'] });
nest.enableShutdownHooks();
await nest.listen(Number(process.env['PORT'] ?? 3000), '127.0.0.1');

const url = `${await nest.getUrl()}/graphql`;
const line = (said: string, query: string, account?: typeof user): string => {
  const who = account === undefined ? '' : ` -u ${account.username}:${account.secretKey}`;
  return `${said.padEnd(18)} curl -s${who} -H 'content-type: application/json' -d '{"query":"${query}"}' ${url}`;
};
process.stdout.write(
  [
    line('a name', '{ me }', admin),
    line('UNAUTHENTICATED', '{ me }'),
    line('wallets', '{ wallets { tag } }', user),
    line('FORBIDDEN', '{ wallets { tag } }', admin),
    line('wallets, no notes', '{ wallets { tag note } }', user),
    line('wallets and notes', '{ wallets { tag note } }', both),
    '',
  ].join('\n'),
);
