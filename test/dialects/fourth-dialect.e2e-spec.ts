import { describe, expect, it } from '@jest/globals';
import { Controller, Get } from '@nestjs/common';
import { CurrentUser, type Principal, Scopes, XPayAuthModule, XPayHttpService } from 'nestjs-xpay-auth';
import { dialectContract } from 'nestjs-xpay-auth/testing';
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { harbour } from '../../examples/fourth-dialect/harbour.dialect.js';
import { stage } from '../../examples/fourth-dialect/stage.js';
import { startStandIn } from '../../examples/fourth-dialect/stand-in.js';
import { basic, platforms, startApp } from '../support/start-app.js';

@Controller()
class PierController {
  @Scopes('north')
  @Get('north')
  north(@CurrentUser() { username }: Principal) {
    return { username };
  }
}

describe('the example of docs/dialects.md', () => {
  for (const { title, run } of dialectContract('harbour', stage)) it(title, run);

  it.each(platforms)('works in an app on %s', async (platform) => {
    const mo = { username: 'mo', secretKey: 'ahoy', piers: 'north' };
    const standIn = await startStandIn([mo, { username: 'bo', secretKey: 'ahoy', piers: 'south' }]);
    await using served = await startApp(platform, {
      imports: [XPayAuthModule.forRoot({ dialect: harbour(), baseUrl: standIn.url, credentials: account(mo) })],
      controllers: [PierController],
    });
    const statusOf = async (username: string, key: string): Promise<number> =>
      (await served.fetch('/north', { headers: basic(username, key) })).status;
    expect([await statusOf('mo', 'ahoy'), await statusOf('bo', 'ahoy'), await statusOf('mo', 'no')]).toEqual([
      200, 403, 401,
    ]);

    const http = served.app.get(XPayHttpService);
    await http.request({ method: 'GET', path: '/berths' });
    standIn.revokeTokens();
    await expect(http.request({ method: 'GET', path: '/berths' })).resolves.toMatchObject({
      data: { berths: [1, 2, 3] },
    });
    await standIn.stop();
    expect(await statusOf('cy', 'ahoy')).toBe(503);
  });

  it('imports the library only by its published names', () => {
    const folder = join(import.meta.dirname, '../../examples/fourth-dialect');
    const imports = readdirSync(folder)
      .filter((file) => file.endsWith('.ts'))
      .flatMap((file) => [...readFileSync(join(folder, file), 'utf8').matchAll(/(?:from|import) '([^']+)'/g)])
      .map(([, target = '']) => target);
    expect(imports.length).toBeGreaterThan(10);
    expect(
      imports.filter(
        (target) =>
          !/^(?:\.\/[\w.-]+|node:\w+|@nestjs\/\w+|reflect-metadata|nestjs-xpay-auth(?:\/dialect|\/testing)?)$/.test(
            target,
          ),
      ),
    ).toEqual([]);
  });
});

function account({ username, secretKey }: { username: string; secretKey: string }) {
  return { username, secretKey };
}
