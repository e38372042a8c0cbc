import { randomBytes } from 'node:crypto';
import { Agent, type IncomingMessage, request } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Journal, Verdict } from './journal.js';
import { USERS } from './stage.js';
import type { Login, Truth } from './truth.js';

interface Got {
  readonly status: number;
  readonly body: Record<string, unknown>;
  readonly headers: IncomingMessage['headers'];
  readonly sentAt: number;
}

type Judgement = readonly [Verdict, string?];

const RIGHT: Judgement = ['right'];

/** Callers of every kind, each with the response it expects. */
export class Load {
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 64 });
  readonly #logins: Login[] = [];
  readonly #stop = new AbortController();

  constructor(
    private readonly url: string,
    private readonly truth: Truth,
    private readonly journal: Journal,
  ) {}

  /** Number of concurrent callers, until {@link stop}. */
  async run(callers: number): Promise<void> {
    const scenarios = [
      () => this.#basic('/user/report', 'Basic, own scope'),
      () => this.#basic('/me', 'Basic, who am I'),
      () => this.#verify(),
      () => this.#lacking(),
      () => this.#guess(),
      () => this.#deadKey(),
      () => this.#session(),
      () => this.#session(),
      () => this.#outbound(),
      () => this.#acting(),
    ];
    const one = async (at: number): Promise<void> => {
      for (let turn = at; !this.#stop.signal.aborted; turn++) {
        // Logins and logouts are rare, as in production.
        if (turn % 40 === 0) await this.#login();
        else if (turn % 97 === 0) await this.#logout();
        else if (turn % 151 === 0) await this.#logoutFlood();
        else await scenarios[turn % scenarios.length]?.();
        await sleep(10);
      }
    };
    await Promise.all(Array.from({ length: callers }, (_, at) => one(at * 7 + 1)));
    this.#agent.destroy();
  }

  stop(): void {
    this.#stop.abort();
  }

  #basic(path: string, scenario: string): Promise<void> {
    const { username } = pick(USERS);
    const secretKey = this.truth.keyOf(username);
    return this.#ask(scenario, 'GET', path, basic(username, secretKey), ({ status, body }) => {
      if (status === 200 && path === '/me' && body['username'] !== username)
        return ['wrong', 'a response for another caller'];
      if (status === 200) return RIGHT;
      return this.truth.isKeyOf(username, secretKey) ? unserved(status, body) : RIGHT;
    });
  }

  #verify(): Promise<void> {
    const { username } = pick(USERS);
    const secretKey = this.truth.keyOf(username);
    const path = '/verify?scope=tme_user';
    return this.#ask('/verify', 'GET', path, basic(username, secretKey), ({ status, body, headers }) => {
      if (status !== 200) {
        return this.truth.isKeyOf(username, secretKey) ? unserved(status, body) : RIGHT;
      }
      return headers['x-auth-user'] === encodeURIComponent(username) ? RIGHT : ['wrong', 'the name of another caller'];
    });
  }

  /** Correct credentials without the required scope. */
  #lacking(): Promise<void> {
    const { username } = pick(USERS.filter(({ scopes }) => !scopes.includes('tme_admin')));
    const secretKey = this.truth.keyOf(username);
    return this.#ask('Basic, scope lacking', 'GET', '/admin/report', basic(username, secretKey), (got) => {
      if (got.status === 403) return RIGHT;
      if (got.status === 200) return ['wrong', 'accepted without the scope'];
      return this.truth.isKeyOf(username, secretKey) ? unserved(got.status, got.body) : RIGHT;
    });
  }

  #guess(): Promise<void> {
    const { username } = pick(USERS);
    // Guesses from many addresses, as a botnet sends them. They soon use up the budget of the user; the account owner
    // must not be affected.
    const address = `198.51.100.${Math.ceil(Math.random() * 250)}`;
    const headers = { ...basic(username, `guess ${Math.random()}`), 'x-client-address': address };
    return this.#refused('a wrong key', headers);
  }

  async #deadKey(): Promise<void> {
    const { username } = pick(USERS);
    const secretKey = this.truth.deadKeyOf(username);
    // An old job with the previous key, from its own address, so that it does not use up the budget of the owner's
    // address.
    const headers = { ...basic(username, secretKey ?? ''), 'x-client-address': '203.0.113.9' };
    if (secretKey !== undefined) await this.#refused('a previous key', headers);
  }

  #refused(scenario: string, headers: Readonly<Record<string, string>>): Promise<void> {
    return this.#ask(scenario, 'GET', '/user/report', headers, ({ status, body }) => {
      if (status === 401 || status === 429) return RIGHT;
      return status === 200 ? ['wrong', 'accepted with a wrong key'] : unserved(status, body);
    });
  }

  #login(): Promise<void> {
    const { username } = pick(USERS);
    const secretKey = this.truth.keyOf(username);
    return this.#ask('a login', 'POST', '/auth/login', { username, secretKey }, ({ status, body, sentAt }) => {
      const { accessToken, expiresAt } = body as { accessToken?: string; expiresAt?: number };
      if (status === 200 && accessToken !== undefined && expiresAt !== undefined) {
        const answeredAt = performance.now();
        const endsAt = answeredAt + expiresAt - Date.now();
        this.#logins.push({ accessToken, username, beganAt: sentAt, answeredAt, endsAt, loggedOutAt: Infinity });
        if (this.#logins.length > 60) this.#logins.shift();
        return RIGHT;
      }
      return this.truth.isKeyOf(username, secretKey) ? unserved(status, body) : RIGHT;
    });
  }

  async #session(): Promise<void> {
    if (this.#logins.length === 0) return;
    const login = pick(this.#logins);
    const { accessToken, username, loggedOutAt } = login;
    const scenario = loggedOutAt === Infinity ? 'a session' : 'a session that has ended';
    await this.#ask(scenario, 'GET', '/me', { authorization: `Bearer ${accessToken}` }, ({ status, body, sentAt }) => {
      if (status === 200 && body['username'] !== username) return ['wrong', 'the session of another caller'];
      if (status === 200) return this.truth.mustBeOver(login, sentAt) ? ['wrong', 'a session that has ended'] : RIGHT;
      if (status === 401 && this.truth.mayBeOver(login, performance.now())) return RIGHT;
      return unserved(status, body);
    });
  }

  async #logout(login = this.#logins.find(({ loggedOutAt }) => loggedOutAt === Infinity)): Promise<void> {
    if (login === undefined) return;
    const headers = { authorization: `Bearer ${login.accessToken}` };
    // A 401 is correct from the moment the logout is sent. Once acknowledged, the logout must hold.
    login.loggedOutAt = performance.now();
    await this.#ask('a logout', 'POST', '/auth/logout', headers, ({ status, body }) => {
      if (status === 204) login.loggedOutAt = performance.now();
      else this.#logins.splice(this.#logins.indexOf(login), 1);
      return status === 204 || status === 401 ? RIGHT : unserved(status, body);
    });
  }

  /** Ends ten sessions and fifty that never existed, all at once. */
  async #logoutFlood(): Promise<void> {
    for (let i = 0; i < 10; i++) await this.#login();
    const sessions = this.#logins.slice(-10).filter(({ loggedOutAt }) => loggedOutAt === Infinity);
    await Promise.all([
      ...sessions.map((login) => this.#logout(login)),
      ...Array.from({ length: 50 }, () => this.#unknownLogout()),
    ]);
  }

  #unknownLogout(): Promise<void> {
    const headers = { authorization: `Bearer ${randomBytes(32).toString('base64url')}` };
    return this.#ask('a logout of an unknown session', 'POST', '/auth/logout', headers, ({ status, body }) =>
      status === 401 ? RIGHT : unserved(status, body),
    );
  }

  #outbound(): Promise<void> {
    const { username } = pick(USERS.filter(({ scopes }) => scopes.includes('tme_admin')));
    return this.#find('an outbound call', '/app/wallets/find', username);
  }

  #acting(): Promise<void> {
    return this.#find('a call as the caller', '/wallets/find', pick(USERS).username);
  }

  #find(scenario: string, path: string, username: string): Promise<void> {
    const secretKey = this.truth.keyOf(username);
    return this.#ask(scenario, 'POST', path, basic(username, secretKey), (got) => {
      if (got.status === 200 || got.status === 201) return RIGHT;
      return this.truth.isKeyOf(username, secretKey) ? unserved(got.status, got.body) : RIGHT;
    });
  }

  /** Sends a request and records the response. A login sends the credentials in its body. */
  async #ask(
    scenario: string,
    method: string,
    path: string,
    headers: Readonly<Record<string, string>>,
    judge: (got: Got) => Judgement,
  ): Promise<void> {
    const sentAt = performance.now();
    let judgement: Judgement;
    try {
      judgement = judge({ ...(await this.#send(method, path, headers)), sentAt });
    } catch (failure) {
      judgement = ['wrong', `no response: ${(failure as Error).message}`];
    }
    const [verdict, cause] = judgement;
    this.journal.answers.push({ scenario, sentAt, answeredAt: performance.now(), verdict, cause });
  }

  #send(method: string, path: string, given: Readonly<Record<string, string>>): Promise<Omit<Got, 'sentAt'>> {
    const isLogin = path === '/auth/login';
    const body = method === 'GET' ? undefined : JSON.stringify(isLogin ? given : {});
    const headers = {
      'x-client-address': '192.0.2.7',
      ...(!isLogin && given),
      ...(body !== undefined && { 'content-type': 'application/json', 'content-length': String(body.length) }),
    };
    return new Promise((resolve, reject) => {
      const sent = request(`${this.url}${path}`, { agent: this.#agent, method, headers, timeout: 30_000 }, (answer) => {
        let text = '';
        answer.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
        answer.on('end', () =>
          resolve({ status: answer.statusCode ?? 0, body: parsed(text), headers: answer.headers }),
        );
        answer.on('error', reject);
      });
      sent.on('timeout', () => sent.destroy(new Error('no response within 30 s')));
      sent.on('error', reject);
      sent.end(body);
    });
  }
}

/** Not served: our outage if the response says so, otherwise a wrong response. */
function unserved(status: number, body: Readonly<Record<string, unknown>>): Judgement {
  const code = body['errorCode'];
  if (status === 502 || status === 503 || status === 504) {
    return ['unavailable', typeof code === 'string' ? `${status} ${code}` : `${status} by nginx: no instance`];
  }
  return ['wrong', `${status} ${String(code)}: ${String(body['message'])}`];
}

function basic(username: string, secretKey: string): { authorization: string } {
  return { authorization: `Basic ${Buffer.from(`${username}:${secretKey}`).toString('base64')}` };
}

function parsed(text: string): Record<string, unknown> {
  try {
    return JSON.parse(text) as Record<string, unknown>;
  } catch {
    return {};
  }
}

function pick<T>(from: readonly T[]): T {
  return from[Math.floor(Math.random() * from.length)] as T;
}
