import { describe, expect, it } from '@jest/globals';
import {
  Controller,
  Get,
  type INestApplication,
  Module,
  VERSION_NEUTRAL,
  Version,
  VersioningType,
} from '@nestjs/common';
import { RouterModule } from '@nestjs/core';
import { Authenticated, Public, Scopes, XPayAuthModule } from 'nestjs-xpay-auth';
import { type Platform, platforms, startApp } from '../support/start-app.js';

@Controller({ path: 'reports', version: ['1', '2'] })
class ReportsController {
  @Scopes('tme_admin')
  @Get(':id')
  read() {}

  @Version(VERSION_NEUTRAL)
  @Authenticated()
  @Get()
  list() {}
}

@Controller('health')
class HealthController {
  @Public()
  @Get()
  health() {}
}

@Module({ controllers: [HealthController] })
class OpsModule {}

/** The routes that the boot report logs, and the answer to an anonymous GET of each logged path. */
async function reported(platform: Platform, configure: (app: INestApplication) => void) {
  const logged: string[] = [];
  await using app = await startApp(
    platform,
    {
      imports: [
        XPayAuthModule.forRoot({ baseUrl: 'http://127.0.0.1:1' }),
        RouterModule.register([{ path: 'ops', module: OpsModule }]),
        OpsModule,
      ],
      controllers: [ReportsController],
    },
    (nest) => {
      nest.useLogger({
        log: () => undefined,
        warn: () => undefined,
        error: () => undefined,
        debug: (line) => logged.push(String(line)),
      });
      configure(nest);
    },
  );
  const routes = logged.filter((line) => / \(\w+Controller\.\w+\)/.test(line));
  const paths = routes.flatMap((line) => [...line.matchAll(/\/[\w/:]*/g)].map(([path]) => path));
  const served: Record<string, number> = {};
  for (const path of paths) served[path] = (await app.fetch(path.replace(':id', '7'))).status;
  return { routes, served };
}

describe.each(platforms)('the paths in the boot report on %s', (platform) => {
  it('N5 · includes the path of RouterModule', async () => {
    expect(await reported(platform, () => undefined)).toEqual({
      routes: [
        'GET /reports/:id (ReportsController.read): authenticated, all of tme_admin',
        'GET /reports (ReportsController.list): authenticated',
        'GET /ops/health (HealthController.health): public',
      ],
      served: { '/reports/:id': 401, '/reports': 401, '/ops/health': 200 },
    });
  });

  it('N5 · includes the global prefix, except for excluded routes, and versions in the path', async () => {
    const found = await reported(platform, (app) => {
      app.setGlobalPrefix('api', { exclude: ['ops/health'] });
      app.enableVersioning({ type: VersioningType.URI });
    });
    expect(found).toEqual({
      routes: [
        'GET /api/v1/reports/:id | /api/v2/reports/:id (ReportsController.read): authenticated, all of tme_admin',
        'GET /api/reports (ReportsController.list): authenticated',
        'GET /ops/health (HealthController.health): public',
      ],
      served: { '/api/v1/reports/:id': 401, '/api/v2/reports/:id': 401, '/api/reports': 401, '/ops/health': 200 },
    });
  });

  it('N5 · adds the version after the path if requests name it in a header', async () => {
    const { routes } = await reported(platform, (app) =>
      app.enableVersioning({ type: VersioningType.HEADER, header: 'x-version', defaultVersion: '1' }),
    );
    expect(routes).toEqual([
      'GET /reports/:id, version 1 | 2 (ReportsController.read): authenticated, all of tme_admin',
      'GET /reports (ReportsController.list): authenticated',
      'GET /ops/health, version 1 (HealthController.health): public',
    ]);
  });

  it("N5 · names the same paths in the message of undeclaredRoutes: 'deny'", async () => {
    @Controller({ path: 'open', version: '1' })
    class OpenController {
      @Get()
      read() {}
    }
    const start = startApp(
      platform,
      {
        imports: [XPayAuthModule.forRoot({ baseUrl: 'http://127.0.0.1:1', undeclaredRoutes: 'deny' })],
        controllers: [OpenController],
      },
      (app) => {
        app.setGlobalPrefix('api');
        app.enableVersioning({ type: VersioningType.URI });
      },
    );
    await expect(start).rejects.toThrow(/GET \/api\/v1\/open \(OpenController\.read\)/);
  });

  it.each([
    ['warn', 1],
    ['allow', 0],
  ] as const)("N5 · with undeclaredRoutes: '%s', logs %d warnings of a route without a guard", async (value, count) => {
    @Controller('open')
    class OpenController {
      @Get()
      read() {}
    }
    const warned: string[] = [];
    const silent = { log: () => undefined, error: () => undefined };
    await using _ = await startApp(
      platform,
      {
        imports: [XPayAuthModule.forRoot({ baseUrl: 'http://127.0.0.1:1', undeclaredRoutes: value })],
        controllers: [OpenController],
      },
      (app) => app.useLogger({ ...silent, warn: (line) => warned.push(String(line)) }),
    );
    const named = warned.filter((line) => line.includes('GET /open (OpenController.read)'));
    expect(named).toHaveLength(count);
  });
});
