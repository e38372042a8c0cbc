import { type Credentials, SealedCredentials } from './credentials.js';
import { XPayAuthError } from './errors.js';

/** An `Authorization` header taken apart (RFC 9110 §11.4): the scheme in lower case, the rest as it came. */
export interface Authorization {
  readonly scheme: string;
  readonly rest: string;
}

const SCHEME = /^([!#$%&'*+\-.^_`|~0-9A-Za-z]+)(?: +|$)/;
/** RFC 9110 §11.2 `token68`, which is also RFC 6750's `b64token`. */
const TOKEN68 = /^[A-Za-z0-9\-._~+/]+=*$/;
/** Characters of the longest header that is looked at: two fields of 4 KiB in base64, with room to spare. */
const LONGEST_HEADER = 12_288;

/** Splits scheme and rest. Throws `invalid_request` for what is no `Authorization` value at all. */
export function parseAuthorization(header: string): Authorization {
  const match = header.length > LONGEST_HEADER ? null : SCHEME.exec(header);
  if (match === null) throw malformed('The Authorization header is malformed or too long');
  return { scheme: (match[1] ?? '').toLowerCase(), rest: header.slice(match[0].length).trimEnd() };
}

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/**
 * What Basic credentials say (RFC 7617 §2): base64, UTF-8, split at the first colon, every byte as it was sent. Throws
 * `invalid_request` for anything else. The base64 has to be the canonical one (RFC 4648 §3.5): one pair of credentials
 * has one spelling.
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
  if (colon < 0) throw malformed('Basic credentials must hold a colon');
  return new SealedCredentials(text.slice(0, colon), text.slice(colon + 1));
}

/** The token of a Bearer header (RFC 6750 §2.1). Throws `invalid_request` for what no token can look like. */
export function parseBearer(rest: string): string {
  if (!TOKEN68.test(rest)) throw malformed('A bearer token must be one b64token');
  return rest;
}

function malformed(message: string): XPayAuthError {
  return new XPayAuthError('invalid_request', message);
}
