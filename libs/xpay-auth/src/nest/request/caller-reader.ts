import type { ChallengeScheme } from '../../core/challenge.js';
import { parseAuthorization, parseBasic, parseBearer } from '../../core/authorization.js';
import { type Credentials, SealedCredentials } from '../../core/credentials.js';
import { XPayAuthError } from '../../core/errors.js';
import { type CredentialsExtractor, HEADER_SCHEMES } from './extractors.js';
import { type IncomingRequest, authorizationOf } from './incoming-request.js';

/** Credentials to check. */
export interface PresentedSecret {
  readonly scheme: string;
  readonly credentials: Credentials;
}

/** What a request presents: credentials to check, or a bearer token. */
export type Presented = PresentedSecret | { readonly scheme: string; readonly token: string };

/**
 * Schemes that are told by name to an auditor beside those that are accepted: of IANA's registry, and some that people use.
 * Where nobody wrote a scheme, the first word is the secret itself.
 */
const KNOWN_SCHEME =
  /^(?:apikey|basic|bearer|digest|dpop|gnap|hoba|mutual|negotiate|ntlm|oauth|privatetoken|scram-sha-(?:1|256)|token|vapid)$/i;

/** Reads what a request presents, by the schemes that an instance accepts. */
export class CallerReader {
  /** What a challenge offers, in the order of the option. */
  readonly schemes: readonly ChallengeScheme[];
  /** Nothing but the `Authorization` header is read, so that its digest alone names a caller. */
  readonly headerOnly: boolean;
  /** A bearer token of this app may stand in the `Authorization` header. */
  readonly takesBearer: boolean;
  readonly #own: readonly CredentialsExtractor[];
  readonly #accepted: ReadonlySet<string>;

  constructor(extractors: readonly ('basic' | 'bearer' | CredentialsExtractor)[]) {
    this.schemes = extractors.map((extractor) =>
      typeof extractor === 'string' ? HEADER_SCHEMES[extractor] : extractor,
    );
    this.#own = extractors.filter((extractor) => typeof extractor !== 'string');
    this.#accepted = new Set(extractors.filter((extractor) => typeof extractor === 'string'));
    this.headerOnly = this.#own.length === 0;
    this.takesBearer = this.#accepted.has('bearer');
  }

  /** Throws `missing_credentials`, `invalid_request`, or `invalid_credentials` for a scheme nobody here speaks. */
  read(request: IncomingRequest): Presented {
    const found = this.#own.flatMap((extractor): Presented[] => {
      const extracted = extractor.extract(request);
      if (extracted === undefined) return [];
      const { scheme } = extractor;
      return 'token' in extracted
        ? [{ scheme, token: extracted.token }]
        : [{ scheme, credentials: SealedCredentials.of(extracted) }];
    });
    const header = authorizationOf(request);
    if (header !== undefined) found.push(this.#readHeader(header));
    const [first, second] = found;
    if (second !== undefined) {
      throw new XPayAuthError('invalid_request', 'The request presents two kinds of credentials');
    }
    if (first === undefined) throw new XPayAuthError('missing_credentials', 'The request presents no credentials');
    return first;
  }

  #readHeader(header: string): Presented {
    const { scheme, rest } = parseAuthorization(header);
    if (this.#accepted.has(scheme)) {
      if (scheme === 'basic') return { scheme: 'Basic', credentials: parseBasic(rest) };
      if (scheme === 'bearer') return { scheme: 'Bearer', token: parseBearer(rest) };
    }
    throw new XPayAuthError('invalid_credentials', 'The scheme of the Authorization header is not accepted here');
  }
}

/** The scheme that a request names, for an auditor: an accepted or a well-known one, `unknown` for whatever else was sent. */
export function schemeOf({ headers }: IncomingRequest, accepted: readonly ChallengeScheme[] = []): string {
  const [named = ''] = /^\S{1,32}(?= |$)/.exec(headers.authorization ?? '') ?? [];
  const isAccepted = accepted.some(({ scheme }) => scheme.toLowerCase() === named.toLowerCase());
  return isAccepted || KNOWN_SCHEME.test(named) ? named : 'unknown';
}
