import type { OnLeave } from '../../async/promises.js';
import { type Credentials, LONGEST_HEADER, SealedCredentials, TOKEN68 } from '../../core/credentials.js';
import type { ChallengeScheme } from '../../core/challenge.js';
import { XPayAuthError } from '../../core/errors.js';
import type { CredentialsExtractor, IncomingRequest } from '../../core/incoming-request.js';

/** The two schemes of the `Authorization` header, with the parameters of their challenges (RFC 7617 §2.1, RFC 6750 §3). */
export const HEADER_SCHEMES: Readonly<Record<'basic' | 'bearer', ChallengeScheme>> = {
  basic: { scheme: 'Basic', parameters: { charset: 'UTF-8' } },
  bearer: { scheme: 'Bearer' },
};

/** Credentials to check. */
export interface PresentedSecret {
  readonly scheme: string;
  readonly credentials: Credentials;
}

/** Presented credentials to check, or a bearer token. */
export type Presented = PresentedSecret | { readonly scheme: string; readonly token: string };

/** Reads the credentials of a request, by the schemes that an instance accepts. */
export class CallerReader {
  /** The schemes that a challenge offers, in the order of the option. */
  readonly schemes: readonly ChallengeScheme[];
  /** Whether credentials are read only from the `Authorization` header, so that the digest of the header identifies a caller. */
  readonly headerOnly: boolean;
  /** Whether the `Authorization` header may contain a bearer token of this app. */
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

  /** Throws `missing_credentials`, `invalid_request`, or `invalid_credentials` for a scheme that is not accepted. */
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
    if (header !== undefined) found.push(this.readHeader(header));
    const [first, second] = found;
    if (second !== undefined) {
      throw new XPayAuthError('invalid_request', 'The request presents two kinds of credentials');
    }
    if (first === undefined) throw new XPayAuthError('missing_credentials', 'The request presents no credentials');
    return first;
  }

  /** Reads the credentials of the `Authorization` header. Throws like {@link read}. */
  readHeader(header: string): Presented {
    const { scheme, rest } = parseAuthorization(header);
    if (this.#accepted.has(scheme)) {
      if (scheme === 'basic') return { scheme: 'Basic', credentials: parseBasic(rest) };
      if (scheme === 'bearer') return { scheme: 'Bearer', token: parseBearer(rest) };
    }
    throw new XPayAuthError('invalid_credentials', 'The scheme of the Authorization header is not accepted here');
  }
}

/**
 * Schemes that audit events name although they are not accepted: the schemes of IANA's registry, and some others in common use.
 * No other first word of a header is named, because in a header without a scheme the first word may be the secret.
 */
const KNOWN_SCHEME =
  /^(?:apikey|basic|bearer|digest|dpop|gnap|hoba|mutual|negotiate|ntlm|oauth|privatetoken|scram-sha-(?:1|256)|token|vapid)$/i;

/** Returns the scheme of a request for an audit event: an accepted or well-known scheme, or `unknown`. */
export function schemeOf({ headers }: IncomingRequest, accepted: readonly ChallengeScheme[] = []): string {
  const [named = ''] = /^\S{1,32}(?= |$)/.exec(headers.authorization ?? '') ?? [];
  const isAccepted = accepted.some(({ scheme }) => scheme.toLowerCase() === named.toLowerCase());
  return isAccepted || KNOWN_SCHEME.test(named) ? named : 'unknown';
}

/**
 * Whether a script in a browser sent the request by `fetch` or `XMLHttpRequest` (Fetch Metadata, W3C). The browser must not open
 * a login dialog for such a request.
 */
export function isFromScript(request: IncomingRequest): boolean {
  return request.headers['sec-fetch-dest'] === 'empty';
}

/**
 * Number of header lines that Node keeps by default (`server.maxHeadersCount`). Node 20 drops further lines. Node 22.23, 24.21 and 26
 * refuse such a request with 431.
 */
