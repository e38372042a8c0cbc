import type { OnModuleDestroy } from '@nestjs/common';
import { XPayAuthError } from '../../core/errors.js';
import type { ApiClient, TokenSource } from '../../token/api-call.js';
import { XPayApiCalls } from './api-calls.js';

/**
 * Calls the upstream's API with the app token, and unwraps the answer. If the upstream rejects the token, the token is renewed,
 * and the call is repeated once if it certainly had no effect.
 *
 * Calls have the rights of the app account, so validate the input of a caller before you pass it on.
 */
export class XPayHttpService extends XPayApiCalls implements OnModuleDestroy {
  readonly #stop: AbortController;

  /** @hidden */
  constructor(client: ApiClient, tokens: TokenSource) {
    const stop = new AbortController();
    super({ ...client, stopped: stop.signal }, tokens);
    this.#stop = stop;
  }

  /** Called by Nest. Calls in progress and later calls fail with `shutting_down`. */
  onModuleDestroy(): void {
    const message = 'The application is shutting down. It is not known whether the call in progress had an effect';
    this.#stop.abort(new XPayAuthError('shutting_down', message));
  }
}
