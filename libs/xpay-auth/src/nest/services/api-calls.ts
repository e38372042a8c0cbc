import { randomUUID } from 'node:crypto';
import { XPayAuthError } from '../../core/errors.js';
import type { ApiData, UpstreamRequest } from '../../core/ports.js';
import { type ApiClient, type TokenSource, callApi } from '../../token/api-call.js';
import { itemsOf } from '../../token/api-pages.js';
import { onAbort } from '../../async/promises.js';
import { callHeaders, sendable } from './call-headers.js';

/** Options of one call of the upstream's API. */
export interface XPayCallOptions {
  /**
   * Headers in addition to those that the dialect sets, with values in Latin-1. Equal headers of the dialect take precedence. A
   * header about the connection, such as `Host` or `Content-Length`, throws `configuration`.
   */
  readonly headers?: Readonly<Record<string, string>>;
  /** Aborts the call, which then rejects with `signal.reason`. */
  readonly signal?: AbortSignal;
  /**
   * A v4 UUID that identifies the call in the upstream's records. @default a new one
   */
  readonly uuid?: string;
}

/** One call of the upstream's API. */
export interface XPayRequest extends XPayCallOptions {
  /**
   * The HTTP method. @default 'POST'
   */
  readonly method?: UpstreamRequest['method'];
  /** Path of the call, relative to the instance's `baseUrl`. Begins with a slash. */
  readonly path: string;
  /**
   * Body of the call. The dialect encodes the body when the call is made (xPay.stream: JSON), so later changes of the object have
   * no effect.
   */
  readonly body?: unknown;
}

/** Options of {@link XPayApiCalls.pages}. Every page is a separate call with a new `uuid`. */
export interface XPayPagesOptions extends Omit<XPayCallOptions, 'uuid'> {
  /**
   * Maximum number of pages to read, an integer of 1 or more. A longer list throws `configuration` after the items of these
   * pages. @default 10_000
   */
  readonly maxPages?: number;
}

/** The result of a call of the upstream's API. The library does not check the types of `data` and `meta`. */
export interface XPayAnswer<T, Meta = Record<string, unknown>> {
  /** The answer without its envelope (xPay.stream: `success.data`, which may be `null`). */
  data: T;
  /**
   * The upstream's identifier of the request, or the `uuid` that was sent if the answer has none. Quote this value to the support
   * of the upstream.
   */
  uuid: string;
  /** The upstream's text about the call (xPay.stream: `success.message`). Absent if the answer has none. */
  message?: string;
  /**
   * The other fields of the envelope, as own properties (xPay.stream: those of `success`, such as `nextPage`). `{}` for an
   * upstream without an envelope.
   */
  meta: Meta;
}

/** The client, and the signal that ends its calls when the app shuts down. */
export interface ApiCallsParts extends ApiClient {
  readonly stopped: AbortSignal;
}

/**
 * Calls the upstream's API with the tokens of one source, and unwraps the answer. If the upstream rejects the token, the token is
 * renewed, and the call is repeated once if it certainly had no effect.
 */
export class XPayApiCalls {
  readonly #parts: ApiCallsParts;
  readonly #tokens: TokenSource;

  /** @hidden */
  constructor(parts: ApiCallsParts, tokens: TokenSource) {
    this.#parts = parts;
    this.#tokens = tokens;
  }

  /**
   * Posts to the upstream's API and returns the data of the answer (xPay.stream: `success.data`, which may be `null`).
   *
   * @throws XPayAuthError `upstream_business_error` when the upstream reports a business error, `shutting_down` if the module is
   * destroyed during the call, `configuration` before anything is sent for a body that the dialect cannot encode, and the
   * failures of `getToken()`.
   */
  async post<T = unknown>(path: string, body?: unknown, options?: XPayCallOptions): Promise<T> {
    return (await this.request<T>({ ...options, path, body })).data;
  }

  /**
   * Like {@link post}, but with any method, and returns the rest of the answer too: the upstream's identifier of the request
   * (`uuid`), its `message` and the other fields of the envelope (`meta`).
   */
  async request<T = unknown, Meta extends object = Record<string, unknown>>(
    request: XPayRequest,
  ): Promise<XPayAnswer<T, Meta>> {
    const { method = 'POST', path, body, headers = {}, signal, uuid = randomUUID() } = request;
    const call = { method, path, body, uuid: sendable('uuid', uuid), headers: callHeaders(headers) };
    const { instrumentation, stopped } = this.#parts;
    if (stopped.aborted) {
      throw new XPayAuthError('shutting_down', 'The application is shutting down. The call was not sent');
    }
    const ending = new AbortController();
    const stays = [stopped, signal].map((one) => one && onAbort(one, () => ending.abort(one.reason)));
    let answer: ApiData;
    try {
      const run = () => callApi(this.#parts, this.#tokens, call, ending.signal);
      answer = await instrumentation.observe({ type: 'call api' }, run, { signal: ending.signal });
    } catch (failure) {
      // If the caller aborts, the transport fails with `upstream_timeout`. The caller receives the reason of its signal instead.
      signal?.throwIfAborted();
      if (failure instanceof XPayAuthError && failure.code === 'upstream_timeout') stopped.throwIfAborted();
      throw failure;
    } finally {
      for (const stay of stays) stay?.();
    }
    const { data, message, meta = {}, reference } = answer;
    return {
      data: data as T,
      uuid: reference?.uuid ?? uuid,
      ...(message !== undefined && { message }),
      meta: meta as Meta,
    };
  }

  /**
   * Posts to a list of the upstream's API, such as `/client/wallets/find`, and yields the items of all pages. Begins with the
   * page in `body`, or with the first page. The upstream is called for a page when all items of the previous pages have been
   * read. Each call is like a call of {@link post}.
   *
   * With xPay.stream, `nextPage` in the answer decides whether another page follows. If the answer has no `nextPage`, an empty
   * page is the last one. If the list changes between two pages, an item can be yielded twice or not at all.
   *
   * @throws XPayAuthError when an item is read: `configuration` for a dialect without paging, a body that is no object, and a list
   * of more than `maxPages` pages; `upstream_malformed` for an answer without a list; and the failures of {@link post}.
   * @example for await (const wallet of xpay.pages<Wallet>('/client/wallets/find', { pageSize: 50 })) count++;
   */
  pages<T = unknown>(path: string, body?: unknown, options: XPayPagesOptions = {}): AsyncIterable<T> {
    const { maxPages, headers = {}, signal } = options;
    const { paging } = this.#parts.api;
    // The headers are copied now. The error of a header is thrown when an item is read.
    const copied = (async () => callHeaders(headers))();
    copied.catch(() => undefined);
    return itemsOf({
      paging,
      body,
      maxPages,
      call: async (page) => this.request({ path, headers: await copied, ...(signal && { signal }), body: page }),
    }) as AsyncIterable<T>;
  }
}
