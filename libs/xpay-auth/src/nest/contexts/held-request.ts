import type { IncomingHttpHeaders } from 'node:http';
import { NonPrinting } from '../../core/credentials.js';
import type { Handshake, IncomingRequest } from '../../core/incoming-request.js';
import { stripCredentials } from '../request/caller-reader.js';

/** A copy of the headers and the handshake of a request, credentials included. Does not print. */
export class HeldRequest extends NonPrinting implements IncomingRequest {
  readonly #headers: IncomingHttpHeaders;
  readonly #rawHeaders: readonly string[];
  readonly #handshake: Handshake | undefined;
  readonly socket: NonNullable<IncomingRequest['socket']>;
  declare readonly ip?: string;

  constructor(request: IncomingRequest, handshake?: Handshake) {
    super('[held request]');
    this.#headers = { ...request.headers };
    this.#rawHeaders = [...(request.raw?.rawHeaders ?? request.rawHeaders ?? [])];
    this.#handshake = handshake;
    const { remoteAddress, localAddress, destroyed } = request.socket ?? { destroyed: true };
    this.socket = { remoteAddress, localAddress, destroyed };
    if (request.ip !== undefined) this.ip = request.ip;
  }

  get headers(): IncomingHttpHeaders {
    return this.#headers;
  }

  get rawHeaders(): readonly string[] {
    return this.#rawHeaders;
  }

  get handshake(): Handshake | undefined {
    return this.#handshake;
  }

  /** Returns a copy with these additional `Authorization` lines and with this handshake. */
  with(authorizations: readonly string[], handshake: Handshake): HeldRequest {
    const [first] = authorizations;
    const headers = first === undefined ? this.#headers : { authorization: first, ...this.#headers };
    const rawHeaders = [...this.#rawHeaders, ...authorizations.flatMap((line) => ['authorization', line])];
    return new HeldRequest({ headers, rawHeaders, socket: this.socket }, handshake);
  }
}

/**
 * Held requests, both by request object and by headers object. The namespaces of a socket.io connection, the fields of a GraphQL
 * operation and the operations of a connection may each have a separate request object, but they share one headers object.
 */
const held = new WeakMap<object, HeldRequest>();

/** Removes the credentials from a request and returns a copy that has them. Later calls for the request return the same copy. */
export function takeOff(request: IncomingRequest): HeldRequest {
  const present = heldOf(request);
  if (present !== undefined) return present;
  const taken = new HeldRequest(request);
  held.set(request, taken).set(request.headers, taken);
  stripCredentials(request);
  return taken;
}

/** Returns the request with its credentials, even if `takeOff` has removed them. */
export function wholeRequest(request: IncomingRequest): IncomingRequest {
  return heldOf(request) ?? request;
}

function heldOf(request: IncomingRequest): HeldRequest | undefined {
  return held.get(request) ?? held.get(request.headers);
}
