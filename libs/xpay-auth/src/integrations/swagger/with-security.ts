import type { INestApplication } from '@nestjs/common';
import { ApplicationConfig, DiscoveryService, MetadataScanner } from '@nestjs/core';
import type { OpenAPIObject, PathItemObject } from '@nestjs/swagger';
import { isDeepStrictEqual } from 'node:util';
import { XPayAuthError } from '../../core/errors.js';
import { DEFAULT_INSTANCE } from '../../nest/options/resolve-options.js';
import { routeRules } from '../../nest/module/route-rules.js';
import { XPayAuthGuard } from '../../nest/guards/xpay-auth.guard.js';
import { XPayInstances } from '../../nest/instance/xpay-instances.js';
import { FAILURE_SCHEMA, failureSchema } from './failure-schema.js';
import { OperationWriter } from './operation-writer.js';
import { operationKey, operationsOf, rulesByOperation } from './rules-by-operation.js';
import { type OfferedScheme, offeredScheme, offeredSchemes } from './security-schemes.js';

/**
 * The document with what the guards will do: who may call each operation, with which scopes, and how everybody else is
 * answered. Read from the marks that the guards read. What you documented yourself stays.
 *
 * Call it on what `SwaggerModule.createDocument` returned, before you change paths: throws `configuration` for an operation
 * that is no route of this app.
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
    const rule = ruleOf.get(operationKey(method, path));
    if (rule === undefined) throw noRoute(method, path);
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
        responses: writer.responses(),
      }),
      securitySchemes: withSchemes(components.securitySchemes, schemes),
    },
  };
}

type SecuritySchemes = NonNullable<NonNullable<OpenAPIObject['components']>['securitySchemes']>;

/** What you defined stays; what `setupXPaySecurity` defined and no instance accepts goes; the rest is added. */
function withSchemes(present: SecuritySchemes = {}, schemes: readonly OfferedScheme[]): SecuritySchemes {
  const names = new Set(schemes.map(({ name }) => name));
  const ours = (['basic', 'bearer'] as const).map((extractor) => offeredScheme(DEFAULT_INSTANCE, extractor));
  const unused = ours.filter(({ name, scheme }) => !names.has(name) && isDeepStrictEqual(present[name], scheme));
  const kept = Object.entries(present).filter(([name]) => !unused.some((scheme) => scheme.name === name));
  return { ...Object.fromEntries(schemes.map(({ name, scheme }) => [name, scheme])), ...Object.fromEntries(kept) };
}

/** By `globalGuards`, or by hand with `APP_GUARD` or `useGlobalGuards`. */
function isGuardedGlobally(app: INestApplication): boolean {
  const isSet = app
    .get(XPayInstances)
    .all()
    .some(({ options }) => options.globalGuards);
  return (
    isSet ||
    app
      .get(ApplicationConfig)
      .getGlobalGuards()
      .some((guard) => guard instanceof XPayAuthGuard)
  );
}

function noRoute(method: string, path: string): XPayAuthError {
  return new XPayAuthError(
    'configuration',
    `withXPaySecurity: ${method.toUpperCase()} ${path} is no route of this app. Call it on what createDocument returned, ` +
      'before paths are changed or added.',
  );
}
