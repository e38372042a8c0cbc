import type { ResponseObject } from '@nestjs/swagger';
import type { ChallengeContext } from '../../core/challenge.js';
import type { XPayAuthError } from '../../core/errors.js';
import { headersOf } from '../../nest/exceptions/http-exception.js';

interface HeaderDescription {
  readonly name: string;
  readonly type: 'string' | 'integer';
  readonly description: (status: number) => string;
}

const HEADERS: Readonly<Record<string, HeaderDescription>> = {
  'cache-control': { name: 'Cache-Control', type: 'string', description: () => 'No cache keeps the answer.' },
  'retry-after': { name: 'Retry-After', type: 'integer', description: () => 'Seconds after which to try again.' },
  'www-authenticate': {
    name: 'WWW-Authenticate',
    type: 'string',
    description: (status) =>
      status === 403
        ? 'The scopes that are needed.'
        : 'How to present credentials. A script in a browser is not offered Basic.',
  },
};

/** The headers that come with these failures of one status: an example, and one for each code where they differ. */
export function documentedHeaders(
  status: number,
  failures: readonly XPayAuthError[],
  challenge: ChallengeContext | undefined,
): NonNullable<ResponseObject['headers']> {
  const sent = failures.map((failure) => [failure.code, headersOf(failure, challenge)] as const);
  const documented: NonNullable<ResponseObject['headers']> = {};
  for (const [key, { name, type, description }] of Object.entries(HEADERS)) {
    const values = sent.flatMap(([code, headers]) => {
      const value = headers[key];
      return value === undefined ? [] : [[code, type === 'integer' ? Number(value) : value] as const];
    });
    const [example, ...others] = new Set(values.map(([, value]) => value));
    if (example === undefined) continue;
    // Swagger UI shows the schema's example, and no other.
    documented[name] = { description: description(status), schema: { type, example } };
    if (others.length > 0) {
      documented[name].examples = Object.fromEntries(values.map(([code, value]) => [code, { value }]));
    }
  }
  return documented;
}
