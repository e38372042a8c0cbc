import { describe, expect, it } from '@jest/globals';
import { Controller, Get, type INestApplication, Module, type ModuleMetadata, VersioningType } from '@nestjs/common';
import { RouterModule } from '@nestjs/core';
import { DocumentBuilder, SwaggerModule } from '@nestjs/swagger';
import { Authenticated, Public, Scopes, XPayAuthModule } from 'nestjs-xpay-auth';
import { withXPaySecurity } from 'nestjs-xpay-auth/swagger';
import { type DocumentSetting, documentOf } from '../support/openapi.js';
import { startApp } from '../support/start-app.js';

@Controller({ path: ['reports', 'berichte'], version: ['1', '2'] })
class ReportsController {
  @Scopes('tme_admin')
  @Get([':id', 'by-id/:id'])
  read() {}
}

/** Another class with the same name and handlers of the same name, so names alone are ambiguous. */
function sameName(): new () => object {
  @Controller({ path: 'health' })
  class ReportsController {
    @Public()
    @Get()
    read() {}
  }
  return ReportsController;
}

@Module({ controllers: [sameName()] })
class OpsModule {}

const metadata: ModuleMetadata = {
  imports: [
    XPayAuthModule.forRoot({ baseUrl: 'http://127.0.0.1:1', globalGuards: true }),
    RouterModule.register([{ path: 'ops', module: OpsModule }]),
    OpsModule,
  ],
  controllers: [ReportsController],
};

async function locks(
  configure: (app: INestApplication) => void,
  setting?: DocumentSetting,
): Promise<Record<string, boolean>> {
  await using app = await startApp('fastify', metadata, configure);
  const { paths } = documentOf(app.app, setting);
  return Object.fromEntries(Object.entries(paths).map(([path, { get }]) => [path, (get?.security ?? []).length > 0]));
}

describe('the requirement of a route is found', () => {
  it('behind module paths, several paths and parameters', async () => {
    expect(await locks(() => undefined)).toEqual({
      '/reports/{id}': true,
      '/reports/by-id/{id}': true,
      '/berichte/{id}': true,
      '/berichte/by-id/{id}': true,
      '/ops/health': false,
    });
  });

  it('behind versions in the path and a prefix with exceptions', async () => {
    const found = await locks((app) => {
      app.enableVersioning({ type: VersioningType.URI });
      app.setGlobalPrefix('api', { exclude: ['ops/health'] });
    });
    expect(found).toMatchObject({
      '/api/v1/reports/{id}': true,
      '/api/v2/berichte/by-id/{id}': true,
      '/ops/health': false,
    });
    expect(Object.keys(found)).toHaveLength(9);
  });

  it('in a document without the prefix, for some modules, with custom operation ids', async () => {
    const options = { ignoreGlobalPrefix: true, include: [OpsModule], operationIdFactory: () => 'same' };
    expect(await locks((app) => void app.setGlobalPrefix('api'), { options })).toEqual({ '/ops/health': false });
  });

  it('or the document is rejected, if there is no such route, rather than left without requirements', async () => {
    @Controller()
    class OneController {
      @Authenticated()
      @Get('one')
      one() {}
    }
    await using app = await startApp('fastify', {
      imports: [XPayAuthModule.forRoot({ baseUrl: 'http://127.0.0.1:1' })],
      controllers: [OneController],
    });
    const document = SwaggerModule.createDocument(app.app, new DocumentBuilder().build());
    const { '/one': one, ...others } = document.paths;
    expect(() => withXPaySecurity(app.app, { ...document, paths: { ...others, '/two': one ?? {} } })).toThrow(
      /GET \/two is no route of this app\. Call it on what createDocument returned/,
    );
  });
});
