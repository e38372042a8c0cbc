import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { type AuditEvent, XPayAuditService } from 'nestjs-xpay-auth';
import { AMBIGUOUS, PLAIN_PATHS } from '../support/ambiguous-paths.js';
import { readingsOf } from '../support/path-readings.js';
import { basicLine, rawGet } from '../support/raw-request.js';
import { basic } from '../support/start-app.js';
import { ADMIN, type Stage, USER, stages, startProxy, startStage } from './stage.js';

/** Paths of the programs in `/admin/`, in spellings that a program may take for it. */
const OF_ADMIN = [
  '/admin/',
  '/admin',
  '/ADMIN/',
  '/Admin',
  '/%61dmin/',
  '/%41DMIN',
  '/admin/x',
  '/admin?x',
  '/aDmin?/',
];

const asUser = basicLine(`${USER.username}:${USER.secretKey}`);
const asAdmin = basicLine(`${ADMIN.username}:${ADMIN.secretKey}`);
const isOfAdmin = (target: string): boolean => [...readingsOf(target)].some((path) => /^\/admin(?:\/|$)/.test(path));

/** The example, with a program in place of every page: in `/admin/`, and wherever no other rule applies. */
const PROGRAMS = {
  nginx: { 'root site;': 'include caller.conf; proxy_pass http://protected;' },
  caddy: {
    'root * site\n\t\t\tfile_server': 'request_header -Authorization\n\t\t\treverse_proxy 127.0.0.1:8081',
  },
};

describe.each(stages)('paths through %s, with the reference app on %s', (proxy, platform) => {
  let stage: Stage;
  beforeAll(async () => {
    stage = await startStage(platform, (urls) => startProxy[proxy]({ ...urls, edits: PROGRAMS[proxy] }));
  });
  afterAll(async () => {
    await stage[Symbol.asyncDispose]();
  });
  const ask = async (target: string, authorization: string) => {
    const before = stage.site.reached.length;
    const { status } = await rawGet(stage.proxy.url, target, [authorization]);
    return { status, reached: stage.site.reached.slice(before).map(({ url }) => url) };
  };

  it('D15 · no request target takes a caller without the scope to a program in /admin/', async () => {
    const reached: string[] = [];
    for (const target of [...AMBIGUOUS, ...OF_ADMIN]) {
      const answer = await ask(target, asUser);
      reached.push(...answer.reached.filter(isOfAdmin).map((url) => `${target} as ${url}`));
    }
    expect(reached).toEqual([]);
  });

  it.each(AMBIGUOUS)('D15 · refuses %j with 400', async (target) => {
    expect(await ask(target, asUser)).toEqual({ status: 400, reached: [] });
    expect(await ask(target, asAdmin)).toEqual({ status: 400, reached: [] });
  });

  it.each(PLAIN_PATHS)('D15 · passes %j on as it is', async (target) => {
    expect(await ask(target, asUser)).toEqual({ status: 200, reached: [target] });
  });

  it.each(OF_ADMIN)('D15 · requires the scope of /admin/ for %j', async (target) => {
    expect(await ask(target, asUser)).toEqual({ status: 403, reached: [] });
    expect(await ask(target, asAdmin)).toEqual({ status: 200, reached: [target] });
  });
});

/** The example without its own rule about paths, as in a configuration that was written before it. */
const WITHOUT_RULE = {
  nginx: { '"~*^[^?]*(?:%(?:': '"~*^no such path(?:%(?:' },
  caddy: { '`(?i)^[^?]*(?:%(?:': '`(?i)^no such path(?:%(?:' },
};

describe.each(stages)('%s without a rule about paths, with the reference app on %s', (proxy, platform) => {
  it('D15 · sends the original path to /verify, which refuses it with 400 and audits the client', async () => {
    const edits = { ...PROGRAMS[proxy], ...WITHOUT_RULE[proxy] };
    await using stage = await startStage(platform, (urls) => startProxy[proxy]({ ...urls, edits }));
    const events: AuditEvent[] = [];
    stage.app.app.get(XPayAuditService).events.subscribe((event) => events.push(event));
    const statuses = new Map<string, number>();
    for (const target of AMBIGUOUS) {
      statuses.set(target, (await rawGet(stage.proxy.url, target, [asUser])).status);
    }
    // nginx sends a client from /app to /app/ before it calls /verify.
    const redirected = proxy === 'nginx' ? [['/app#/../admin/', 301]] : [];
    expect([...statuses].filter(([, status]) => status !== 400)).toEqual(redirected);
    expect(stage.site.reached).toEqual([]);

    events.length = 0;
    const headers = basic(USER.username, USER.secretKey);
    await stage.ask('/app/..%2fadmin/', { from: '127.0.0.2', headers });
    await stage.ask('/admin/', { from: '127.0.0.2', headers });
    expect(events).toEqual([
      expect.objectContaining({ type: 'refused', username: USER.username, address: '127.0.0.2' }),
      { type: 'denied', username: USER.username, address: '127.0.0.2', requiredScopes: ['tme_admin'] },
    ]);
  });
});
