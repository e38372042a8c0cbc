import assert from 'node:assert/strict';
import type { AuditEvent } from 'nestjs-xpay-auth';
import { type InboundApp, startInbound } from '../support/inbound-app.js';
import { type Platform, basic } from '../support/start-app.js';
import type { HttpOutcome, VerificationCase, VerificationStep } from './schema.js';
import { type Set, type Stage, changeUpstream, checkTally, takeCommonStep } from './stage.js';

/** The accounts of every case. */
const ACCOUNTS = [
  { username: 'ada', secretKey: 'ada-key', scopes: ['tme_user'] },
  { username: 'root', secretKey: 'root-key', scopes: ['tme_admin'] },
];

/** Callers of an app over sockets, with an emulated upstream. */
export async function openVerificationStage(
  { given }: VerificationCase,
  platform: Platform,
): Promise<Stage<VerificationStep>> {
  const app = await startInbound(platform, { accounts: ACCOUNTS, options: given?.options ?? {} });
  changeUpstream(app.xpay, given?.upstream ?? {});
  return new VerificationStage(app);
}

class VerificationStage implements Stage<VerificationStep> {
  readonly #set: Set;

  constructor(private readonly app: InboundApp) {
    const { clock, xpay, events } = app;
    this.#set = { clock, xpay, events: () => events.map(wordOf) };
  }

  check = (expected: VerificationCase['expect']): Promise<void> => checkTally(this.#set, expected);

  async take(step: VerificationStep): Promise<void> {
    if (step.do !== 'request') return takeCommonStep(this.#set, step);
    const { login, presents, expect } = step;
    if (login !== undefined) return checkResponse(await this.#logIn(...login), expect);
    const headers = presents && basic(...presents.basic);
    return checkResponse(await this.app.fetch('/me', headers === undefined ? {} : { headers }), expect);
  }

  #logIn(username: string, secretKey: string): Promise<Response> {
    return this.app.fetch('/login', {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ username, secretKey }),
    });
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.app[Symbol.asyncDispose]() as Promise<void>;
  }
}

async function checkResponse(response: Response, expected: HttpOutcome): Promise<void> {
  const { status, challenge, retryAfter, ...members } = expected;
  const text = await response.text();
  assert.equal(response.status, status, `the status (${text})`);
  const body = JSON.parse(text) as Record<string, unknown>;
  for (const [name, value] of Object.entries(members)) assert.equal(body[name], value, name);
  const line = response.headers.get('www-authenticate');
  if (challenge !== undefined) assert.deepEqual(line === null ? [] : [line], challenge, 'the challenge');
  if (retryAfter === undefined) return;
  const [least, most] = typeof retryAfter === 'number' ? [retryAfter, retryAfter] : retryAfter;
  const seconds = Number(response.headers.get('retry-after') ?? Number.NaN);
  assert.ok(seconds >= least && seconds <= most, `Retry-After: ${seconds}, expected ${String(retryAfter)}`);
}

function wordOf(event: AuditEvent): string {
  if (event.type === 'undecided') return `${event.type} ${event.reason}`;
  return event.type === 'locked-out' ? `${event.type} ${event.limit}` : event.type;
}
