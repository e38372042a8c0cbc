import type { DocumentBuilder, SecuritySchemeObject } from '@nestjs/swagger';
import { HEADER_SCHEMES } from '../../nest/request/caller-reader.js';
import type { CredentialsExtractor } from '../../core/incoming-request.js';
import type { XPayInstance } from '../../nest/instance/instance.js';
import { DEFAULT_INSTANCE } from '../../nest/options/resolve-options.js';

/** A way to present credentials, as a security scheme of a document. */
export interface OfferedScheme {
  /** Its key in `components.securitySchemes`: `basic`, or `gift-basic` of the instance `gift`. */
  readonly name: string;
  readonly scheme: SecuritySchemeObject;
}

const DESCRIPTIONS = {
  basic: 'The username, and the secret key as the password.',
  bearer: 'An access token that a login to this API returned.',
} as const;

/**
 * One entry of `verification.extractors` as a security scheme. OpenAPI cannot express from where a custom extractor reads
 * credentials, so the extractor becomes an HTTP scheme with the name of its challenge.
 */
function offeredScheme(instance: string, extractor: 'basic' | 'bearer' | CredentialsExtractor): OfferedScheme {
  const scheme = typeof extractor === 'string' ? HEADER_SCHEMES[extractor].scheme : extractor.scheme;
  const kind = scheme.toLowerCase().replace(/[^\w.-]/g, '_');
  const isNamed = instance !== DEFAULT_INSTANCE;
  const description =
    (typeof extractor === 'string' ? DESCRIPTIONS[extractor] : `Credentials of the scheme ${scheme}.`) +
    (isNamed ? ` For the routes of ${instance}.` : '');
  return {
    name: isNamed ? `${instance}-${kind}` : kind,
    scheme: { type: 'http', scheme: scheme.toLowerCase(), description },
  };
}

/** The schemes of the unnamed instance with the default extractors. */
export const DEFAULT_SCHEMES = (['basic', 'bearer'] as const).map((each) => offeredScheme(DEFAULT_INSTANCE, each));

/** Every way to present credentials to an instance, in the order of its challenge. */
export function offeredSchemes({ options }: XPayInstance): readonly OfferedScheme[] {
  return options.verification.extractors.map((extractor) => offeredScheme(options.name, extractor));
}

/**
 * Defines the security schemes `basic` and `bearer` of the unnamed instance, and returns the builder.
 * {@link withXPaySecurity} adds them to the routes that need them, and defines those of named instances (`gift-basic`,
 * `gift-bearer`).
 *
 * ```ts
 * const config = setupXPaySecurity(new DocumentBuilder().setTitle('Reports')).build();
 * ```
 */
export function setupXPaySecurity<Builder extends DocumentBuilder>(builder: Builder): Builder {
  for (const { name, scheme } of DEFAULT_SCHEMES) builder.addSecurity(name, scheme);
  return builder;
}