const MOST_HEADER_LINES = 1_000;

/**
 * Whether Node may have dropped header lines of this request, because it had too many. A client can thereby hide a second
 * `Authorization`, or the headers that a proxy adds at the end, such as `X-Forwarded-For`.
 */
export function mayLackHeaders({ rawHeaders, raw }: IncomingRequest): boolean {
  // `rawHeaders` has two items for each line.
  return (rawHeaders ?? raw?.rawHeaders ?? []).length >= 2 * MOST_HEADER_LINES;
}

/**
 * Returns the value of the `Authorization` line, or `undefined` if there is no line, more than one, or possibly a dropped one.
 * Never throws.
 */
export function soleAuthorizationOf(request: IncomingRequest): string | undefined {
  const isSole = !mayLackHeaders(request) && countAuthorizationLines(request) <= 1;
  return isSole ? request.headers.authorization : undefined;
}

/**
 * Returns the value of the `Authorization` line, or `undefined` if there is no line. Throws `invalid_request` if there is more
 * than one, or if there may be a dropped one.
 */
export function authorizationOf(request: IncomingRequest): string | undefined {
  refuseTooManyHeaders(request);
  if (countAuthorizationLines(request) > 1) {
    throw new XPayAuthError('invalid_request', 'The request has two Authorization lines');
  }
  return request.headers.authorization;
}

/**
 * Returns the object that identifies the connection of a request: the socket, or the session with HTTP/2. Returns `undefined` if
 * it is not known.
 */
export function connectionOf(request: IncomingRequest): object | undefined {
  const { stream, socket } = nodeRequestOf(request) as { stream?: { session?: unknown } | null; socket?: unknown };
  const connection = stream?.session ?? socket;
  return typeof connection === 'object' && connection !== null ? connection : undefined;
}

/** Counts the `Authorization` lines. Node's `headers` has only the first one. */
function countAuthorizationLines(request: IncomingRequest): number {
  const lines = nodeRequestOf(request).rawHeaders ?? [];
  let count = 0;
  for (let i = 0; i < lines.length; i += 2) {
    const name = lines[i];
    if (name?.length === 13 && name.toLowerCase() === 'authorization') count++;
  }
  return count;
}

/** Returns Node's request. Checks `rawHeaders` first, because reading the missing `raw` of an Express request is slow. */
function nodeRequestOf(request: IncomingRequest): Pick<IncomingRequest, 'rawHeaders' | 'socket'> {
  return request.rawHeaders === undefined ? (request.raw ?? request) : request;
}

/** Throws `invalid_request` if Node may have dropped header lines. */
export function refuseTooManyHeaders(request: IncomingRequest): void {
  if (mayLackHeaders(request)) throw new XPayAuthError('invalid_request', 'The request has too many header lines');
}

/** Removes the credentials from a request, so that no controller, log or proxied call repeats them. */
export function stripCredentials(request: IncomingRequest): void {
  // Node computes `headersDistinct` from `rawHeaders` at the first read, and could not after lines were removed.
  for (const { headers, headersDistinct } of [request, request.raw ?? request] as readonly WithHeaders[]) {
    delete headers?.authorization;
    delete headersDistinct?.authorization;
  }
  // Fastify merges headers that the app has set into a new object at each read.
  const { authorization, ...others } = request.headers;
  if (authorization !== undefined) request.headers = others;
  const lines = (request.raw?.rawHeaders ?? request.rawHeaders ?? []) as string[];
  for (let i = lines.length - 2; i >= 0; i -= 2) if (lines[i]?.toLowerCase() === 'authorization') lines.splice(i, 2);
}

/** A request of Fastify, or of Node, which keeps its `headersDistinct` after the first read. */
interface WithHeaders {
  readonly headers?: IncomingRequest['headers'];
  readonly headersDistinct?: { authorization?: unknown };
}

