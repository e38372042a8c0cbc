import { Agent, type IncomingMessage, request } from 'node:http';
import { text } from 'node:stream/consumers';

export interface HttpAnswer {
  readonly status: number | undefined;
  readonly body: unknown;
  /** Whether an earlier request used the same connection. */
  readonly reused: boolean;
}

/** A client with only one kept-alive connection, on which all requests are sent in sequence. */
export class OneConnection implements Disposable {
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 1 });

  constructor(private readonly url: string) {}

  async send(path: string, headers: Record<string, string>, body?: object): Promise<HttpAnswer> {
    const type = body === undefined ? {} : { 'content-type': 'application/json' };
    const method = body === undefined ? 'GET' : 'POST';
    const sent = request(this.url + path, { agent: this.#agent, method, headers: { ...headers, ...type } });
    sent.end(body === undefined ? undefined : JSON.stringify(body));
    const answer = await new Promise<IncomingMessage>((resolve, reject) =>
      sent.on('response', resolve).on('error', reject),
    );
    return { status: answer.statusCode, body: JSON.parse(await text(answer)), reused: sent.reusedSocket };
  }

  [Symbol.dispose](): void {
    this.#agent.destroy();
  }
}
