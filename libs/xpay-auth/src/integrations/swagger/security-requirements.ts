import type { SecurityRequirementObject } from '@nestjs/swagger';
import { type ScopeHierarchy, type ScopeRequirement, expandScopes } from '../../core/principal.js';
import type { Requirement } from '../../nest/requirement/requirement.js';

/**
 * The security requirement of a guarded route: one alternative for each accepted scheme, and for each scope of `@AnyScope`.
 * With `@OptionalAuth()` also the empty alternative, for an anonymous caller. Scopes are listed if `withScopes` is set: OpenAPI
 * 3.1 accepts them with any scheme, 3.0 only with OAuth.
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

/** Combines the alternatives of other guards with ours. All guards of a route must accept a caller. */
export function besideOthers(
  others: readonly SecurityRequirementObject[],
  ours: readonly SecurityRequirementObject[],
): SecurityRequirementObject[] {
  if (others.length === 0) return [...ours];
  return others.flatMap((other) => ours.map((own) => ({ ...other, ...own })));
}

/** The requirements without the schemes of this library. */
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

/**
 * A requirement as a line of Markdown, for readers. OpenAPI 3.0 has no other place for scopes, and few readers look at the
 * lists of 3.1. `undefined` if every valid caller is accepted.
 */
export function scopeNote({ access, all, any }: Requirement, hierarchy: ScopeHierarchy): string | undefined {
  if (access === 'optional') return '**Credentials:** optional; wrong ones are rejected.';
  const named = (scopes: readonly string[]): string[] => scopes.map((scope) => described(scope, hierarchy));
  const needed = [named(all).join(' and '), named(any).join(' or ')].filter((part) => part !== '');
  if (needed.length === 0) return undefined;
  const isOne = all.length + any.length === 1;
  return `**${isOne ? 'Scope' : 'Scopes'}:** ${needed.join('; and ')}`;
}

/** The required scopes as the extension `x-scopes`, which programs can read in every version of OpenAPI. */
export function scopeExtension({ all, any }: ScopeRequirement): { 'x-scopes'?: Partial<ScopeRequirement> } {
  if (all.length + any.length === 0) return {};
  return { 'x-scopes': { ...(all.length > 0 && { all: [...all] }), ...(any.length > 0 && { any: [...any] }) } };
}

function described(scope: string, hierarchy: ScopeHierarchy): string {
  const implying = Object.keys(hierarchy).filter(
    (other) => other !== scope && expandScopes([other], hierarchy).includes(scope),
  );
  const names = implying.map((other) => `\`${other}\``).join(', ');
  return `\`${scope}\`${names === '' ? '' : ` (which ${names} ${implying.length > 1 ? 'imply' : 'implies'})`}`;
}
