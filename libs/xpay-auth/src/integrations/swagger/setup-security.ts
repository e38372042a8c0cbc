import type { DocumentBuilder } from '@nestjs/swagger';
import { DEFAULT_SCHEMES } from './security-schemes.js';

/**
 * Defines the security schemes `basic` and `bearer` of the unnamed instance, and returns the builder.
 * {@link withXPaySecurity} adds them to the routes that need them, and defines those of named instances (`gift-basic`, `gift-bearer`).
 *
 * ```ts
 * const config = setupXPaySecurity(new DocumentBuilder().setTitle('Reports')).build();
 * ```
 */
export function setupXPaySecurity<Builder extends DocumentBuilder>(builder: Builder): Builder {
  for (const { name, scheme } of DEFAULT_SCHEMES) builder.addSecurity(name, scheme);
  return builder;
}
