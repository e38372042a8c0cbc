import type { OpenAPIObject, OperationObject, ResponseObject } from '@nestjs/swagger';
import type { XPayAuthErrorCode } from '../../core/errors.js';
import type { XPayInstance } from '../../nest/instance/instance.js';
import type { RouteRule } from '../../nest/module/entry-points.js';
import type { XPayInstances } from '../../nest/instance/xpay-instances.js';
import { guardFailures, ownFailures } from './failure-codes.js';
import { type FailureFacts, type SharedResponses, failureResponses, shareResponse } from './failure-responses.js';
import { besideOthers, scopeExtension, scopeNote, securityOf, withoutSchemes } from './security-requirements.js';
import { offeredSchemes } from './security-schemes.js';

type Responses = OperationObject['responses'];

/** Documents operations by their rules, and collects the responses that they share. */
export class OperationWriter {
  /** All codes of the operations so far. */
  readonly codes = new Set<XPayAuthErrorCode>();
  /** The responses that operations share, beside those of the document. */
  readonly responses: SharedResponses;
  readonly #schemeNames: ReadonlySet<string>;
  readonly #withScopes: boolean;

  constructor(
    private readonly document: OpenAPIObject,
    private readonly instances: XPayInstances,
  ) {
    this.responses = { ...document.components?.responses };
    this.#schemeNames = new Set(instances.all().flatMap(schemeNames));
    this.#withScopes = !document.openapi.startsWith('3.0');
  }

  write(operation: OperationObject, rule: RouteRule): OperationObject {
    const { requirement, guarded, handler } = rule;
    const asksCaller = guarded && requirement.access !== 'public';
    const instance = asksCaller ? this.instances.get(requirement.instance) : this.instances.answering();
    const codes = [
      ...(asksCaller && instance !== undefined ? guardFailures(requirement, instance) : []),
      ...ownFailures(handler, instance),
    ];
    const requiredScopes = [...requirement.all, ...requirement.any];
    const responses = this.#responses(operation.responses, codes, factsOf(instance, requiredScopes));
    if (requirement.access === 'public')
      return { ...operation, responses, security: this.#ofOthers(operation.security) };
    // This library does not guard the route, so the documentation of its security stays.
    if (!asksCaller || instance === undefined) return { ...operation, responses };

    const others = this.#ofOthers(operation.security ?? this.document.security);
    const ours = securityOf(requirement, schemeNames(instance), this.#withScopes);
    const note = scopeNote(requirement, instance.options.scopeHierarchy);
    return {
      ...operation,
      ...(note !== undefined && { description: [operation.description, note].filter(Boolean).join('\n\n') }),
      ...(operation.parameters && { parameters: operation.parameters.filter((each) => !isAuthorization(each)) }),
      responses,
      security: besideOthers(others, ours),
      ...scopeExtension(requirement),
    };
  }

  #ofOthers(security: OperationObject['security'] = []): NonNullable<OperationObject['security']> {
    return withoutSchemes(security, this.#schemeNames);
  }

  /** Our responses, merged with those of the user for the same status. */
  #responses(present: Responses, codes: readonly XPayAuthErrorCode[], facts: FailureFacts): Responses {
    const all = { ...present };
    for (const [status, name, response] of failureResponses(codes, facts)) {
      const said = all[status];
      if (said === undefined) all[status] = shareResponse(this.responses, name, response);
      else if (!('$ref' in said)) all[status] = merged(response, said);
    }
    for (const code of codes) this.codes.add(code);
    return all;
  }
}

function schemeNames(instance: XPayInstance): string[] {
  return offeredSchemes(instance).map(({ name }) => name);
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
