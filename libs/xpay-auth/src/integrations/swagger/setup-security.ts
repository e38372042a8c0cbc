import type { DocumentBuilder } from '@nestjs/swagger';
import { DEFAULT_INSTANCE } from '../../nest/options/resolve-options.js';
import { offeredScheme } from './security-schemes.js';

/**
 * Defines the security schemes `basic` and `bearer` of the unnamed instance, and returns the builder.
 * {@link withXPaySecurity} says which routes ask for them, and adds those of named instances (`gift-basic`, `gift-bearer`).
 *
 * ```ts
 * const config = setupXPaySecurity(new DocumentBuilder().setTitle('Reports')).build();
 * ```
 */
export function setupXPaySecurity<Builder extends DocumentBuilder>(builder: Builder): Builder {
  for (const extractor of ['basic', 'bearer'] as const) {
    const { name, scheme } = offeredScheme(DEFAULT_INSTANCE, extractor);
    builder.addSecurity(name, scheme);
  }
  return builder;
}
