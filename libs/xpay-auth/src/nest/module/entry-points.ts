import type { Type } from '@nestjs/common';
import { GUARDS_METADATA, PATH_METADATA } from '@nestjs/common/constants.js';
import type { DiscoveryService, MetadataScanner } from '@nestjs/core';
import { hasLostDecorator } from '../decorators/route-decorator.js';
import { XPayHandshake } from '../guards/handshake.service.js';
import { XPayAuthGuard } from '../guards/xpay-auth.guard.js';
import { type Requirement, requirementOf } from '../requirement/requirement.js';
import type { RouteName } from './route-names.js';

/**
 * `root` is a query, mutation or subscription of GraphQL, `field` a field of an object type, `message` a message of a WebSocket
 * gateway, and `pattern` a message of a microservice.
 */
type Kind = 'route' | 'message' | 'pattern' | 'root' | 'field';

/** A handler that callers can reach, and its requirement. */
export interface EntryPoint {
  readonly kind: Kind;
  /** Such as `GET /api/v1/admin/report (ReportsController.adminReport)`. */
  readonly label: string;
  /** Such as `ReportsController.adminReport`. */
  readonly place: string;
  /** The class and the function of the handler. A subclass has the same functions as its base class, so both are needed. */
  readonly controller: object;
  readonly handler: object;
  readonly requirement: Requirement;
  /**
   * Whether the method or the class has a guard of this library; `undefined`: neither has one, and the requirement applies only
   * under global guards.
   */
  readonly guardedBy: 'method' | 'class' | undefined;
  /** Whether the handler has lost its access decorator; see `hasLostDecorator`. */
  readonly lostDecorator: boolean;
}

/** Every route, message, pattern and field of the app. */
export function entryPoints(discovery: DiscoveryService, scanner: MetadataScanner, routeName: RouteName): EntryPoint[] {
  const controllers = discovery.getControllers();
  return [...controllers, ...discovery.getProviders()].flatMap((wrapper) => {
    const { metatype: controller, isNotMetatype } = wrapper;
    if (typeof controller !== 'function' || isNotMetatype || typeof controller.prototype !== 'object') return [];
    const prototype = controller.prototype as Record<string, object>;
    return scanner.getAllMethodNames(prototype).flatMap((name) => {
      const handler = prototype[name];
      if (handler === undefined) return [];
      const isRoute = Reflect.hasMetadata(PATH_METADATA, handler) && controllers.includes(wrapper);
      const place = `${controller.name}.${name}`;
      const kinds = [
        ...(isRoute ? [{ kind: 'route' as const, label: routeName(wrapper, handler) }] : []),
        ...kindsBesideHttp(handler, name),
      ];
      return kinds.map(({ kind, label }) => ({
        kind,
        label: `${label} (${place})`,
        place,
        controller,
        handler,
        requirement: requirementOf(controller, handler),
        guardedBy: hasGuard(handler) ? ('method' as const) : hasGuard(controller) ? ('class' as const) : undefined,
        lostDecorator: hasLostDecorator(prototype, name, handler),
      }));
    });
  });
}

/** Whether every GraphQL module of the app runs guards before field resolvers. */
export function guardsFields(discovery: DiscoveryService): boolean {
  const options = discovery.getProviders().filter(({ token }) => token === 'GqlModuleOptions');
  return options.every(({ instance }) => {
    const { fieldResolverEnhancers } = (instance ?? {}) as { fieldResolverEnhancers?: readonly string[] };
    return fieldResolverEnhancers?.includes('guards') === true;
  });
}

/**
 * The gateways, by name, whose `handleConnection` has a guard of this library although the gateway does not inject
 * `XPayHandshake`. Nest runs no guard when a socket is opened, so such a guard does not run.
 */
export function gatewaysWithoutHandshake(discovery: DiscoveryService): string[] {
  return discovery.getProviders().flatMap((wrapper) => {
    const { metatype: gateway } = wrapper;
    if (typeof gateway !== 'function' || Reflect.getMetadata('websockets:is_gateway', gateway) !== true) return [];
    const { handleConnection } = gateway.prototype as { handleConnection?: object };
    if (handleConnection === undefined || !hasGuard(handleConnection)) return [];
    const properties = (wrapper.getPropertiesMetadata() ?? []).map((property) => property.wrapper);
    const injected = [...(wrapper.getCtorMetadata() ?? []), ...properties];
    return injected.some(({ token }) => token === XPayHandshake) ? [] : [gateway.name];
  });
}

/** Reads the metadata of Nest's optional packages by its keys, because importing a package would require it. */
function kindsBesideHttp(handler: object, name: string): Pick<EntryPoint, 'kind' | 'label'>[] {
  const read = (key: string): unknown => Reflect.getMetadata(key, handler);
  if (read('websockets:message_mapping') === true) {
    return [{ kind: 'message', label: `message ${JSON.stringify(read('message'))}` }];
  }
  const pattern = read('microservices:pattern');
  if (pattern !== undefined) return [{ kind: 'pattern', label: `pattern ${JSON.stringify(pattern)}` }];
  const type = read('graphql:resolver_type');
  const field = (read('graphql:resolver_name') as string | undefined) ?? name;
  if (type === 'Query' || type === 'Mutation' || type === 'Subscription') {
    return [{ kind: 'root', label: `${type} ${field}` }];
  }
  const isField = read('graphql:resolve_property') === true || read('graphql:resolve_reference') === true;
  return isField ? [{ kind: 'field', label: `field ${field}` }] : [];
}

function hasGuard(target: object): boolean {
  const guards = (Reflect.getMetadata(GUARDS_METADATA, target) ?? []) as (Type | object)[];
  return guards.some((guard) => {
    const prototype: unknown = typeof guard === 'function' ? guard.prototype : guard;
    return prototype === XPayAuthGuard.prototype || prototype instanceof XPayAuthGuard;
  });
}
