import { fromForeignError, type XPayAuthError } from '../../core/errors.js';

// Optional peers, loaded when the first caller of their context is rejected: an app with the context has the package.
// Literal names, so that a bundle has the one copy whose classes Nest recognises. Within `try`, so that a bundler that does
// not find one goes on (esbuild silently, webpack with a warning). Published types name none of them.

export async function loadGraphQL(): Promise<typeof import('graphql')> {
  try {
    return await import('graphql');
  } catch (thrown) {
    throw notInstalled('graphql', thrown);
  }
}

export async function loadWebSockets(): Promise<typeof import('@nestjs/websockets')> {
  try {
    return await import('@nestjs/websockets');
  } catch (thrown) {
    throw notInstalled('@nestjs/websockets', thrown);
  }
}

export async function loadMicroservices(): Promise<typeof import('@nestjs/microservices')> {
  try {
    return await import('@nestjs/microservices');
  } catch (thrown) {
    throw notInstalled('@nestjs/microservices', thrown);
  }
}

function notInstalled(name: string, thrown: unknown): XPayAuthError {
  return fromForeignError(thrown, 'configuration', `The package "${name}" cannot be loaded`);
}
