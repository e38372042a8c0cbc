import type { Fault as UpstreamFault } from 'nestjs-xpay-auth/testing';
import { APP, type Stage, USERS } from './stage.js';
import type { Truth } from './truth.js';

/** Something bad that lasts: begun, waited for, ended. */
export interface Fault {
  readonly name: string;
  begin(): unknown;
  /** After the time it lasts. Absent: it is over as soon as it has happened. */
  end?(): unknown;
}

/** Everything that is done to the apps, and what that makes true. */
export function faultsOf(stage: Stage, truth: Truth): readonly Fault[] {
  const { upstream, redis, wire } = stage;
  const storeFault = (name: string, begin: () => unknown, end: () => unknown): Fault => ({
    name,
    begin: () => (truth.storeGoes(), begin()),
    end: async () => {
      await end();
      truth.storeIsBack();
    },
  });
  const upstreamFault = (name: string, fault: UpstreamFault): Fault => ({
    name,
    begin: () => upstream.faults.always(fault),
    end: () => upstream.faults.clear(),
  });
  let turn = 0;
  return [
    {
      name: 'an instance is killed, and started again',
      begin: async () => {
        stage.apps[++turn % 3]?.kill('SIGKILL');
        await stage.apps[turn % 3]?.ended();
      },
      end: () => stage.boot(turn % 3),
    },
    {
      name: 'an instance is paused, and goes on',
      begin: () => stage.apps[++turn % 3]?.kill('SIGSTOP'),
      end: () => stage.apps[turn % 3]?.kill('SIGCONT'),
    },
    storeFault(
      'Redis is killed, and started again empty',
      () => redis.kill(),
      () => truth.storeIsEmptied(() => redis.resume()),
    ),
    storeFault(
      'Redis is paused, and goes on',
      () => redis.freeze(),
      () => redis.thaw(),
    ),
    {
      name: 'Redis is flushed',
      begin: async () => {
        await truth.storeIsEmptied(() => redis.client.flushall());
        truth.storeIsBack();
      },
    },
    storeFault(
      'Redis answers 300 ms late',
      () => (wire.delayMs = 300),
      () => (wire.delayMs = 0),
    ),
    storeFault(
      'the wire to Redis is cut',
      () => wire.cut(),
      () => wire.heal(),
    ),
    storeFault(
      'the wire to Redis swallows everything',
      () => wire.blackHole(),
      () => wire.heal(),
    ),
    { name: 'the upstream is gone', begin: () => upstream.pause(), end: () => upstream.resume() },
    upstreamFault('the upstream takes 2 s', { kind: 'delay', ms: 2_000 }),
    upstreamFault('the upstream hangs', { kind: 'hang' }),
    upstreamFault('the upstream answers 503, come back in 2 s', { kind: 'unavailable', retryAfter: 2 }),
    upstreamFault('the upstream answers 429, come back in 1 s', { kind: 'rateLimited', retryAfter: 1 }),
    upstreamFault('the upstream answers with a page of HTML', { kind: 'html502' }),
    upstreamFault('the upstream answers nonsense', { kind: 'notJson' }),
    {
      name: "users' keys are changed",
      begin: () => {
        for (const { username } of USERS.slice(0, 3)) {
          const secretKey = `a new secret ${Math.random()}`;
          upstream.setSecret(username, secretKey);
          truth.changeKey(username, secretKey);
        }
      },
    },
    {
      name: "the app's own key is changed, and deployed one by one",
      begin: () => {
        stage.appSecret = `a new app secret ${Math.random()}`;
        upstream.setSecret(APP.username, stage.appSecret);
      },
      end: () => stage.restartAll(),
    },
    { name: "the app's tokens are revoked", begin: () => upstream.revokeTokens(APP.username) },
    {
      name: 'encryption keys are rotated in two steps, each deployed one by one',
      begin: () => {
        stage.teachKey();
        return stage.restartAll();
      },
      end: () => {
        stage.promoteKey();
        return stage.restartAll();
      },
    },
  ];
}
