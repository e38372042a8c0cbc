import type { INestApplication } from '@nestjs/common';
import { ApplicationConfig } from '@nestjs/core';
import { DECORATORS, type OpenAPIObject, type OperationObject, SwaggerModule } from '@nestjs/swagger';
import type { EntryPoint } from '../../nest/module/entry-points.js';

/** All operations in the paths of a document. */
export function operationsOf({ paths }: OpenAPIObject): [path: string, method: string, operation: OperationObject][] {
  return Object.entries(paths).flatMap(([path, item]) =>
    Object.entries(item).flatMap(([method, operation]): [string, string, OperationObject][] =>
      isOperation(operation) ? [[path, method, operation]] : [],
    ),
  );
}

/**
 * The rules of the operations that @nestjs/swagger documents, by method and path, such as `get /me`. A document does not name
 * the class and the handler of an operation, and the path of an operation depends on prefixes, versions and modules. So this
 * function lets @nestjs/swagger create a second document, in which a number replaces the security of each class and handler.
 */
export function rulesByOperation(
  app: INestApplication,
  { openapi, info }: OpenAPIObject,
  rules: readonly EntryPoint[],
): ReadonlyMap<string, EntryPoint> {
  const controllers = [...new Set(rules.map(({ controller }) => controller))];
  const handlers = [...new Set(rules.map(({ handler }) => handler))];
  const restore = [
    ...controllers.map((controller, number) => replaceSecurity(controller, [{ controller: [String(number)] }])),
    ...handlers.map((handler, number) => replaceSecurity(handler, [{ handler: [String(number)] }])),
  ];
  try {
    const found = new Map<string, EntryPoint>();
    // A document may have been created without the prefix. If both have a path, the app's own path wins.
    const hasPrefix = app.get(ApplicationConfig).getGlobalPrefix() !== '';
    for (const ignoreGlobalPrefix of hasPrefix ? [true, false] : [false]) {
      const numbered = SwaggerModule.createDocument(app, { openapi, info }, { ignoreGlobalPrefix });
      for (const [path, method, { security = [] }] of operationsOf(numbered)) {
        const numberOf = (what: string): number => Number(security.flatMap((entry) => entry[what] ?? [])[0]);
        const [controller, handler] = [controllers[numberOf('controller')], handlers[numberOf('handler')]];
        const rule = rules.find((each) => each.controller === controller && each.handler === handler);
        if (rule !== undefined) found.set(`${method} ${path}`, rule);
      }
    }
    return found;
  } finally {
    for (const undo of restore) undo();
  }
}

function replaceSecurity(target: object, security: OperationObject['security']): () => void {
  const had = Reflect.hasOwnMetadata(DECORATORS.API_SECURITY, target);
  const before: unknown = Reflect.getOwnMetadata(DECORATORS.API_SECURITY, target);
  Reflect.defineMetadata(DECORATORS.API_SECURITY, security, target);
  return () => {
    if (had) Reflect.defineMetadata(DECORATORS.API_SECURITY, before, target);
    else Reflect.deleteMetadata(DECORATORS.API_SECURITY, target);
  };
}

/** A path item also has strings and lists, which apply to all of its operations. */
function isOperation(value: unknown): value is OperationObject {
  return typeof value === 'object' && value !== null && 'responses' in value;
}
