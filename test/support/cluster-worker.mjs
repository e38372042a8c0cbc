// One instance of an app in a separate process, which uses the built library. The test controls it over IPC.
import 'reflect-metadata';
import { Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { XPayAuthModule, XPaySessionService, XPayStrategy, XPayTokenService } from 'nestjs-xpay-auth';

const options = JSON.parse(process.argv[2] ?? '{}');

class AppModule {}
Module({ imports: [XPayAuthModule.forRoot(options)] })(AppModule);

const app = await NestFactory.createApplicationContext(AppModule, { logger: false });
const [tokens, sessions, strategy] = [XPayTokenService, XPaySessionService, XPayStrategy].map((type) => app.get(type));

const answers = {
  /** Returns the different tokens that this number of concurrent callers get. */
  async burst({ callers }) {
    const all = await Promise.all(Array.from({ length: callers }, () => tokens.getToken()));
    return { values: [...new Set(all.map(({ value }) => value))] };
  },
  async reject({ callers, value }) {
    const renewed = async () => {
      await tokens.invalidate(value);
      return (await tokens.getToken()).value;
    };
    return { values: [...new Set(await Promise.all(Array.from({ length: callers }, renewed)))] };
  },
  login: ({ credentials, address }) => sessions.login(credentials, { address }),
  logout: ({ token }) => sessions.logout(token),
  revokeUser: ({ username }) => sessions.revokeUser(username),
  async who({ authorization, address = '192.0.2.1' }) {
    const request = { headers: { authorization }, rawHeaders: ['Authorization', authorization], ip: address };
    const { username } = await strategy.validate({ ...request, socket: { remoteAddress: address } });
    return username;
  },
  close: () => app.close(),
};

process.on('message', ({ id, ask, ...rest }) => {
  void Promise.resolve()
    .then(() => answers[ask](rest))
    .then(
      (answer) => process.send({ id, answer }),
      (failure) => process.send({ id, failure: failure.code ?? String(failure) }),
    )
    .then(() => ask === 'close' && process.disconnect());
});
process.on('disconnect', () => process.exit());
process.send({ id: 'ready' });