const SCHEME = /^([!#$%&'*+\-.^_`|~0-9A-Za-z]+)(?: +|$)/;

/** Returns the scheme of an `Authorization` header in lower case, and the rest (RFC 9110 §11.4). Throws `invalid_request`. */
export function parseAuthorization(header: string): { readonly scheme: string; readonly rest: string } {
  const match = header.length > LONGEST_HEADER ? null : SCHEME.exec(header);
  if (match === null) throw malformed('The Authorization header is malformed or too long');
  return { scheme: (match[1] ?? '').toLowerCase(), rest: header.slice(match[0].length) };
}

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/**
 * Returns Basic credentials (RFC 7617 §2). Decodes base64 and UTF-8, and splits at the first colon without changing a byte.
 * Throws `invalid_request` for invalid input, and for base64 that is not canonical (RFC 4648 §3.5), so that credentials have
 * exactly one spelling.
 */
export function parseBasic(rest: string): Credentials {
  const bytes = TOKEN68.test(rest) ? Buffer.from(rest, 'base64') : Buffer.alloc(0);
  if (bytes.length === 0 || bytes.toString('base64') !== rest) {
    throw malformed('Basic credentials must be base64 with its padding');
  }
  let text: string;
  try {
    text = utf8.decode(bytes);
  } catch {
    throw malformed('Basic credentials must be UTF-8');
  }
  const colon = text.indexOf(':');
  if (colon < 0) throw malformed('Basic credentials must contain a colon');
  return new SealedCredentials(text.slice(0, colon), text.slice(colon + 1));
}

/** Returns the token of a Bearer header (RFC 6750 §2.1). Throws `invalid_request` for a text that is not a `b64token`. */
export function parseBearer(rest: string): string {
  if (!TOKEN68.test(rest)) throw malformed('A bearer token must be one b64token');
  return rest;
}

function malformed(message: string): XPayAuthError {
  return new XPayAuthError('invalid_request', message);
}

/** A connection, or with HTTP/2 the stream of one request. */
interface Closable {
  readonly destroyed?: boolean | undefined;
  once(event: 'close', listener: () => void): unknown;
  off(event: 'close', listener: () => void): unknown;
}

interface Listeners {
  readonly leavers: Set<() => void>;
  readonly listener: () => void;
}

/**
 * The listener of each connection. All requests on one connection share it, because Node warns of a leak if a socket has more
 * than ten listeners.
 */
const listening = new WeakMap<Closable, Listeners>();

/**
 * Returns a function that reports when the client of this request has disconnected. Returns `undefined` if the connection is not
 * known.
 */
export function disconnectOf(request: IncomingRequest): OnLeave | undefined {
  const node = (request.raw ?? request) as { readonly stream?: unknown; readonly socket?: unknown };
  const connection = node.stream ?? node.socket ?? request.socket;
  return isClosable(connection) ? (leave) => onClose(connection, leave) : undefined;
}

function onClose(connection: Closable, leave: () => void): () => void {
  if (connection.destroyed === true) {
    leave();
    return () => undefined;
  }
  const { leavers, listener } = listening.get(connection) ?? listenTo(connection);
  // Each request has a separate function, because the same `leave` may be passed twice.
  const once = (): void => leave();
  leavers.add(once);
  return () => {
    if (!leavers.delete(once) || leavers.size > 0) return;
    connection.off('close', listener);
    listening.delete(connection);
  };
}

function listenTo(connection: Closable): Listeners {
  const leavers = new Set<() => void>();
  const listener = (): void => {
    listening.delete(connection);
    const leaving = [...leavers];
    leavers.clear();
    for (const leave of leaving) leave();
  };
  const listeners = { leavers, listener };
  listening.set(connection, listeners);
  connection.once('close', listener);
  return listeners;
}

function isClosable(value: unknown): value is Closable {
  const { once, off } = (value ?? {}) as Partial<Record<keyof Closable, unknown>>;
  return typeof once === 'function' && typeof off === 'function';
}
