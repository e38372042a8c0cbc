import { describe, expect, it } from '@jest/globals';
import { Agent, get } from 'node:http';
import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { text } from 'node:stream/consumers';
import { type Reached, reachedWith } from '../support/echo-site.js';
import { startNginx } from '../support/nginx.js';
import { basic, platforms } from '../support/start-app.js';
import { ADMIN, PLAIN, type Stage, USER, stages, startProxy, startStage } from './stage.js';

const callers = [USER, ADMIN, PLAIN];

/** The caller that the site received, over a shared connection, as behind a load balancer in front of nginx. */
async function toldOf(stage: Stage, agent: Agent, { username, secretKey }: typeof USER): Promise<readonly string[]> {
  const asked = get(`${stage.proxy.url}/app/`, { agent, headers: basic(username, secretKey) });
  const [answer] = (await once(asked, 'response')) as [IncomingMessage];
  return reachedWith(JSON.parse(await text(answer)) as Reached, 'x-auth-user');
}

async function expectNoMixUp(stage: Stage): Promise<void> {
  const agent = new Agent({ keepAlive: true, maxSockets: 4 });
  const asked = Array.from({ length: 150 }, (_, i) => callers[i % 3] ?? USER);
  const told = await Promise.all(asked.map((caller) => toldOf(stage, agent, caller)));
  expect(told).toEqual(asked.map(({ username }) => [encodeURIComponent(username)]));
  agent.destroy();
  expect((await stage.ask('/app/')).status).toBe(401);
  expect((await stage.ask('/app/', { headers: basic(USER.username, 'wrong') })).status).toBe(401);
  expect((await stage.ask('/admin/', { headers: basic(USER.username, USER.secretKey) })).status).toBe(403);
}

describe.each(stages)('callers of %s in front of the reference app on %s', (proxy, platform) => {
  it('are never confused, with concurrent requests over shared connections', async () => {
    await using stage = await startStage(platform, startProxy[proxy]);
    await expectNoMixUp(stage);
  });
});

describe.each(platforms)('callers of nginx in front of the reference app on %s', (platform) => {
  it('are not confused when nginx caches responses of /verify under a key without the credentials', async () => {
    await using stage = await startStage(platform, (urls) =>
      startNginx({
        ...urls,
        edits: {
          'access_log off;': 'access_log off; proxy_cache_path cache keys_zone=verify:1m;',
          'proxy_pass_request_body off;': 'proxy_pass_request_body off; proxy_cache verify; proxy_cache_valid any 1m;',
        },
      }),
    );
    await expectNoMixUp(stage);
  });
});
