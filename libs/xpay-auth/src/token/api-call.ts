import { randomUUID } from 'node:crypto';
import { AccessToken } from '../core/credentials.js';
import { XPayAuthError, asXPayAuthError } from '../core/errors.js';
import type { ApiCall, ApiData, ApiLanguage, ApiOutcome, UpstreamAnswer, UpstreamRequest } from '../core/ports.js';
import type { TokenRejection } from '../core/principal.js';
import type { SpanEnd, Instrumentation } from '../core/instrumentation.js';

/** Returns tokens for calls: of the app account, of another account, or of a caller. */
export interface TokenSource {
  /** Returns a token that the upstream has not rejected. An abort ends the wait of this caller only. */
  get(signal?: AbortSignal): Promise<AccessToken>;
  /**
   * Called when the upstream has rejected a token of this source. If the source knows that no other token can be obtained, returns
   * the failure of the call.
   */
  invalidate(rejected: AccessToken, rejection: TokenRejection): XPayAuthError | void;
}

/** The API of one upstream. */
export interface ApiClient {
  readonly api: ApiLanguage;
  readonly send: (request: UpstreamRequest, signal: AbortSignal | undefined) => Promise<UpstreamAnswer>;
  readonly instrumentation: Instrumentation;
}

/**
 * Calls the upstream's API with a token of this source. If the upstream rejects the token, the token is renewed. The call is then
 * repeated once, but only if the first call certainly had no effect, because some calls move money. The body is encoded before
 * anything is awaited, so later changes of the object have no effect.
 */
export async function callApi(
  { api, send, instrumentation }: ApiClient,
  tokens: TokenSource,
  call: ApiCall,
  signal?: AbortSignal,
): Promise<ApiData> {
  const requestWith = encodeCall(api, call);
  const tryWith = async (token: AccessToken, isFirst: boolean): Promise<ApiOutcome> => {
    const ask = async () => api.decode(await send(requestWith(token), signal), call, token);
    const outcome = await instrumentation.observe(asking, ask, { judge, signal });
    if (outcome.kind === 'data') return outcome;
    const { untouched, reference } = outcome;
    const failure = tokens.invalidate(token, { mayRepeat: isFirst && untouched, reference });
    if (failure instanceof XPayAuthError) throw failure;
    return outcome;
  };

  const first = await tryWith(await tokens.get(signal), true);
  if (first.kind === 'data') return first;
  if (!first.untouched) {
    const message =
      'The upstream rejected the token. The call was not repeated, because the first call may have had an effect';
    throw rejected(first, message);
  }
  const second = await tryWith(await tokens.get(signal), false);
  if (second.kind === 'data') return second;
  throw rejected(second, 'The upstream rejected two tokens in a row');
}

const asking = { type: 'ask upstream', operation: 'api', purpose: 'api call' } as const;

function judge({ kind }: ApiOutcome): SpanEnd {
  return { outcome: kind === 'data' ? 'ok' : 'token_rejected' };
}

function rejected(outcome: ApiOutcome, message: string): XPayAuthError {
  return new XPayAuthError('credentials_rejected', message, { reference: outcome.reference });
}

/**
 * Encodes the body of a call once, before this function returns. The returned function creates the request with a token. All
 * requests have the same body. Throws `configuration` for a body that the dialect cannot encode.
 */
function encodeCall(api: ApiLanguage, call: ApiCall): (token: AccessToken) => UpstreamRequest {
  // No caller can guess the placeholder. If the body contains the placeholder, the dialect has therefore written the token there.
  // The last two characters show how the dialect has written the token.
  const uuid = randomUUID();
  const placeholder = new AccessToken(`${uuid}"+`);
  const { body: encodedBody } = encode(api, call, placeholder);
  return (token) => {
    const { body: _, ...request } = encode(api, { ...call, encodedBody }, token);
    if (encodedBody === undefined) return request;
    if (!encodedBody.includes(uuid)) return { ...request, body: encodedBody };
    const withToken = (body: string, spelt: (value: string) => string): string =>
      body.replaceAll(spelt(placeholder.value), () => spelt(token.value));
    return { ...request, body: SPELLINGS.reduce(withToken, encodedBody) };
  };
}

/** The ways in which a dialect may write a token into a body: unchanged, in JSON, and in a form. */
const SPELLINGS: readonly ((value: string) => string)[] = [
  (value) => value,
  (value) => JSON.stringify(value).slice(1, -1),
  (value) => new URLSearchParams({ '': value }).toString().slice(1),
];

/** Converts every error of an encoder to `configuration`, because no request was sent and the caller is not the cause. */
function encode(api: ApiLanguage, call: ApiCall, token: AccessToken): UpstreamRequest {
  try {
    return api.encode(call, token);
  } catch (thrown) {
    const { message, cause } = asXPayAuthError(thrown, 'configuration', 'The dialect cannot encode the call');
    const path = api.template?.(call.path);
    const where = path === undefined ? call.method : `${call.method} ${path}`;
    throw new XPayAuthError('configuration', `${where}: ${message}`, { cause });
  }
}
