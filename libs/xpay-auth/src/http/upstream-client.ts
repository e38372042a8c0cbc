import type { AxiosInstance, AxiosResponse } from 'axios';
import type { Clock } from '../core/clock.js';
import { XPayAuthError } from '../core/errors.js';
import type { UpstreamAnswer, UpstreamRequest } from '../core/ports.js';
import { type SpanEnd, Instrumentation } from '../core/instrumentation.js';
import { decodeText, parseHttpDate } from './answer.js';
import { transportFailure } from './failure.js';

/**
 * Sends one request to the upstream. Throws what `Upstream` in core/ports says, and `configuration` for a path that leads
 * elsewhere.
 */
export class UpstreamClient {
  private readonly basePath: string;

  constructor(
    private readonly axios: AxiosInstance,
    private readonly baseUrl: string,
    private readonly clock: Clock,
    private readonly instrumentation: Instrumentation = new Instrumentation(),
  ) {
    this.basePath = new URL(baseUrl).pathname.replace(/\/$/, '');
  }

  /** @param shown the path as an onlooker may see it: without secrets, names and ids; none: it is not shown */
  async send(request: UpstreamRequest, signal?: AbortSignal, shown?: string): Promise<UpstreamAnswer> {
    const url = this.urlOf(request.path);
    const template = shown && this.basePath + shown;
    const act = { type: 'exchange', method: request.method, url, template } as const;
    return this.instrumentation.observe(act, () => this.exchange(url, request, signal), { judge, signal });
  }

  private async exchange(url: string, request: UpstreamRequest, signal?: AbortSignal): Promise<UpstreamAnswer> {
    const response = await this.withinTimeout(signal, (until) =>
      this.axios.request<Buffer>({
        url,
        method: request.method,
        headers: { accept: 'application/json', ...request.headers },
        ...(request.body !== undefined && { data: request.body }),
        signal: until,
      }),
    );
    return answerOf(response, this.clock.now());
  }

  /** Once an answer has begun, axios' own timeout watches for silence alone; this one is for the whole of it. */
  private async withinTimeout(
    signal: AbortSignal | undefined,
    request: (until: AbortSignal) => Promise<AxiosResponse<Buffer>>,
  ): Promise<AxiosResponse<Buffer>> {
    const controller = new AbortController();
    const giveUp = (): void => controller.abort();
    if (signal?.aborted === true) giveUp();
    signal?.addEventListener('abort', giveUp, { once: true });
    const cancelTimer = this.clock.setTimer(giveUp, this.axios.defaults.timeout ?? Infinity);
    try {
      return await request(controller.signal);
    } catch (thrown) {
      throw transportFailure(thrown, new URL(this.baseUrl).origin);
    } finally {
      cancelTimer();
      signal?.removeEventListener('abort', giveUp);
    }
  }

  private urlOf(path: string): string {
    // Some servers take an encoded slash for one before they look for dots.
    const readings = [path, path.replace(/%(?:2f|5c)/gi, '/')];
    if (!/^\/(?!\/)/.test(path) || !readings.every((reading) => this.isBelow(this.baseUrl + reading))) {
      throw new XPayAuthError(
        'configuration',
        `The path of a request must begin with one "/" and stay below baseUrl, not ${JSON.stringify(path)}`,
      );
    }
    return new URL(this.baseUrl + path).href;
  }

  /** Below the path of `baseUrl` once `..` and `%2e%2e` are resolved: the rest of the host may be somebody else's. */
  private isBelow(address: string): boolean {
    if (!URL.canParse(address)) return false;
    const [url, base] = [new URL(address), new URL(this.baseUrl)];
    return url.origin === base.origin && url.pathname.startsWith(`${base.pathname.replace(/\/$/, '')}/`);
  }
}

function judge({ status }: UpstreamAnswer): SpanEnd {
  return { outcome: 'ok', status };
}

function answerOf(response: AxiosResponse<Buffer>, receivedAt: number): UpstreamAnswer {
  const header = (name: string): string | undefined => {
    const value: unknown = response.headers[name.toLowerCase()];
    return typeof value === 'string' ? value : undefined;
  };
  const text = decodeText(response.data, header('content-type'));
  // The status of an error says enough. A success is worth nothing without its body.
  if (text === undefined && response.status < 300) {
    throw new XPayAuthError(
      'upstream_malformed',
      'The bytes of the answer are not in the charset that its Content-Type declares, or not in UTF-8 if it declares none',
    );
  }
  return {
    status: response.status,
    text: text ?? '',
    receivedAt,
    upstreamNow: parseHttpDate(header('date') ?? ''),
    header,
  };
}
