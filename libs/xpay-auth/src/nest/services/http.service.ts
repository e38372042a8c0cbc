import type { OnModuleDestroy } from '@nestjs/common';
import { randomUUID } from 'node:crypto';
import { XPayAuthError } from '../../core/errors.js';
import type { ApiLanguage, UpstreamAnswer, UpstreamRequest } from '../../core/ports.js';
import type { Instrumentation } from '../../core/instrumentation.js';
import { type ApiData, callApi } from '../../token/api-call.js';
import { onAbort } from '../../async/deadline.js';
import type { XPayTokenService } from './token.service.js';

/** How one call of the upstream's API is made. */
export interface XPayCallOptions {
  /** Headers beside those the upstream's language sets. */
  readonly headers?: Readonly<Record<string, string>>;
  /** Lets the caller leave: rejects with `signal.reason`. */
  readonly signal?: AbortSignal;
  /**
   * A v4 UUID that names the call in the upstream's records. @default a fresh one
   */
  readonly uuid?: string;
}

/** One call of the upstream's API. */
export interface XPayRequest extends XPayCallOptions {
  /**
   * The HTTP method. @default 'POST'
   */
  readonly method?: UpstreamRequest['method'];
  /** Below the instance's `baseUrl`, with a leading slash. */
  readonly path: string;
  /**
   * Sent as the upstream's language has it; for xPay.stream as JSON. Encoded when the call is made: changing the object later
   * has no effect.
   */
  readonly body?: unknown;
}

/** What a call of the upstream's API brought. */
export interface XPayAnswer<T> {
  /** The answer without its envelope: for xPay.stream `success.data`, which may be `null`. */
  data: T;
  /** The upstream's name for the request, or the one it was sent with: quote it when asking its support. */
  uuid: string;
}

/**
 * Calls the upstream's API with the app's own token: attaches it, unwraps the answer, and renews a token that is rejected.
 * The call is then repeated once, where it certainly had no effect.
 *
 * Calls act with the rights of the app's own account: never pass a caller's wish through unexamined.
 */
export class XPayHttpService implements OnModuleDestroy {
  /** What ends each call under way. */
  readonly #underWay = new Set<AbortController>();
  #stopped = false;

  /** @hidden */
  constructor(
    private readonly tokens: XPayTokenService,
    private readonly api: ApiLanguage,
    private readonly send: (request: UpstreamRequest, signal: AbortSignal | undefined) => Promise<UpstreamAnswer>,
    private readonly instrumentation: Instrumentation,
  ) {}

  /**
   * Posts to the upstream's API and returns what it answers (for xPay.stream `success.data`, which may be `null`).
   *
   * @throws XPayAuthError `upstream_business_error` when the upstream reports an error of its own, `shutting_down`
   * when the module is destroyed meanwhile, `configuration` before anything is sent for a body that the dialect cannot
   * encode, and as `getToken()` does.
   */
  async post<T = unknown>(path: string, body?: unknown, options?: XPayCallOptions): Promise<T> {
    return (await this.request<T>({ ...options, path, body })).data;
  }

  /** As {@link post}, with any method, and with the upstream's name for the request (`uuid`) beside the data. */
  async request<T = unknown>(request: XPayRequest): Promise<XPayAnswer<T>> {
    const { method = 'POST', path, body, headers, signal, uuid = randomUUID() } = request;
    const call = { method, path, body, uuid, ...(headers !== undefined && { headers: { ...headers } }) };
    const { instrumentation } = this;
    const parts = { tokens: this.tokens.source, api: this.api, send: this.send, instrumentation };
    if (this.#stopped) throw shuttingDown();
    const ending = new AbortController();
    this.#underWay.add(ending);
    const stay = signal && onAbort(signal, () => ending.abort(signal.reason));
    let answer: ApiData;
    try {
      answer = await instrumentation.observe({ type: 'call api' }, () => callApi(parts, call, ending.signal), {
        signal: ending.signal,
      });
    } catch (failure) {
      // The transport says "given up" when the caller left; the caller gets back its own reason.
      if (failure instanceof XPayAuthError) signal?.throwIfAborted();
      if (this.#stopped && failure instanceof XPayAuthError && failure.code === 'upstream_timeout')
        throw shuttingDown();
      throw failure;
    } finally {
      stay?.();
      this.#underWay.delete(ending);
    }
    return { data: answer.data as T, uuid: answer.reference?.uuid ?? uuid };
  }

  /** Nest calls it; every call under way ends with `shutting_down`, and none begins any more. */
  onModuleDestroy(): void {
    this.#stopped = true;
    for (const call of this.#underWay) call.abort(shuttingDown());
  }
}

function shuttingDown(): XPayAuthError {
  return new XPayAuthError(
    'shutting_down',
    'The application is shutting down; whether a call under way had an effect is not known',
  );
}
