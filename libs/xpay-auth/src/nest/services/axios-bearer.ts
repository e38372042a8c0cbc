import {
  AxiosHeaders,
  type AxiosInstance,
  type AxiosResponse,
  type InternalAxiosRequestConfig,
  isAxiosError,
} from 'axios';
import type { AccessToken } from '../../core/credentials.js';
import { snapshotOf } from './body-snapshot.js';
import type { XPayAccountTokens } from './account-tokens.js';

/** Options of {@link attachXPayBearer}. */
export interface XPayBearerOptions {
  /**
   * Returns whether an answer other than a 401 rejects the token. If so, the token is renewed for later requests. The request
   * itself is not repeated, because only a 401 guarantees that the request had no effect, and some requests move money.
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
  readonly token?: AccessToken;
  /** Identifies the call of {@link attachXPayBearer} that set the token. Several instances may share one axios instance. */
  readonly by?: symbol;
  readonly isRepeat?: boolean;
}

type Config = InternalAxiosRequestConfig & { [MARK]?: Use };

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
 *   The repeated request passes through your other interceptors again. Its answer is returned with any status.
 * - If no token can be obtained, the request is not sent. It rejects with the `XPayAuthError` of `getToken()`.
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
  const self = Symbol('attachXPayBearer');

  const attach = async (config: Config): Promise<Config> => {
    const spokenFor = config.headers.has('authorization') || config.auth !== undefined;
    if (spokenFor || originOf(axios, config) !== origin) return config;
    // The body is copied before the wait for a token. Later changes by the app therefore affect neither the request nor its
    // repetition.
    config.data = snapshotOf(config.data);
    if (config.params !== undefined) config.params = snapshotOf(config.params);
    const token = await tokens.getToken(config.signal instanceof AbortSignal ? { signal: config.signal } : {});
    config.headers.set('authorization', `Bearer ${token.value}`);
    config.maxRedirects = 0;
    // The fetch adapter of older versions of axios only reads this option.
    config.fetchOptions = { ...config.fetchOptions, redirect: 'manual' };
    config[MARK] = { ...config[MARK], token, by: self };
    return config;
  };

  /** Repeats a request after a 401. Returns the answer to the repeated request, or `undefined` if the request was not repeated. */
  const repeated = async (response: AxiosResponse): Promise<AxiosResponse | undefined> => {
    const config: Config = response.config;
    const { token, by, isRepeat = false } = config[MARK] ?? {};
    const isUnauthorized = response.status === 401;
    if (token === undefined || by !== self || !(isUnauthorized || options.isRejection?.(response) === true))
      return undefined;
    await tokens.invalidate(token);
    if (!isUnauthorized || isRepeat || !isReplayable(config.data)) return undefined;
    const headers = new AxiosHeaders(config.headers);
    headers.delete('authorization');
    const again = { ...config, headers, transformRequest: [(body: unknown) => body], [MARK]: { isRepeat: true } };
    return axios.request(again);
  };

  const afterAnswer = async (response: AxiosResponse): Promise<AxiosResponse> => (await repeated(response)) ?? response;

  const afterError = async (error: unknown): Promise<AxiosResponse> => {
    if (!isAxiosError(error)) throw error;
    const answer = error.response === undefined ? undefined : await repeated(error.response);
    if (answer !== undefined) return answer;
    if ((error.config as Config | undefined)?.[MARK] !== undefined) {
      error.config?.headers.delete('authorization');
      error.request = {};
      if (error.response !== undefined) error.response.request = {};
    }
    throw error;
  };

  const request = axios.interceptors.request.use(attach);
  const response = axios.interceptors.response.use(afterAnswer, afterError);
  return () => {
    axios.interceptors.request.eject(request);
    axios.interceptors.response.eject(response);
  };
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
