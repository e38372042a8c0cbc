import { describe, expect, it } from '@jest/globals';
import { HttpException, Injectable } from '@nestjs/common';
import { ExternalContextCreator } from '@nestjs/core';
import { Authenticated, OptionalAuth, Public, Scopes, XPayAuthError } from 'nestjs-xpay-auth';
import { startContextApp } from '../support/context-app.js';

/** A context that Nest does not know, as a third-party package may add it: a bot, a queue, a command line. */
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

describe('an unknown kind of context', () => {
  it('I13 · is rejected, whatever credentials it carries, unless the handler is public', async () => {
    await using app = await startContextApp({ providers: [BotCommands] });
    const commands = app.app.get(BotCommands);
    const creator = app.app.get(ExternalContextCreator, { strict: false });
    const run = (name: keyof BotCommands): Promise<unknown> => {
      const options = { guards: true, filters: true, interceptors: true };
      // A bot's message. It looks like a request, but is not known to be one.
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
