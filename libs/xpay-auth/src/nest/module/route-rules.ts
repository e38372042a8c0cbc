import { RequestMethod, type Type } from '@nestjs/common';
import { GUARDS_METADATA, METHOD_METADATA, PATH_METADATA } from '@nestjs/common/constants.js';
import type { DiscoveryService, MetadataScanner } from '@nestjs/core';
import { hasLostDecorator } from '../decorators/route-decorator.js';
import { type Requirement, requirementOf } from '../requirement/requirement.js';
import { XPayAuthGuard } from '../guards/xpay-auth.guard.js';

/** One route of the app, and who may come in. */
export interface RouteRule {
  /** Such as `GET /admin/report (ReportsController.adminReport)`. */
  readonly route: string;
  /** The class, and the function that answers; subclasses share the functions they inherit. */
  readonly controller: object;
  readonly handler: object;
  readonly requirement: Requirement;
  /** A guard of this library stands before it. Without one nobody asks for what its requirement says. */
  readonly guarded: boolean;
  /** A mark was written here that no longer holds; see `hasLostItsMark`. */
  readonly lostDecorator: boolean;
}

/** Every route of the app's controllers, as the guards will judge it. */
export function routeRules(
  discovery: DiscoveryService,
  scanner: MetadataScanner,
  guardedGlobally: boolean,
): RouteRule[] {
  return discovery.getControllers().flatMap(({ metatype }) => {
    if (typeof metatype !== 'function') return [];
    const prototype = metatype.prototype as Record<string, object>;
    return scanner.getAllMethodNames(prototype).flatMap((name) => {
      const handler = prototype[name];
      if (handler === undefined || !Reflect.hasMetadata(PATH_METADATA, handler)) return [];
      return [
        {
          route: `${routeOf(metatype, handler)} (${metatype.name}.${name})`,
          controller: metatype,
          handler,
          requirement: requirementOf(metatype, handler),
          guarded: guardedGlobally || hasGuard(metatype) || hasGuard(handler),
          lostDecorator: hasLostDecorator(prototype, name, handler),
        },
      ];
    });
  });
}

/** What a rule says, for a reader of the log. */
export function describeRule({ requirement, guarded }: Pick<RouteRule, 'requirement' | 'guarded'>): string {
  const { access, all, any, instance } = requirement;
  if (!guarded) return access === 'public' ? 'public' : 'NOT PROTECTED by this module';
  const scopes = [
    ...(all.length > 0 ? [`all of ${all.join(' ')}`] : []),
    ...(any.length > 0 ? [`one of ${any.join(' ')}`] : []),
  ];
  return [access, ...scopes, ...(instance === undefined ? [] : [`by ${instance}`])].join(', ');
}

function routeOf(controller: object, handler: object): string {
  const method = RequestMethod[Reflect.getMetadata(METHOD_METADATA, handler) as RequestMethod];
  const [prefix, path] = [controller, handler].map((target) => {
    const value = Reflect.getMetadata(PATH_METADATA, target) as string | string[] | undefined;
    return Array.isArray(value) ? value.join('|') : (value ?? '');
  });
  return `${method} ${`/${prefix}/${path}`.replace(/\/{2,}/g, '/').replace(/(?<=.)\/$/, '')}`;
}

/** Whether a guard of this library was put on a class or method. */
export function hasGuard(target: object): boolean {
  const guards = (Reflect.getMetadata(GUARDS_METADATA, target) ?? []) as (Type | object)[];
  return guards.some((guard) => guard === XPayAuthGuard || guard instanceof XPayAuthGuard);
}
