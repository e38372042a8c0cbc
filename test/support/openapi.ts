import type { INestApplication } from '@nestjs/common';
import {
  DocumentBuilder,
  type OpenAPIObject,
  type OperationObject,
  type ResponseObject,
  type SwaggerDocumentOptions,
  SwaggerModule,
} from '@nestjs/swagger';
import { setupXPaySecurity, withXPaySecurity } from 'nestjs-xpay-auth/swagger';

export interface DocumentSetting {
  /** @default '3.1.0' */
  readonly version?: string;
  readonly build?: (builder: DocumentBuilder) => DocumentBuilder;
  readonly options?: SwaggerDocumentOptions;
}

/** Returns the OpenAPI document of an app, created as in docs/openapi.md. */
export function documentOf(app: INestApplication, { version = '3.1.0', build, options }: DocumentSetting = {}) {
  const builder = setupXPaySecurity(new DocumentBuilder().setOpenAPIVersion(version));
  return withXPaySecurity(app, SwaggerModule.createDocument(app, (build?.(builder) ?? builder).build(), options));
}

/** Returns the operation at a place such as `get /path`. Throws if there is none. */
export function operationAt({ paths }: OpenAPIObject, at: string): OperationObject {
  const [method = '', path = ''] = at.split(' ');
  const operation = paths[path]?.[method as 'get'];
  if (operation === undefined) throw new Error(`No ${at} in the document; there is ${Object.keys(paths).join(', ')}`);
  return operation;
}

/** Returns the response of an operation with this status, with references resolved; `undefined` if there is none. */
export function responseAt(document: OpenAPIObject, at: string, status: number): ResponseObject | undefined {
  const response = operationAt(document, at).responses[status];
  if (response === undefined || !('$ref' in response)) return response;
  return resolve(document, response.$ref) as ResponseObject;
}

/** Resolves a reference within the document. Throws if its target does not exist. */
export function resolve(document: OpenAPIObject, reference: string): unknown {
  let found: unknown = document;
  for (const name of reference.replace(/^#\//, '').split('/')) found = (found as Record<string, unknown>)[name];
  if (found === undefined) throw new Error(`${reference} has no target`);
  return found;
}

/** Returns the body that is documented for a failure code. */
export function exampleOf(response: ResponseObject | undefined, code: string): unknown {
  const example = response?.content?.['application/json']?.examples?.[code];
  return example !== undefined && 'value' in example ? (example.value as unknown) : undefined;
}
