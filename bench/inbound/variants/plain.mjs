// The baselines.
import { hash, randomBytes } from 'node:crypto';
import { UseGuards } from '@nestjs/common';
import { LRUCache } from 'lru-cache';
import { basics } from '../callers.mjs';

const authorization = () => basics;

export const unguarded = () => ({ open: true, authorization });

/** The minimum for any guard: only Nest's own work for a guard. */
export const alwaysTrue = () => ({ open: true, marks: [UseGuards({ canActivate: () => true })], authorization });

/** The minimum for a guard that caches callers without storing their secrets: {@link alwaysTrue} and one digest. */
export const digestAlone = () => {
  const key = randomBytes(32).toString('base64');
  const canActivate = (context) => {
    const { authorization: header } = context.getArgByIndex(0).headers;
    return hash('sha256', key + header, 'binary').length > 0;
  };
  return { open: true, marks: [UseGuards({ canActivate })], authorization };
};

/**
 * The least that a guard with a cache of callers can do, in one function. It counts the `Authorization` lines, recognises the
 * connection by its last line or computes one digest, looks up the caller, reads the clocks, checks the scopes and records the
 * caller for this request. It has no instances, contexts, sessions, renewal or revocation.
 */
export const unavoidable = () => {
  const key = randomBytes(32).toString('base64');
  const connections = new WeakMap();
  const callers = new LRUCache({ max: 10_000 });
  const canActivate = (context) => {
    const request = context.getArgByIndex(0);
    const { rawHeaders, socket } = request.rawHeaders === undefined ? request.raw : request;
    let lines = 0;
    for (let i = 0; i < rawHeaders.length; i += 2) {
      if (rawHeaders[i].length === 13 && rawHeaders[i].toLowerCase() === 'authorization') lines++;
    }
    if (lines > 1) return false;
    const { authorization: line } = request.headers;
    let connection = connections.get(socket);
    const digest = connection?.line === line ? connection.digest : hash('sha256', key + line, 'binary');
    if (connection === undefined) connections.set(socket, (connection = { line, digest }));
    else if (connection.line !== line) connection.line = undefined;
    const now = performance.now();
    const wallAhead = Date.now() - now;
    let caller = callers.get(digest);
    if (caller === undefined) {
      callers.set(digest, (caller = { principal: { scopes: ['tme_user', 'tme_admin'] }, endsAt: Infinity, wallAhead }));
    }
    if (now >= caller.endsAt || wallAhead - caller.wallAhead > 2_000) callers.delete(digest);
    request.user = Recorded.on(request, caller.principal);
    return caller.principal.scopes.includes('tme_admin');
  };
  return { open: true, marks: [UseGuards({ canActivate })], authorization };
};

class Existing {
  constructor(object) {
    // oxlint-disable-next-line no-constructor-return -- the private field is added to the returned object
    return object;
  }
}

/** Records a caller on a request so that no other code can forge it. */
class Recorded extends Existing {
  #caller;

  static on(request, caller) {
    const recorded = new Recorded(request);
    recorded.#caller = caller;
    return recorded.#caller;
  }
}
