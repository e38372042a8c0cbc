import assert from 'node:assert/strict';
import type { Server } from 'node:http';
import type { AuditEvent, Session } from 'nestjs-xpay-auth';
import { type InboundApp, startInbound } from '../support/inbound-app.js';
import { type RawAnswer, rawGet } from '../support/raw-request.js';
import { type Platform, basic, bearer } from '../support/start-app.js';
import type { HttpOutcome, VerificationCase, VerificationStep } from './schema.js';
import { type Set, type Stage, checkNumber, checkTally, soon, takeCommonStep } from './stage.js';
import { LOGIN, changeUpstream } from './upstream-script.js';

type Requesting = Extract<VerificationStep, { do: 'request' | 'begin' }>;

/** Who may log in unless a case adds, changes or removes somebody. */
const ACCOUNTS = [
  { username: 'ada', secretKey: 'ada-key', scopes: ['tme_user'] },
  { username: 'root', secretKey: 'root-key', scopes: ['tme_admin'] },
];

/** Callers of an app with marked routes, over sockets, beside an emulated upstream. */
export async function openVerificationStage(
  { given }: VerificationCase,
  platform: Platform,
): Promise<Stage<VerificationStep>> {
  const app = await startInbound(platform, { accounts: ACCOUNTS, options: given?.options ?? {} });
  await changeUpstream(app.xpay, given?.upstream ?? {});
  return new VerificationStage(app);
}

class VerificationStage implements Stage<VerificationStep> {
  readonly #groups = new Map<string, Promise<RawAnswer[]>>();
  readonly #sessions = new Map<string, string>();
  readonly #set: Set;
  #sent = 0;
  #arrived = 0;

  constructor(private readonly app: InboundApp) {
    const { clock, xpay, events } = app;
    this.#set = { clock, xpay, events: () => events.map(wordOf) };
    (app.app.getHttpServer() as Server).on('request', () => this.#arrived++);
  }

  check = (expected: VerificationCase['expect']): Promise<void> => checkTally(this.#set, expected);

  async take(step: VerificationStep): Promise<void> {
    const { sessions } = this.app;
    switch (step.do) {
      case 'request':
        return this.#request(step);
      case 'begin':
        return this.#begin(step);
      case 'end':
        return this.#checkAll(
          await (this.#groups.get(step.of) ?? assert.fail(`nobody began as ${step.of}`)),
          step.expect,
        );
      case 'logout':
        return sessions.logout(this.#tokenOf(step.session));
      case 'revokeUser':
        return sessions.revokeUser(step.username);
      case 'revokeAll':
        return sessions.revokeAll();
      default:
        return takeCommonStep(this.#set, step);
    }
  }

  async #request(step: Extract<VerificationStep, { do: 'request' }>): Promise<void> {
    if (step.inTurn !== true) return this.#checkAll(await this.#send(step), step.expect);
    for (let caller = 0; caller < step.callers; caller++) {
      this.#checkAll(await this.#send({ ...step, callers: 1 }), step.expect);
    }
  }

  async #begin(step: Extract<VerificationStep, { do: 'begin' }>): Promise<void> {
    this.#groups.set(step.as, this.#send(step));
    if (step.logins !== undefined) await this.app.xpay.waitForRequests(step.logins, LOGIN);
    await soon(() => this.#arrived >= this.#sent);
    await this.app.clock.advance(0);
  }

  #send({ path, presents, login, headers, callers }: Requesting): Promise<RawAnswer[]> {
    this.#sent += callers;
    const lines = [...headers, ...this.#linesOf(presents)];
    const send = (): Promise<RawAnswer> =>
      login === undefined ? this.#get(path, lines) : this.#logIn(login[0], login[1]);
    return Promise.all(Array.from({ length: callers }, send));
  }

  async #get(path: string, lines: readonly string[]): Promise<RawAnswer> {
    const answer = await rawGet(this.app.url, path, lines);
    return { ...answer, body: Buffer.from(answer.body, 'latin1').toString('utf8') };
  }

  /** By JSON over a socket, with the answer in the same shape as that of any other request. */
  async #logIn(username: string, secretKey: string): Promise<RawAnswer> {
    const response = await this.app.fetch('/login', {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ username, secretKey }),
    });
    const lines = [...response.headers].map(([name, value]) => [name, value] as const);
    const all = (name: string): string[] => lines.filter(([each]) => each === name).map(([, value]) => value);
    return { status: response.status, lines, body: await response.text(), all };
  }

  #linesOf(presents: Requesting['presents']): string[] {
    if (presents === undefined) return [];
    if ('authorization' in presents) return presents.authorization.map((line) => `Authorization: ${line}`);
    const { authorization } =
      'session' in presents ? bearer(this.#tokenOf(presents.session)) : basic(...presents.basic);
    return [`Authorization: ${authorization}`];
  }

  #tokenOf(session: string): string {
    return this.#sessions.get(session) ?? assert.fail(`no login brought session ${session}`);
  }

  #checkAll(answers: readonly RawAnswer[], expected: HttpOutcome): void {
    for (const answer of answers) this.#check(answer, expected);
  }

  #check(answer: RawAnswer, expected: HttpOutcome): void {
    const { status, errorCode, username, scopes, challenge, retryAfter, session, livesMs } = expected;
    const said = bodyOf(answer);
    assert.equal(answer.status, status, `the status (${answer.body})`);
    if (errorCode !== undefined) assert.equal(said['errorCode'], errorCode, 'the code');
    if (username !== undefined) assert.equal(said['username'], username, 'who the caller is');
    if (scopes !== undefined) assert.deepEqual(said['scopes'], scopes, 'what the caller may');
    if (challenge !== undefined) assert.deepEqual(answer.all('www-authenticate'), challenge, 'the challenge');
    const [told] = answer.all('retry-after');
    if (retryAfter === null) assert.equal(told, undefined, 'Retry-After');
    else if (retryAfter !== undefined) checkNumber(Number(told), retryAfter, 'Retry-After');
    const { accessToken, expiresAt } = said as Partial<Session>;
    if (session !== undefined) this.#sessions.set(session, accessToken ?? assert.fail('the login brought no token'));
    if (livesMs !== undefined)
      assert.equal(Number(expiresAt) - this.app.clock.now(), livesMs, 'ms that a session lives');
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.app[Symbol.asyncDispose]() as Promise<void>;
  }
}

/** With `Transfer-Encoding: chunked` the object stands between two lines of lengths. */
function bodyOf({ body }: RawAnswer): Record<string, unknown> {
  const [from, to] = [body.indexOf('{'), body.lastIndexOf('}')];
  return from < 0 ? {} : (JSON.parse(body.slice(from, to + 1)) as Record<string, unknown>);
}

function wordOf(event: AuditEvent): string {
  if (event.type === 'undecided') return `${event.type} ${event.reason}`;
  return event.type === 'locked-out' ? `${event.type} ${event.limit}` : event.type;
}
