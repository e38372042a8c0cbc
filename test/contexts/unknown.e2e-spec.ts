import { describe, expect, it } from '@jest/globals';
import { HttpException, Injectable } from '@nestjs/common';
import { ExternalContextCreator } from '@nestjs/core';
import { Authenticated, OptionalAuth, Public, Scopes, XPayAuthError } from 'nestjs-xpay-auth';
import { startContextApp } from '../support/context-app.js';

/** What a package that Nest has never heard of might let users write: a bot, a queue, a command line. */
@Injectable()
class BotCommands {
  @Authenticated()
  me(): string {
    return 'me';
  }

  @Scopes('tme_admin')
  admin(): string {
    return 'admin';
  }

  @OptionalAuth()
  optional(): string {
    return 'optional';
  }

  @Public()
  open(): string {
    return 'open';
  }
}

describe('a kind of context that nobody knows', () => {
  it('I13 · is refused, whatever it carries, unless everybody may come in', async () => {
    await using app = await startContextApp({ providers: [BotCommands] });
    const commands = app.app.get(BotCommands);
    const creator = app.app.get(ExternalContextCreator, { strict: false });
    const run = (name: keyof BotCommands): Promise<unknown> => {
      const options = { guards: true, filters: true, interceptors: true };
      // Of a bot's message; it looks like a request, but who says that it is one?
      const message = { headers: { authorization: 'Bearer x' }, user: { username: 'mallory', scopes: ['tme_admin'] } };
      const command = creator.create(
        commands,
        commands[name],
        name,
        undefined,
        undefined,
        undefined,
        undefined,
        options,
        'telegram',
      ) as (...args: unknown[]) => Promise<unknown>;
      return command(message);
    };
    for (const name of ['me', 'admin', 'optional'] as const) {
      const refusal: unknown = await run(name).catch((thrown: unknown) => thrown);
      expect(refusal).toBeInstanceOf(HttpException);
      expect((refusal as HttpException).getStatus()).toBe(500);
      expect((refusal as HttpException).cause).toBeInstanceOf(XPayAuthError);
      expect((refusal as HttpException).cause).toMatchObject({ code: 'configuration' });
    }
    expect(await run('open')).toBe('open');
    expect(app.logged.map(({ line }) => line)).toContainEqual(expect.stringContaining('context type "telegram"'));
  });
});
