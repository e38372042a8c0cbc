import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { readingsOf } from '../support/path-readings.js';
import { basicLine, rawGet } from '../support/raw-request.js';
import { ADMIN, type Stage, USER, stages, startProxy, startStage } from './stage.js';

/** Request targets that a proxy and the program behind it may read differently. Sent byte for byte: HTTP clients normalise. */
const AMBIGUOUS = [
  // Dot segments, as such and encoded in upper case, lower case and partly.
  '/admin/../app/',
  '/app/../admin/',
  '/app/../admin',
  '/app/..',
  '/app/.',
  '/app/./../admin/',
  '/app/x/../../admin/',
  '/../admin/',
  '/app/%2e%2e/admin/',
  '/app/%2E%2E/admin/',
  '/app/.%2e/admin/',
  '/app/%2e./admin/',
  '/admin/%2e%2e/app/',
  '/app/%2e/',
  // Encoded slashes.
  '/admin/..%2fapp/',
  '/admin/..%2Fapp/',
  '/app/..%2fadmin/',
  '/app/..%2Fadmin/',
  '/app%2f..%2fadmin/',
  '/app/%2e%2e%2fadmin/',
  '/app/%2f../%2fadmin/',
  '/admin%2F',
  '/%2fadmin/',
  // Backslashes.
  '/app/..\\admin\\',
  '/admin\\..\\app/',
  '/app/..%5cadmin/',
  '/app/..%5Cadmin/',
  '\\admin/',
  '/\\admin/',
  // Empty segments.
  '//admin/',
  '/app//../admin/',
  '/admin//../app/',
  '/app//..//admin/',
  '//app/../admin/',
  // Parameters of a segment.
  '/app/..;/admin/',
  '/app/..;x=1/admin/',
  '/app/;/../admin/',
  '/app/..%3b/admin/',
  '/app/..%3Bx/admin/',
  '/admin;x/',
  '/;x/admin/',
  // Encoded twice, and more often.
  '/app/..%252fadmin/',
  '/app/..%252Fadmin/',
  '/app/%252e%252e/admin/',
  '/app/%252e%252e%252fadmin/',
  '/app/..%25252fadmin/',
  '/app/..%255cadmin/',
  '/app/%25%32%65%25%32%65/admin/',
  '/app/..%25%32%66admin/',
  '/app/..%252%66admin/',
  '/%2561dmin/',
  // Characters that end a string or a line, and those that no path may hold.
  '/app/..%00/admin/',
  '/app/%00/../admin/',
  '/admin%00/',
  '/admin%00.html',
  '/app/..%0a/admin/',
  '/app/..%0D%0A/admin/',
  '/app/.%7f./admin/',
  '/app/..\u0000/admin/',
  '/app/..\t/admin/',
  '/admin#/../app/',
  '/app#/../admin/',
  // Slashes and dots in overlong UTF-8, encoded and not.
  '/app/..%c0%afadmin/',
  '/app/..%C0%AFadmin/',
  '/app/%c0%ae%c0%ae/admin/',
  '/app/..%e0%80%afadmin/',
  '/app/..%f0%80%80%afadmin/',
  '/app/..%c1%9cadmin/',
  '/app/..\xc0\xafadmin/',
  // Not percent-encoding.
  '/app/..%u002fadmin/',
  '/app/..%2/admin/',
  '/app/%',
  // The whole address as the target (RFC 9112 §3.2.2).
  'http://x/app/../admin/',
  'http://x/admin/..%2fapp/',
] as const;

/** Paths that have one reading. */
const PLAIN_PATHS = [
  '/app/',
  '/app/a%20b',
  '/app/%E2%82%AC/%C3%BC',
  '/app/%F0%9F%98%80',
  '/app/%61b',
  '/app/.well-known/x',
  '/app/..x/x../...',
  '/app/100%25',
  '/app/100%25/x',
  "/app/a:b@c!$&'()*+,=~_-",
  '/app/C%23/what%3F',
  '/app/?next=/../admin/..%2f//;x\\%00%252f',
  '/app/x?a=%2e%2e/#',
] as const;

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
