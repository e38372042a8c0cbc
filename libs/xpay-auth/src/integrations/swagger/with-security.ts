import type { INestApplication } from '@nestjs/common';
import { ApplicationConfig, DiscoveryService, MetadataScanner } from '@nestjs/core';
import type { OpenAPIObject, OperationObject, PathItemObject, ResponseObject } from '@nestjs/swagger';
import { isDeepStrictEqual } from 'node:util';
import { type XPayAuthErrorCode, configurationError } from '../../core/errors.js';
import { XPayAuthGuard } from '../../nest/guards/xpay-auth.guard.js';
import type { XPayInstance } from '../../nest/instance/instance.js';
import { XPayInstances } from '../../nest/instance/xpay-instances.js';
import { type EntryPoint, entryPoints } from '../../nest/module/entry-points.js';
import { guardFailures, ownFailures } from './failure-codes.js';
import {
  FAILURE_SCHEMA,
  type FailureFacts,
  failureResponses,
  failureSchema,
  shareResponse,
} from './failure-responses.js';
import { operationsOf, rulesByOperation } from './rules-by-operation.js';
import { besideOthers, scopeExtension, scopeNote, securityOf, withoutSchemes } from './security-requirements.js';
import { DEFAULT_SCHEMES, type OfferedScheme, offeredSchemes } from './security-schemes.js';

/**
 * Adds security to a document: the schemes and scopes of each operation, and the failure responses. Reads the same decorators
 * as the guards, and keeps your own documentation.
 *
 * Pass the result of `SwaggerModule.createDocument` before you change its paths. Throws `configuration` for an operation that
 * is not a route of this app.
 *
 * ```ts
 * SwaggerModule.setup('docs', app, () => withXPaySecurity(app, SwaggerModule.createDocument(app, config)));
 * ```
 */
export function withXPaySecurity(app: INestApplication, document: OpenAPIObject): OpenAPIObject {
  const instances = app.get(XPayInstances);
  const schemes = instances.all().flatMap(offeredSchemes);
  const names = new Set(schemes.map(({ name }) => name));
  const isGlobal = isGuardedGlobally(app);
  const withScopes = !document.openapi.startsWith('3.0');
  const codes = new Set<XPayAuthErrorCode>();
  const shared = { ...document.components?.responses };

  const write = (operation: OperationObject, { requirement, guardedBy, handler }: EntryPoint): OperationObject => {
    const { access, all, any } = requirement;
    const asksCaller = (isGlobal || guardedBy !== undefined) && access !== 'public';
    const instance = asksCaller ? instances.get(requirement.instance) : instances.answering();
    const guards = asksCaller && instance !== undefined ? guardFailures(requirement, instance) : [];
    const failures = [...guards, ...ownFailures(handler, instance)];
    for (const code of failures) codes.add(code);
    const responses = { ...operation.responses };
    for (const [status, name, response] of failureResponses(failures, factsOf(instance, [...all, ...any]))) {
      const said = responses[status];
      if (said === undefined) responses[status] = shareResponse(shared, name, response);
      else if (!('$ref' in said)) responses[status] = merged(response, said);
    }
    if (access === 'public')
      return { ...operation, responses, security: withoutSchemes(operation.security ?? [], names) };
    // This library does not guard the route, so the documentation of its security stays.
    if (!asksCaller || instance === undefined) return { ...operation, responses };

    const others = withoutSchemes(operation.security ?? document.security ?? [], names);
    const offered = offeredSchemes(instance).map(({ name }) => name);
    const ours = securityOf(requirement, offered, withScopes);
    const note = scopeNote(requirement, instance.options.scopeHierarchy);
    return {
      ...operation,
      ...(note !== undefined && { description: [operation.description, note].filter(Boolean).join('\n\n') }),
      ...(operation.parameters && { parameters: operation.parameters.filter((each) => !isAuthorization(each)) }),
      responses,
      security: besideOthers(others, ours),
      ...scopeExtension(requirement),
    };
  };

  // The paths of the document need no names of routes.
  const found = entryPoints(app.get(DiscoveryService), app.get(MetadataScanner), () => '');
  const routes = found.filter(({ kind }) => kind === 'route');
  const ruleOf = rulesByOperation(app, document, routes);
  const paths: Record<string, PathItemObject> = { ...document.paths };
  for (const [path, method, operation] of operationsOf(document)) {
    const rule = ruleOf.get(`${method} ${path}`);
    if (rule === undefined) {
      throw configurationError(
        `withXPaySecurity: ${method.toUpperCase()} ${path} is no route of this app. ` +
          'Call it on what createDocument returned, before paths are changed or added.',
      );
    }
    paths[path] = { ...paths[path], [method]: write(operation, rule) };
  }

  const { components = {} } = document;
  return {
    ...document,
    paths,
    components: {
      ...components,
      ...(codes.size > 0 && {
        schemas: { ...components.schemas, [FAILURE_SCHEMA]: failureSchema(codes) },
        responses: shared,
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

/** OpenAPI ignores a parameter for this header, but Swagger UI shows it. The security requirement covers the header. */
function isAuthorization(parameter: NonNullable<OperationObject['parameters']>[number]): boolean {
  return 'in' in parameter && parameter.in === 'header' && parameter.name.toLowerCase() === 'authorization';
}

function merged(ours: ResponseObject, theirs: ResponseObject): ResponseObject {
  return {
    ...theirs,
    description: theirs.description || ours.description,
    headers: { ...ours.headers, ...theirs.headers },
    content: theirs.content ?? ours.content ?? {},
  };
}

function factsOf(instance: XPayInstance | undefined, requiredScopes: readonly string[]): FailureFacts {
  const attempts = instance?.options.attempts;
  return {
    challenge: instance?.strategy.challengeContext({ headers: {} }),
    requiredScopes,
    lockoutMs: attempts === false ? undefined : attempts?.perUserAndAddress.windowMs,
  };
}
