import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Client, type Got, type Judgement, RIGHT, basic, bearer, wrong } from './client.js';
import { MERCHANTS, MISTAKEN, UNKNOWN_ID } from './merchants.js';
import { APP, USERS } from './stage.js';
import type { Login, Truth } from './truth.js';

/** Ms from one request of a caller to the next, so that quick failures do not raise the number of requests during an outage. */
const PACE_MS = 50;
/** Maximum number of logins of each list. */
const MOST_LOGINS = 60;

const ADMINS = USERS.filter(({ scopes }) => scopes.includes('tme_admin'));
const OTHERS = USERS.filter(({ scopes }) => !scopes.includes('tme_admin'));

/** Callers of every kind, each with the response it expects. */
export class Load {
  /** Sessions that no logout has ended. */
  readonly #logins: Login[] = [];
  readonly #ended: Login[] = [];
  readonly #stop = new AbortController();

  constructor(
    private readonly client: Client,
    private readonly truth: Truth,
  ) {}

  /** Number of concurrent callers, until {@link stop}. */
  async run(callers: number): Promise<void> {
    const report = (): Promise<void> => this.#basic('/user/report', 'Basic, own scope');
    const me = (): Promise<void> => this.#basic('/me', 'Basic, who am I');
    const verify = (): Promise<void> => this.#verify();
    const session = (): Promise<void> => this.#session('/me', 'a session', this.#logins);
    const merchant = (): Promise<void> => this.#merchant();
    const scenarios = [
      report,
      me,
      verify,
      session,
      merchant,
      () => this.#lacking(),
      report,
      me,
      session,
      () => this.#guess(),
      () => this.#find('an outbound call', '/app/wallets/find', pick(ADMINS).username, APP.username),
      report,
      me,
      verify,
      session,
      merchant,
      () => this.#acting(),
      () => this.#session('/wallets/find', 'a session that acts as its user', this.#logins),
      () => this.#session('/me', 'a session that has ended', this.#ended),
    ];
    const rare = [
      () => this.#previousKey(),
      () => this.#mistaken(),
      () => this.#session('/wallets/find', 'a session that has ended acts as its user', this.#ended),
      () => this.#unknownMerchant(),
    ];
    const one = async (at: number): Promise<void> => {
      for (let turn = at * 7 + 1; !this.#stop.signal.aborted; turn++) {
        const round = scenarios.length + 1;
        const scenario = scenarios[turn % round] ?? rare[Math.floor(turn / round) % rare.length];
        // Logins and logouts are rare, as in production.
        if (turn % 80 === 0) await paced(() => this.#login());
        else if (turn % 197 === 0) await paced(() => this.#logout());
        else if (turn % 601 === 0) await paced(() => this.#logoutEverywhere());
        else if (turn % 401 === 0 && at === 0) await paced(() => this.#logoutFlood());
        else if (scenario !== undefined) await paced(scenario);
      }
    };
    await Promise.all(Array.from({ length: callers }, (_, at) => one(at)));
  }

  stop(): void {
    this.#stop.abort();
  }

  #basic(path: string, scenario: string): Promise<void> {
    const { username } = pick(USERS);
    return this.#askAs(username, scenario, path, {}, ({ status, body }) => {
      if (status !== 200) return undefined;
      return path === '/me' && body['username'] !== username ? wrong('a response for another caller') : RIGHT;
    });
  }

  #verify(): Promise<void> {
    const { username } = pick(USERS);
    return this.#askAs(username, '/verify', '/verify?scope=tme_user', {}, ({ status, headers }) => {
      if (status !== 200) return undefined;
      return headers['x-auth-user'] === encodeURIComponent(username) ? RIGHT : wrong('the name of another caller');
    });
  }

  /** Correct credentials without the required scope. */
  #lacking(): Promise<void> {
    return this.#askAs(pick(OTHERS).username, 'Basic, scope lacking', '/admin/report', {}, ({ status }) => {
      if (status === 200) return wrong('accepted without the scope');
      return status === 403 ? RIGHT : undefined;
    });
  }

  #guess(): Promise<void> {
    // Guesses from many addresses, as a botnet sends them. They soon use up the budget of the user; the account owner
    // must not be affected.
    const address = `198.51.100.${Math.ceil(Math.random() * 250)}`;
    return this.#refused('a wrong key', pick(USERS).username, `guess ${Math.random()}`, address);
  }

  async #previousKey(): Promise<void> {
    const { username } = pick(USERS);
    const secretKey = this.truth.deadKeyOf(username);
    // An old job with the previous key, from its own address, so that it does not use up the budget of the owner's
    // address.
    if (secretKey !== undefined) await this.#refused('a previous key', username, secretKey, '203.0.113.9');
  }

  #refused(scenario: string, username: string, secretKey: string, address: string): Promise<void> {
    const headers = { ...basic(username, secretKey), 'x-client-address': address };
    return this.client.ask(scenario, '/user/report', { headers }, (got) => {
      if (got.status === 401 || got.status === 429) return RIGHT;
      return got.status === 200 ? wrong('accepted with a wrong key') : this.client.unserved(got, username);
    });
  }

  #login(): Promise<void> {
    const { username } = pick(USERS);
    const secretKey = this.truth.keyOf(username);
    const sent = { method: 'POST', body: { username, secretKey } };
    return this.client.ask('a login', '/auth/login', sent, (got) => {
      const { accessToken, expiresAt } = got.body as { accessToken?: string; expiresAt?: number };
      if (got.status === 200 && accessToken !== undefined && expiresAt !== undefined) {
        const answeredAt = performance.now();
        const endsAt = answeredAt + expiresAt - Date.now();
        const times = { beganAt: got.sentAt, answeredAt, endsAt, mayEndAt: Infinity, endedAt: Infinity };
        this.#logins.push({ accessToken, username, ...times });
        if (this.#logins.length > MOST_LOGINS) this.#logins.shift();
        return RIGHT;
      }
      return this.truth.isKeyOf(username, secretKey) ? this.client.unserved(got, username) : RIGHT;
    });
  }

  /** A request with the token of one of these sessions, to `/me` or to a route that acts as the caller. */
  async #session(path: '/me' | '/wallets/find', scenario: string, logins: readonly Login[]): Promise<void> {
    if (logins.length === 0) return;
    const login = pick(logins);
    const { accessToken, username } = login;
    const method = path === '/me' ? 'GET' : 'POST';
    await this.client.ask(scenario, path, { method, headers: bearer(accessToken) }, (got) => {
      const { status, body, sentAt } = got;
      if (status === 200) {
        const isOwn = path === '/me' ? body['username'] === username : belongTo(body, username);
        if (!isOwn) return wrong('the session of another caller');
        return this.truth.mustBeOver(login, sentAt) ? wrong('a session that has ended') : RIGHT;
      }
      if (status === 401 && this.truth.mayBeOver(login, performance.now())) return RIGHT;
      return this.client.unserved(got, username);
    });
  }

  async #logout(login = this.#logins[0]): Promise<void> {
    if (login === undefined) return;
    const sent = { method: 'POST', headers: bearer(login.accessToken) };
    // A 401 is correct from the moment the logout is sent. Once acknowledged, the logout must hold.
    login.mayEndAt = performance.now();
    this.#logins.splice(this.#logins.indexOf(login), 1);
    await this.client.ask('a logout', '/auth/logout', sent, (got) => {
      if (got.status === 204) this.#endNow(login);
      return got.status === 204 || got.status === 401 ? RIGHT : this.client.unserved(got, login.username);
    });
  }

  /** Ends all sessions of a user. */
  #logoutEverywhere(): Promise<void> {
    const { username } = pick(USERS);
    const ofUser = this.#logins.filter((login) => login.username === username);
    const sentAt = performance.now();
    this.truth.revocationSent(username);
    const sent = { method: 'DELETE' };
    return this.#askAs(pick(ADMINS).username, 'a logout everywhere', `/sessions/${username}`, sent, ({ status }) => {
      this.truth.revocationAnswered(username, sentAt, status === 204);
      if (status !== 204) return undefined;
      for (const login of ofUser) {
        const at = this.#logins.indexOf(login);
        if (at < 0) continue;
        this.#logins.splice(at, 1);
        this.#endNow(login);
      }
      return RIGHT;
    });
  }

  #endNow(login: Login): void {
    login.endedAt = performance.now();
    login.mayEndAt = Math.min(login.mayEndAt, login.endedAt);
    this.#ended.push(login);
    if (this.#ended.length > MOST_LOGINS) this.#ended.shift();
  }

  /** Ends ten sessions and fifty that never existed, all at once. */
  async #logoutFlood(): Promise<void> {
    for (let i = 0; i < 10; i++) await this.#login();
    await Promise.all([
      ...this.#logins.slice(-10).map((login) => this.#logout(login)),
      ...Array.from({ length: 50 }, () => this.#unknownLogout()),
    ]);
  }

  #unknownLogout(): Promise<void> {
    const sent = { method: 'POST', headers: bearer(randomBytes(32).toString('base64url')) };
    return this.client.ask('a logout of an unknown session', '/auth/logout', sent, (got) =>
      got.status === 401 ? RIGHT : this.client.unserved(got),
    );
  }

  #acting(): Promise<void> {
    const { username } = pick(USERS);
    return this.#find('a Basic caller who acts as this caller', '/wallets/find', username, username);
  }

  /** The wallets must be those of `owner`. The upstream chooses them by the token of the call. */
  #find(scenario: string, path: string, username: string, owner: string): Promise<void> {
    const judge = ({ status, body }: Got): Judgement | undefined => {
      if (status !== 200) return undefined;
      return belongTo(body, owner) ? RIGHT : wrong('the token of another account');
    };
    return this.#askAs(username, scenario, path, { method: 'POST' }, judge, owner);
  }

  #merchant(): Promise<void> {
    const { id, username } = pick(MERCHANTS);
    return this.#askOf(id, 'an account known at run time', username, ({ status, body }) => {
      if (status !== 200) return undefined;
      return belongTo(body, username) ? RIGHT : wrong('the token of another account');
    });
  }

  #mistaken(): Promise<void> {
    return this.#askOf(MISTAKEN.id, 'an account with a wrong key', MISTAKEN.username, ({ status, body }) => {
      if (status === 200) return wrong('a token for a wrong key');
      return body['errorCode'] === 'credentials_rejected' ? RIGHT : undefined;
    });
  }

  #unknownMerchant(): Promise<void> {
    return this.#askOf(UNKNOWN_ID, 'an account that does not exist', UNKNOWN_ID, ({ status, body }) => {
      if (status === 200) return wrong('a token for an unknown account');
      return body['errorCode'] === 'unknown_account' ? RIGHT : undefined;
    });
  }

  #askOf(id: string, scenario: string, owner: string, judge: (got: Got) => Judgement | undefined): Promise<void> {
    return this.#askAs(pick(ADMINS).username, scenario, `/merchants/${id}/wallets`, {}, judge, owner);
  }

  /** Sends a request with the key of this user. If `judge` returns `undefined`, the response is an outage or wrong. */
  #askAs(
    username: string,
    scenario: string,
    path: string,
    { method = 'GET' }: { readonly method?: string },
    judge: (got: Got) => Judgement | undefined,
    owner = username,
  ): Promise<void> {
    const secretKey = this.truth.keyOf(username);
    return this.client.ask(scenario, path, { method, headers: basic(username, secretKey) }, (got) => {
      const judgement = judge(got);
      if (judgement !== undefined) return judgement;
      return this.truth.isKeyOf(username, secretKey) ? this.client.unserved(got, username, owner) : RIGHT;
    });
  }
}

/** Whether the answer lists wallets, and all of them belong to this account. */
function belongTo(body: unknown, username: string): boolean {
  return (
    Array.isArray(body) &&
    body.length > 0 &&
    body.every((wallet: { username?: unknown }) => wallet.username === username)
  );
}

/** Resolves when the request is answered, and not before {@link PACE_MS}. */
async function paced(send: () => Promise<void>): Promise<void> {
  await Promise.all([send(), sleep(PACE_MS)]);
}

function pick<T>(from: readonly T[]): T {
  return from[Math.floor(Math.random() * from.length)] as T;
}
