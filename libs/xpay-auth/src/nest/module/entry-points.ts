import type { DiscoveryService, MetadataScanner } from '@nestjs/core';
import { hasLostDecorator } from '../decorators/route-decorator.js';
import { requirementOf } from '../requirement/requirement.js';
import { type RouteRule, hasGuard } from './route-rules.js';

/** A way into the app beside HTTP routes, and who may come in. */
export type EntryRule = Pick<RouteRule, 'route' | 'requirement' | 'guarded' | 'lostDecorator'>;

/** Where Nest's packages write what a method is, read without the packages. */
const METADATA = {
  message: 'websockets:message_mapping',
  messageName: 'message',
  pattern: 'microservices:pattern',
  resolverType: 'graphql:resolver_type',
  resolverName: 'graphql:resolver_name',
  resolvesField: 'graphql:resolve_property',
  resolvesReference: 'graphql:resolve_reference',
} as const;

/** Under which conditions Nest runs guards beside HTTP. */
export interface GuardingFacts {
  /** Every root field and every message has this library's guards. */
  readonly globally: boolean;
  /** A hybrid app keeps its global guards from its microservices, unless it was told otherwise. */
  readonly hybrid: boolean;
  /** `fieldResolverEnhancers` of the GraphQL module has `guards`. */
  readonly fieldsToo: boolean;
}

/** Messages, patterns, and the fields of GraphQL before which Nest runs guards. */
export function entryRules(discovery: DiscoveryService, scanner: MetadataScanner, facts: GuardingFacts): EntryRule[] {
  return handlersOf(discovery, scanner).flatMap(({ controller, name, handler, kind, label }) => {
    if (kind === 'field' && !facts.fieldsToo) return [];
    const globally = facts.globally && !(kind === 'pattern' && facts.hybrid);
    const rule: EntryRule = {
      route: `${label} (${controller.name}.${name})`,
      requirement: requirementOf(controller, handler),
      guarded: globally || hasGuard(controller) || hasGuard(handler),
      lostDecorator: hasLostDecorator(controller.prototype as object, name, handler),
    };
    return [rule];
  });
}

/** Fields with guards of this library that Nest does not run, as `Wallet.owner (WalletResolver.owner)`. */
export function unguardedFields(
  discovery: DiscoveryService,
  scanner: MetadataScanner,
): Record<'byTheirOwnMark' | 'byTheirClass', string[]> {
  const fields = handlersOf(discovery, scanner).filter(({ kind }) => kind === 'field');
  const places = (of: typeof fields): string[] => of.map(({ controller, name }) => `${controller.name}.${name}`);
  return {
    byTheirOwnMark: places(fields.filter(({ handler }) => hasGuard(handler))),
    byTheirClass: places(fields.filter(({ controller, handler }) => hasGuard(controller) && !hasGuard(handler))),
  };
}

/** Whether every GraphQL module of the app runs guards before field resolvers. */
export function guardsFields(discovery: DiscoveryService): boolean {
  const options = discovery.getProviders().filter(({ token }) => token === 'GqlModuleOptions');
  return options.every(({ instance }) => {
    const { fieldResolverEnhancers } = (instance ?? {}) as { fieldResolverEnhancers?: readonly string[] };
    return fieldResolverEnhancers?.includes('guards') === true;
  });
}

interface Handler {
  readonly controller: { readonly name: string; readonly prototype: unknown };
  readonly name: string;
  readonly handler: object;
  readonly kind: 'message' | 'pattern' | 'root' | 'field';
  readonly label: string;
}

function handlersOf(discovery: DiscoveryService, scanner: MetadataScanner): Handler[] {
  return [...discovery.getProviders(), ...discovery.getControllers()].flatMap(({ metatype, isNotMetatype }) => {
    if (typeof metatype !== 'function' || isNotMetatype || typeof metatype.prototype !== 'object') return [];
    const prototype = metatype.prototype as Record<string, object>;
    return scanner.getAllMethodNames(prototype).flatMap((name) => {
      const handler = prototype[name];
      const what = handler === undefined ? undefined : describeHandler(handler, name);
      return handler === undefined || what === undefined ? [] : [{ controller: metatype, name, handler, ...what }];
    });
  });
}

function describeHandler(handler: object, name: string): Pick<Handler, 'kind' | 'label'> | undefined {
  const read = (key: string): unknown => Reflect.getMetadata(key, handler);
  if (read(METADATA.message) === true) {
    return { kind: 'message', label: `message ${JSON.stringify(read(METADATA.messageName))}` };
  }
  const pattern = read(METADATA.pattern);
  if (pattern !== undefined) return { kind: 'pattern', label: `pattern ${JSON.stringify(pattern)}` };
  const type = read(METADATA.resolverType);
  const resolved = read(METADATA.resolverName);
  const field = typeof resolved === 'string' ? resolved : name;
  if (type === 'Query' || type === 'Mutation' || type === 'Subscription') {
    return { kind: 'root', label: `${type} ${field}` };
  }
  if (read(METADATA.resolvesField) === true || read(METADATA.resolvesReference) === true) {
    return { kind: 'field', label: `field ${field}` };
  }
  return undefined;
}
