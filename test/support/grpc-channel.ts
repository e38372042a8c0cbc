import { Client, type ClientDuplexStream, Metadata, credentials, loadPackageDefinition } from '@grpc/grpc-js';
import type { ServiceClientConstructor } from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';
import { join } from 'node:path';
import type { Text } from './grpc-controller.js';

export const PROTO_PATH = join(import.meta.dirname, 'callers.proto');

const { Callers } = loadPackageDefinition(loadSync(PROTO_PATH))['callers'] as { Callers: ServiceClientConstructor };

/** The end of a call. */
export interface Ended {
  /** The messages that were received. */
  readonly texts: readonly string[];
  /** The status code; 0 is OK. */
  readonly code: number;
  readonly details: string;
  /** The trailing metadata without the headers of HTTP. */
  readonly trailers: Readonly<Record<string, unknown>>;
}

/** A call that has begun. */
export interface OpenCall {
  readonly texts: readonly string[];
  readonly ended: Promise<Ended>;
  cancel(): void;
}

/** A client of grpc-js with one HTTP/2 connection. */
export class GrpcChannel implements Disposable {
  readonly #client: Client;

  constructor(port: number) {
    const options = { 'grpc.use_local_subchannel_pool': 1 };
    this.#client = new Client(`127.0.0.1:${port}`, credentials.createInsecure(), options);
  }

  /**
   * Makes a call with this metadata and resolves to its end. Sends two messages if the method accepts a stream, otherwise one. A
   * streaming client can call every method, because calls of all kinds are the same on the wire. A call without an answer ends
   * with status 4 after 25 s, without trailers.
   */
  run(method: string, headers: Readonly<Record<string, string>> = {}): Promise<Ended> {
    return this.begin(method, headers).ended;
  }

  /** Begins a call as {@link run} does. */
  begin(method: string, headers: Readonly<Record<string, string>> = {}): OpenCall {
    const definition = Callers.service[method];
    if (definition === undefined) throw new Error(`no method ${method}`);
    const metadata = new Metadata();
    for (const [name, value] of Object.entries(headers)) metadata.set(name, value);
    const call: ClientDuplexStream<Text, Text> = this.#client.makeBidiStreamRequest(
      definition.path,
      definition.requestSerialize,
      definition.responseDeserialize,
      metadata,
      { deadline: Date.now() + 25_000 },
    );
    const texts: string[] = [];
    call.on('data', ({ text }: Text) => texts.push(text));
    // The event `status` has the same facts.
    call.on('error', () => undefined);
    if (definition.requestStream) call.write({ text: 'first' });
    call.end({ text: 'last' });
    return { texts, ended: endOf(call, texts), cancel: () => call.cancel() };
  }

  [Symbol.dispose](): void {
    this.#client.close();
  }
}

function endOf(call: ClientDuplexStream<Text, Text>, texts: readonly string[]): Promise<Ended> {
  return new Promise((resolve) => {
    call.on('status', ({ code, details, metadata }) => {
      const { date: _date, 'content-type': _type, ...trailers } = metadata.getMap();
      resolve({ texts, code, details, trailers });
    });
  });
}
