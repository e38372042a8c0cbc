import { Agent, type IncomingMessage, request } from 'node:http';
import type { Journal, Verdict } from './journal.js';
import type { Truth } from './truth.js';

/** A response, and the time at which its request was sent. */
export interface Got {
  readonly status: number;
  /** The parsed body; `{}` if it is no JSON. */
  readonly body: Readonly<Record<string, unknown>>;
  readonly headers: IncomingMessage['headers'];
  readonly sentAt: number;
}

export type Judgement = readonly [Verdict, string?];

export const RIGHT: Judgement = ['right'];

export const wrong = (mistake: string): Judgement => ['wrong', mistake];

interface Sent {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: object;
}

/** Sends requests, and records the judgement on each response. */
export class Client {
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 96 });

  constructor(
    private readonly url: string,
    private readonly truth: Truth,
    private readonly journal: Journal,
  ) {}

  close(): void {
    this.#agent.destroy();
  }

  async ask(scenario: string, path: string, sent: Sent, judge: (got: Got) => Judgement): Promise<void> {
    const sentAt = performance.now();
    let judgement: Judgement;
    try {
      judgement = judge({ ...(await this.#send(path, sent)), sentAt });
    } catch (failure) {
      judgement = wrong(`no response: ${(failure as Error).message}`);
    }
    const [verdict, cause] = judgement;
    this.journal.answers.push({ scenario, sentAt, answeredAt: performance.now(), verdict, cause });
  }

  /**
   * Not served: an outage if the response states one, otherwise a wrong response. A 429 of the upstream, and rejected credentials
   * of the app, are an outage if they concern one of these accounts, and otherwise wrong.
   */
  unserved({ status, body, sentAt }: Got, ...usernames: string[]): Judgement {
    const { errorCode: code, message } = body;
    const isOfOther =
      (code === 'upstream_rate_limited' && !this.truth.mayBeRateLimited(usernames, sentAt)) ||
      (code === 'credentials_rejected' && !usernames.some((username) => this.truth.mayBeRejected(username, sentAt)));
    if (isOfOther) return wrong(`${status} ${code}, which does not concern ${usernames.join(' and ')}`);
    if (status === 502 || status === 503 || status === 504) {
      if (typeof code === 'string') return ['unavailable', `${status} ${code}`];
      // Fastify answers a request that arrives while it closes.
      if (status === 503 && message === 'Service Unavailable') return ['unavailable', '503 by Fastify: shutting down'];
      // nginx answers with a page, not with JSON.
      if (message === undefined) return ['unavailable', `${status} by nginx: no instance`];
    }
    return wrong(`${status} ${String(code)}: ${String(message)}`);
  }

  #send(path: string, { method = 'GET', headers, body }: Sent): Promise<Omit<Got, 'sentAt'>> {
    const text = body === undefined && method !== 'POST' ? undefined : JSON.stringify(body ?? {});
    const all = {
      'x-client-address': '192.0.2.7',
      ...headers,
      ...(text !== undefined && { 'content-type': 'application/json', 'content-length': String(text.length) }),
    };
    return new Promise((resolve, reject) => {
      const options = { agent: this.#agent, method, headers: all, timeout: 30_000 };
      const sent = request(`${this.url}${path}`, options, (answer) => {
        let received = '';
        answer.setEncoding('utf8').on('data', (chunk: string) => (received += chunk));
        answer.on('end', () =>
          resolve({ status: answer.statusCode ?? 0, body: parsed(received), headers: answer.headers }),
        );
        answer.on('error', reject);
      });
      sent.on('timeout', () => sent.destroy(new Error('no response within 30 s')));
      sent.on('error', reject);
      sent.end(text);
    });
  }
}

export function basic(username: string, secretKey: string): { authorization: string } {
  return { authorization: `Basic ${Buffer.from(`${username}:${secretKey}`).toString('base64')}` };
}

export function bearer(token: string): { authorization: string } {
  return { authorization: `Bearer ${token}` };
}

function parsed(text: string): Record<string, unknown> {
  try {
    return JSON.parse(text) as Record<string, unknown>;
  } catch {
    return {};
  }
}
