import type { OpenAPIObject, OperationObject, ReferenceObject, ResponseObject } from '@nestjs/swagger';
import type { XPayAuthErrorCode } from '../../core/errors.js';
import type { XPayInstance } from '../../nest/instance/instance.js';
import type { RouteRule } from '../../nest/module/route-rules.js';
import type { XPayInstances } from '../../nest/instance/xpay-instances.js';
import { guardFailures, ownFailures } from './failure-codes.js';
import { type FailureFacts, failureResponses } from './failure-responses.js';
import { ownFailuresOf } from './own-failures.js';
import { ResponseRegistry } from './response-registry.js';
import { scopeExtension, scopeNote } from './scope-notes.js';
import { besideOthers, securityOf, withoutSchemes } from './security-requirements.js';
import { offeredSchemes } from './security-schemes.js';

/** Writes into one operation after another what its rule says, and keeps what they share. */
export class OperationWriter {
  /** Every code that some operation may answer. */
  readonly codes = new Set<XPayAuthErrorCode>();
  readonly #shelf: ResponseRegistry;
  readonly #schemeNames: ReadonlySet<string>;
  readonly #withScopes: boolean;

  constructor(
    private readonly document: OpenAPIObject,
    private readonly instances: XPayInstances,
  ) {
    this.#shelf = new ResponseRegistry(document.components?.responses);
    this.#schemeNames = new Set(
      instances.all().flatMap((instance) => offeredSchemes(instance).map(({ name }) => name)),
    );
    this.#withScopes = !document.openapi.startsWith('3.0');
  }

  responses(): Record<string, ResponseObject | ReferenceObject> {
    return this.#shelf.all();
  }

  write(operation: OperationObject, rule: RouteRule): OperationObject {
    const { requirement, guarded, handler } = rule;
    const asksCaller = guarded && requirement.access !== 'public';
    const instance = asksCaller ? this.instances.get(requirement.instance) : this.instances.answering();
    const codes = [
      ...(asksCaller && instance !== undefined ? guardFailures(requirement, instance) : []),
      ...ownFailures(ownFailuresOf(handler), instance),
    ];
    const requiredScopes = [...requirement.all, ...requirement.any];
    const responses = this.#responses(operation, codes, factsOf(instance, requiredScopes));
    if (requirement.access === 'public')
      return { ...operation, responses, security: this.#ofOthers(operation.security) };
    // Nobody asks here; what the user wrote of it stands.
    if (!asksCaller || instance === undefined) return { ...operation, responses };

    const schemes = offeredSchemes(instance).map(({ name }) => name);
    const others = this.#ofOthers(operation.security ?? this.document.security);
    const note = scopeNote(requirement, instance.options.scopeHierarchy);
    return {
      ...operation,
      ...(note !== undefined && { description: [operation.description, note].filter(Boolean).join('\n\n') }),
      ...(operation.parameters && { parameters: operation.parameters.filter((each) => !isAuthorization(each)) }),
      responses,
      security: besideOthers(others, securityOf(requirement, schemes, this.#withScopes)),
      ...scopeExtension(requirement),
    };
  }

  #ofOthers(security: OperationObject['security'] = []): NonNullable<OperationObject['security']> {
    return withoutSchemes(security, this.#schemeNames);
  }

  /** Ours, and of the same status what the user said of it. */
  #responses(
    { responses: present }: OperationObject,
    codes: readonly XPayAuthErrorCode[],
    facts: FailureFacts,
  ): OperationObject['responses'] {
    const all = { ...present };
    for (const [status, { name, response }] of failureResponses(codes, facts)) {
      const said = all[status];
      if (said === undefined) all[status] = this.#shelf.put(name, response);
      else if (!('$ref' in said)) all[status] = merged(response, said);
    }
    for (const code of codes) this.codes.add(code);
    return all;
  }
}

/** OpenAPI ignores such a parameter; Swagger UI asks for it all the same. The header is what the security says. */
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
