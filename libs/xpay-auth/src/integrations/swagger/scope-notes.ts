import { type ScopeHierarchy, type ScopeRequirement, expandScopes } from '../../core/scopes.js';
import type { Requirement } from '../../nest/requirement/requirement.js';

/**
 * What a requirement says to a reader, as a line of Markdown: 3.0 has no other place for scopes, and few readers look at the
 * lists of 3.1. `undefined` where a valid caller is enough.
 */
export function scopeNote({ access, all, any }: Requirement, hierarchy: ScopeHierarchy): string | undefined {
  if (access === 'optional') return '**Credentials:** optional; wrong ones are refused.';
  const named = (scopes: readonly string[]): string[] => scopes.map((scope) => described(scope, hierarchy));
  const needed = [
    ...(all.length > 0 ? [named(all).join(' and ')] : []),
    ...(any.length > 0 ? [named(any).join(' or ')] : []),
  ];
  if (needed.length === 0) return undefined;
  const isOne = all.length + any.length === 1;
  return `**${isOne ? 'Scope' : 'Scopes'}:** ${needed.join('; and ')}`;
}

/** The same for programs, in every version of OpenAPI: the extension `x-scopes`. */
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
