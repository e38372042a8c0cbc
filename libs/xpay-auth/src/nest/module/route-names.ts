import { RequestMethod, VERSION_NEUTRAL, VersioningType } from '@nestjs/common';
import { METHOD_METADATA, MODULE_PATH, PATH_METADATA, VERSION_METADATA } from '@nestjs/common/constants.js';
import type { ApplicationConfig, DiscoveryService, ModulesContainer } from '@nestjs/core';
import { RoutePathFactory } from '@nestjs/core/router/route-path-factory.js';

/** Names a route for the log. The arguments are its controller, as Nest's container holds it, and its handler. */
export type RouteName = (controller: ReturnType<DiscoveryService['getControllers']>[number], handler: object) => string;

/**
 * Returns names such as `GET /api/v1/reports`. The paths are those that Nest serves, with the global prefix, the path of
 * `RouterModule` and the version in the path. Several paths are separated by ` | `. The versions follow the paths if a request
 * names its version elsewhere, for example in a header.
 */
export function routeNames(config: ApplicationConfig, { applicationId }: ModulesContainer): RouteName {
  // Nest's router and @nestjs/swagger build their paths with this class.
  const factory = new RoutePathFactory(config);
  const versioning = config.getVersioning();
  return ({ metatype: controller, host }, handler) => {
    const method = read(METHOD_METADATA, handler) as RequestMethod;
    const version =
      versioning &&
      (read(VERSION_METADATA, handler) ?? read(VERSION_METADATA, controller) ?? versioning.defaultVersion);
    const common = {
      globalPrefix: config.getGlobalPrefix(),
      modulePath: read(MODULE_PATH + applicationId, host?.metatype) ?? read(MODULE_PATH, host?.metatype),
      methodVersion: version,
      versioningOptions: versioning,
    };
    const paths = list(read(PATH_METADATA, controller)).flatMap((ctrlPath) =>
      list(read(PATH_METADATA, handler)).flatMap((methodPath) =>
        factory.create(
          { ...common, ctrlPath: slashed(ctrlPath), methodPath: slashed(methodPath) } as RouteParts,
          method,
        ),
      ),
    );
    const beside =
      versioning?.type === VersioningType.URI ? [] : list(version).filter((one) => one !== VERSION_NEUTRAL);
    return `${RequestMethod[method]} ${paths.join(' | ')}${beside.length > 0 ? `, version ${beside.join(' | ')}` : ''}`;
  };
}

type RouteParts = Parameters<RoutePathFactory['create']>[0];

function read(key: string, target: unknown): unknown {
  return typeof target === 'function' ? Reflect.getMetadata(key, target) : undefined;
}

const slashed = (path: unknown): string => `/${String(path)}`.replace(/^\/\//, '/');

function list(value: unknown): readonly unknown[] {
  if (value === undefined) return [];
  return Array.isArray(value) ? value : [value];
}
