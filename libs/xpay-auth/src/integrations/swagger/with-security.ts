import type { INestApplication } from '@nestjs/common';
import { ApplicationConfig, DiscoveryService, MetadataScanner } from '@nestjs/core';
import type { OpenAPIObject, PathItemObject } from '@nestjs/swagger';
import { isDeepStrictEqual } from 'node:util';
import { configurationError } from '../../core/errors.js';
import { routeRules } from '../../nest/module/entry-points.js';
import { XPayAuthGuard } from '../../nest/guards/xpay-auth.guard.js';
import { XPayInstances } from '../../nest/instance/xpay-instances.js';
import { FAILURE_SCHEMA, failureSchema } from './failure-responses.js';
import { OperationWriter } from './operation-writer.js';
import { operationsOf, rulesByOperation } from './rules-by-operation.js';
import { DEFAULT_SCHEMES, type OfferedScheme, offeredSchemes } from './security-schemes.js';

/**
 * Adds security to a document: the schemes and scopes of each operation, and the failure responses. It reads the decorators that
 * the guards read, and keeps your own documentation.
 *
 * Call it on the result of `SwaggerModule.createDocument`, before you change paths: it throws `configuration` for an operation
 * that is not a route of this app.
 *
 * ```ts
 * SwaggerModule.setup('docs', app, () => withXPaySecurity(app, SwaggerModule.createDocument(app, config)));
 * ```
 */
export function withXPaySecurity(app: INestApplication, document: OpenAPIObject): OpenAPIObject {
  const instances = app.get(XPayInstances);
  const rules = routeRules(app.get(DiscoveryService), app.get(MetadataScanner), isGuardedGlobally(app));
  const ruleOf = rulesByOperation(app, document, rules);
  const writer = new OperationWriter(document, instances);

  const paths: Record<string, PathItemObject> = { ...document.paths };
  for (const [path, method, operation] of operationsOf(document)) {
    const rule = ruleOf.get(`${method} ${path}`);
    if (rule === undefined) {
      throw configurationError(
        `withXPaySecurity: ${method.toUpperCase()} ${path} is no route of this app. ` +
          'Call it on what createDocument returned, before paths are changed or added.',
      );
    }
    paths[path] = { ...paths[path], [method]: writer.write(operation, rule) };
  }

  const { components = {} } = document;
  const schemes = instances.all().flatMap(offeredSchemes);
  return {
    ...document,
    paths,
    components: {
      ...components,
      ...(writer.codes.size > 0 && {
        schemas: { ...components.schemas, [FAILURE_SCHEMA]: failureSchema(writer.codes) },
        responses: writer.responses,
      }),
      securitySchemes: withSchemes(components.securitySchemes, schemes),
    },
  };
}

type SecuritySchemes = NonNullable<NonNullable<OpenAPIObject['components']>['securitySchemes']>;

/** Keeps the schemes that you defined, removes those of `setupXPaySecurity` that no instance accepts, and adds the rest. */
function withSchemes(present: SecuritySchemes = {}, schemes: readonly OfferedScheme[]): SecuritySchemes {
  const names = new Set(schemes.map(({ name }) => name));
  const unused = DEFAULT_SCHEMES.filter(
    ({ name, scheme }) => !names.has(name) && isDeepStrictEqual(present[name], scheme),
  );
  const kept = Object.entries(present).filter(([name]) => !unused.some((scheme) => scheme.name === name));
  return { ...Object.fromEntries(schemes.map(({ name, scheme }) => [name, scheme])), ...Object.fromEntries(kept) };
}

/** Whether the guard is global, by `globalGuards`, `APP_GUARD` or `useGlobalGuards`. */
function isGuardedGlobally(app: INestApplication): boolean {
  const guards = app.get(ApplicationConfig).getGlobalGuards();
  const instances = app.get(XPayInstances).all();
  return instances.some(({ options }) => options.globalGuards) || guards.some((each) => each instanceof XPayAuthGuard);
}
