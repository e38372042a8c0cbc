import { fromForeignError, type XPayAuthError } from '../../core/errors.js';

// Each of these optional peers is loaded when the first caller of its context is rejected. An app with such a context has the
// package. The names are literal, so that a bundle contains the same copy that Nest uses: Nest recognises only the classes of
// that copy. The imports are within `try`, so that a bundler continues without a missing package (esbuild silently, webpack with
// a warning). The published types do not refer to these packages.

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
