import {
  type AxiosAdapter,
  type AxiosError,
  type AxiosInstance,
  type AxiosResponse,
  type InternalAxiosRequestConfig,
  getAdapter,
  isAxiosError,
} from 'axios';
import { Readable } from 'node:stream';
import type { AccessToken } from '../../core/credentials.js';
import { snapshotOf } from './body-snapshot.js';
import type { XPayAccountTokens } from './account-tokens.js';

/** Options of {@link attachXPayBearer}. */
export interface XPayBearerOptions {
  /**
   * Returns whether an answer other than a 401 rejects the token. If so, the token is renewed for later requests. The request
   * itself is not repeated, because only a 401 guarantees that the request had no effect, and some requests move money. The
   * function receives the response as your earlier response interceptors have left it, if it still has its `config`.
   * @default none
   */
  isRejection?: (response: AxiosResponse) => boolean;
}

/**
 * Property of a request config that holds a {@link Use}. The property name is a string, because axios drops symbols when it
 * merges or copies a config.
 */
const MARK = 'xpayBearer';

/** The state of a request that carries the app token. */
interface Use {
  readonly token: AccessToken;
  /** The account of the token. Several accounts may share one axios instance. */
  readonly tokens: XPayAccountTokens;
  /** The adapter of the app. */
  readonly adapter: InternalAxiosRequestConfig['adapter'];
}

type Config = InternalAxiosRequestConfig & { [MARK]?: Use };

/**
 * The failure of a renewal, on its way from the adapter to our response interceptor. axios would write to the property `response`
 * of the failure itself, which is the body of an `HttpException`.
 */
class RenewalFailure extends Error {
  constructor(readonly failure: unknown) {
    super('The token was rejected and could not be renewed');
  }
}

/**
 * Adds the app token to the requests of your own axios instance. Prefer `XPayHttpService` if you do not need that instance.
 *
 * ```ts
 * const detach = attachXPayBearer(httpService.axiosRef, tokens);
 * ```
 *
 * Pass `tokens.forAccount(id)` to add the token of another account.
 *
 * - Only requests to the origin of the instance's `baseUrl` get the token. A request that already has `Authorization` is left
 *   unchanged.
 * - A request with the token does not follow redirects. A 3xx is returned as the answer.
 * - Bytes, `URLSearchParams`, arrays and plain objects in the body and in `params` are copied before the wait for a token, so
 *   changing them later has no effect. An instance of a class or an object with `toJSON` is read when axios encodes the body.
 * - After a 401 the token is renewed and the request is repeated once with the same bytes, unless its body is a stream or a form.
 *   Interceptors receive the request once, and only the final response. The answer to the repeated request is returned with any
 *   status.
 * - If no token can be obtained, the request is not sent or not repeated. It rejects with the `XPayAuthError` of `getToken()`.
 * - The error of a request with the token does not contain the token: `Authorization` is removed from the headers of the error,
 *   and the property `request` of the error is emptied.
 *
 * Call this function before you add interceptors that change the URL of a request, because axios runs the last request
 * interceptor first.
 *
 * @returns a function that removes the interceptors
 */
