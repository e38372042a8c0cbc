import type { SecurityRequirementObject } from '@nestjs/swagger';
import type { Requirement } from '../../nest/requirement/requirement.js';

/**
 * What a guarded route asks of its caller: one alternative for each accepted scheme, and for each scope of `@AnyScope`; the
 * empty one, which is nobody, under `@OptionalAuth()`. `withScopes`: OpenAPI 3.1 lets any scheme name the roles it needs,
 * 3.0 only OAuth's, so there the lists are empty.
 */
export function securityOf(
  { access, all, any }: Requirement,
  schemes: readonly string[],
  withScopes: boolean,
): SecurityRequirementObject[] {
  const sufficient = any.length === 0 ? [all] : any.map((scope) => [...new Set([...all, scope])]);
  const alternatives = withScopes ? sufficient : [[]];
  const callers = schemes.flatMap((scheme) => alternatives.map((scopes) => ({ [scheme]: [...scopes] })));
  return access === 'optional' ? [{}, ...callers] : callers;
}

/** Beside what others ask for: all guards of a route must let a caller in, so each of theirs goes with each of ours. */
export function besideOthers(
  others: readonly SecurityRequirementObject[],
  ours: readonly SecurityRequirementObject[],
): SecurityRequirementObject[] {
  if (others.length === 0) return [...ours];
  return others.flatMap((other) => ours.map((own) => ({ ...other, ...own })));
}

/** What was asked for by other means than the marks: everything that is no scheme of ours. */
export function withoutSchemes(
  security: readonly SecurityRequirementObject[],
  names: ReadonlySet<string>,
): SecurityRequirementObject[] {
  return security.flatMap((requirement) => {
    const kept = Object.entries(requirement).filter(([name]) => !names.has(name));
    const wasOurs = kept.length === 0 && Object.keys(requirement).length > 0;
    return wasOurs ? [] : [Object.fromEntries(kept)];
  });
}
