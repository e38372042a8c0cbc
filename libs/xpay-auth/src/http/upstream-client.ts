import type { AxiosInstance, AxiosResponse } from 'axios';
import type { Clock } from '../core/clock.js';
import { XPayAuthError } from '../core/errors.js';
import type { UpstreamAnswer, UpstreamRequest } from '../core/ports.js';
import { decodeText } from './body.js';
import { transportFailure } from './failure.js';

/** Sends one request to the upstream; see `Upstream` in core/ports for what it throws. */
export class UpstreamClient {
  constructor(
    private readonly axios: AxiosInstance,
    private readonly baseUrl: string,
    private readonly clock: Clock,
  ) {}

  async send(request: UpstreamRequest, signal?: AbortSignal): Promise<UpstreamAnswer> {
    let response: AxiosResponse<Buffer>;
    try {
      response = await this.axios.request<Buffer>({
        url: this.urlOf(request.path),
        method: request.method,
        headers: { accept: 'application/json', ...request.headers },
        ...(request.body !== undefined && { data: request.body }),
        ...(signal !== undefined && { signal }),
      });
    } catch (thrown) {
      throw transportFailure(thrown);
    }
    return answerOf(response, this.clock.now());
  }

  private urlOf(path: string): string {
    const url = path.startsWith('/') && !path.startsWith('//') ? new URL(this.baseUrl + path) : undefined;
    if (url?.origin !== new URL(this.baseUrl).origin) {
      throw new XPayAuthError(
        'configuration',
        `The path of a request must begin with one "/", not ${JSON.stringify(path)}`,
      );
    }
    return url.href;
  }
}

function answerOf(response: AxiosResponse<Buffer>, receivedAt: number): UpstreamAnswer {
  const header = (name: string): string | undefined => {
    const value: unknown = response.headers[name.toLowerCase()];
    return typeof value === 'string' ? value : undefined;
  };
  const date = Date.parse(header('date') ?? '');
  return {
    status: response.status,
    text: decodeText(response.data),
    receivedAt,
    upstreamNow: Number.isNaN(date) ? undefined : date,
    header,
  };
}