export function attachXPayBearer(
  axios: AxiosInstance,
  tokens: XPayAccountTokens,
  options: XPayBearerOptions = {},
): () => void {
  const { origin } = new URL(tokens.settings.baseUrl);

  const attach = async (config: Config): Promise<Config> => {
    const spokenFor = config.headers.has('authorization') || config.auth !== undefined;
    if (spokenFor || originOf(axios, config) !== origin) return config;
    // The body is copied before the wait for a token. Later changes by the app therefore affect neither the request nor its
    // repetition.
    config.data = snapshotOf(config.data);
    if (config.params !== undefined) config.params = snapshotOf(config.params);
    const token = await tokens.getToken(waitOf(config));
    config.maxRedirects = 0;
    // The fetch adapter of older versions of axios only reads this option.
    config.fetchOptions = { ...config.fetchOptions, redirect: 'manual' };
    // The config of a failed request may be sent again. It then has our adapter already.
    use(config, { token, tokens, adapter: (config[MARK] ?? config).adapter });
    config.adapter = send;
    return config;
  };

  /**
   * Sends a request with the token, and repeats it after a 401. An adapter does this, because axios calls the adapter with the
   * encoded body, after all request interceptors and before all response interceptors. No interceptor therefore runs twice.
   */
  const send: AxiosAdapter = async (config: Config) => {
    const { token, adapter } = config[MARK] as Use;
    const deliver = getAdapter(adapter, config);
    const isOurs = config.headers.get('authorization') === headerOf(token);
    const first = await outcomeOf(deliver(config));
    if (!isOurs || first.response?.status !== 401) return resultOf(first);
    await tokens.invalidate(token);
    if (!isReplayable(config.data)) return resultOf(first);
    discard(first.response.data);
    const next = await tokens.getToken(waitOf(config)).catch((failure: unknown) => {
      throw new RenewalFailure(failure);
    });
    use(config, { token: next, tokens, adapter });
    const second = await outcomeOf(deliver(config));
    if (second.response?.status === 401) await tokens.invalidate(next);
    return resultOf(second);
  };

  const afterAnswer = async (response: AxiosResponse): Promise<AxiosResponse> => {
    // An interceptor of the app may have replaced the response by its data.
    const { status, config } = (response ?? {}) as Partial<AxiosResponse>;
    const used = (config as Config | undefined)?.[MARK];
    if (used?.tokens === tokens && status !== 401 && options.isRejection?.(response) === true) {
      await tokens.invalidate(used.token);
    }
    return response;
  };

  const afterError = async (error: unknown): Promise<never> => {
    if (error instanceof RenewalFailure) throw error.failure;
    if (!isAxiosError(error)) throw error;
    if (error.response !== undefined) await afterAnswer(error.response);
    throw withoutToken(error);
  };

  const request = axios.interceptors.request.use(attach);
  const response = axios.interceptors.response.use(afterAnswer, afterError);
  return () => {
    axios.interceptors.request.eject(request);
    axios.interceptors.response.eject(response);
  };
}

/** Sets the token of a request. */
function use(config: Config, used: Use): void {
  config.headers.set('authorization', headerOf(used.token));
  config[MARK] = used;
}

function headerOf({ value }: AccessToken): string {
  return `Bearer ${value}`;
}

function waitOf({ signal }: Config): { readonly signal?: AbortSignal } {
  return signal instanceof AbortSignal ? { signal } : {};
}

/** The response of an adapter, and the error with which the adapter rejected. */
interface Outcome {
  readonly response?: AxiosResponse | undefined;
  readonly error?: AxiosError;
}

/** Returns the outcome of a request. Throws an error that is not an `AxiosError`. */
async function outcomeOf(sent: Promise<AxiosResponse>): Promise<Outcome> {
  try {
    return { response: await sent };
  } catch (error) {
    if (!isAxiosError(error)) throw error;
    return { response: error.response, error };
  }
}

function resultOf({ response, error }: Outcome): AxiosResponse {
  if (error !== undefined) throw withoutToken(error);
  return response as AxiosResponse;
}

/** Removes the token from the error of a request that carried the token. */
function withoutToken(error: AxiosError): AxiosError {
  if ((error.config as Config | undefined)?.[MARK] === undefined) return error;
  error.config?.headers.delete('authorization');
  error.request = {};
  if (error.response !== undefined) error.response.request = {};
  return error;
}

/** Ends a body that is a stream, because its connection would otherwise stay in use. */
function discard(body: unknown): void {
  if (body instanceof Readable) body.destroy();
  else if (body instanceof ReadableStream) void body.cancel().catch(() => undefined);
}

function originOf(axios: AxiosInstance, config: Config): string | undefined {
  const address = axios.getUri(config);
  return URL.canParse(address) ? new URL(address).origin : undefined;
}

/** Whether a body that was sent once can be sent again. Objects are text at this point, because axios has encoded them. */
function isReplayable(body: unknown): boolean {
  const isText = body === undefined || body === null || typeof body === 'string';
  return isText || ArrayBuffer.isView(body) || body instanceof ArrayBuffer;
}
