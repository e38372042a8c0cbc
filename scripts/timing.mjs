// `npm run timing`: measures whether a caller can distinguish an unknown user from a wrong key by the response, by the
// number of upstream calls, or by the time (B3, B4). It compares the two cases through an app and at the upstream itself. As a
// control, it also compares two groups that do not differ. `-- --runs 5000` sends more requests of each kind.
import 'reflect-metadata';
import { randomBytes } from 'node:crypto';
import { Agent, request } from 'node:http';
import { parseArgs } from 'node:util';
import { Controller, Get, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { Authenticated, XPayAuthModule } from 'nestjs-xpay-auth';
import { startXPayEmulator } from 'nestjs-xpay-auth/testing';
import { noticeable, quantile, rankTest } from './timing/rank-test.mjs';

const { values: flags } = parseArgs({ options: { runs: { type: 'string', default: '2000' } } });
const runs = Number(flags.runs);
const WARM_UP = 300;
/** Significance level: chance alone produces a smaller `p` in one of 1,000 runs. */
const LEVEL = 0.001;
const LOGIN = '/client/authenticate';

// Each request has a new username of the same length, because counting an attempt takes another time for a known username.
const fresh = () => `${randomBytes(9).toString('hex')}@example.test`;
const known = Array.from({ length: 3 * (runs + WARM_UP) }, fresh);
const accounts = known.map((username) => ({ username, secretKey: randomBytes(12).toString('hex') }));
const upstream = await startXPayEmulator({ accounts });

class MeController {
  me() {
    return 'me';
  }
}
const me = Object.getOwnPropertyDescriptor(MeController.prototype, 'me');
Get('me')(MeController.prototype, 'me', me);
Authenticated()(MeController.prototype, 'me', me);
Controller()(MeController);
class AppModule {}
// Failed attempts are counted as usual, but the limits are so high that none is reached.
const limit = { attempts: 1_000_000_000, windowMs: 86_400_000 };
const attempts = { perUserAndAddress: limit, perAddress: limit, perUser: limit };
Module({
  imports: [XPayAuthModule.forRoot({ baseUrl: upstream.url, attempts })],
  controllers: [MeController],
})(AppModule);
const app = await NestFactory.create(AppModule, { logger: false });
await app.listen(0, '127.0.0.1');
const appUrl = await app.getUrl();

const agent = new Agent({ keepAlive: true, maxSockets: 1 });

/** Sends one request over a kept-alive connection. Returns its duration and the response without its date. */
function ask(url, options, body) {
  return new Promise((resolve, reject) => {
    const began = performance.now();
    const asked = request(url, { agent, ...options }, (response) => {
      const chunks = [];
      response.on('data', (chunk) => chunks.push(chunk));
      response.on('end', () => {
        const tookMs = performance.now() - began;
        const headers = response.rawHeaders.filter((_, at, all) => all[at - (at % 2)].toLowerCase() !== 'date');
        resolve({ tookMs, answer: JSON.stringify([response.statusCode, headers, Buffer.concat(chunks).toString()]) });
      });
    });
    asked.on('error', reject);
    asked.end(body);
  });
}

function throughApp(username) {
  const authorization = `Basic ${Buffer.from(`${username}:${randomBytes(12).toString('hex')}`).toString('base64')}`;
  return ask(`${appUrl}/me`, { headers: { authorization } });
}
function direct(username) {
  const body = JSON.stringify({ username, secretKey: randomBytes(12).toString('hex'), isAPI: true });
  return ask(upstream.url + LOGIN, { method: 'POST', headers: { 'content-type': 'application/json' } }, body);
}

const kinds = {
  'unknown user': { send: () => throughApp(fresh()) },
  'wrong key': { send: () => throughApp(known.pop()) },
  'wrong key, the other half': { send: () => throughApp(known.pop()) },
  'upstream alone: unknown user': { send: () => direct(fresh()) },
  'upstream alone: wrong key': { send: () => direct(known.pop()) },
};
for (const kind of Object.values(kinds)) Object.assign(kind, { times: [], answers: new Set(), calls: 0 });

for (let run = -WARM_UP; run < runs; run++) {
  // The order of the kinds is random in each round, so that a kind does not always follow the same other kind.
  const order = Object.values(kinds).map((kind) => [Math.random(), kind]);
  for (const [, kind] of order.toSorted(([a], [b]) => a - b)) {
    const before = upstream.requests(LOGIN);
    const { tookMs, answer } = await kind.send();
    if (run < 0) continue;
    kind.calls += upstream.requests(LOGIN) - before;
    kind.times.push(tookMs);
    kind.answers.add(answer);
  }
}
await app.close();
await upstream.stop();
agent.destroy();

const us = (ms) => `${(ms * 1_000).toFixed(0).padStart(6)} µs`;
console.log(`${runs} requests of each kind, in shuffled order\n`);
console.log(`${''.padEnd(30)}${['5 %', 'median', '95 %'].map((head) => head.padStart(9)).join('')}  calls  answers`);
for (const [name, { times, calls, answers }] of Object.entries(kinds)) {
  const shown = [0.05, 0.5, 0.95].map((share) => us(quantile(times, share))).join('');
  const different = name.startsWith('upstream') ? '(with separate references)' : String(answers.size);
  console.log(`${name.padEnd(30)}${shown}  ${(calls / runs).toFixed(2).padStart(5)}  ${different}`);
}

const compare = (one, other) => rankTest(kinds[one].times, kinds[other].times);
const app1 = compare('unknown user', 'wrong key');
const none = compare('wrong key, the other half', 'wrong key');
const own = compare('upstream alone: unknown user', 'upstream alone: wrong key');
const told = ({ share, p }) => `slower in ${(share * 100).toFixed(1)} % of all pairs, p = ${p.toFixed(3)}`;
console.log(`\nunknown user against wrong key:                    ${told(app1)}`);
console.log(`wrong key against wrong key (no difference):       ${told(none)}`);
console.log(`upstream alone, unknown user against wrong key:    ${told(own)}`);
const seen = noticeable(kinds['wrong key'].times, kinds['wrong key, the other half'].times, LEVEL, 0.001);
console.log(`A difference of ${(seen * 1_000).toFixed(0)} µs would have been noticed (p < ${LEVEL}).`);

const answers = new Set([...kinds['unknown user'].answers, ...kinds['wrong key'].answers]);
const sameCalls = kinds['unknown user'].calls === runs && kinds['wrong key'].calls === runs;
// A difference in the response times of the upstream itself does not count, because no app can hide it.
const sameTime = app1.p >= LEVEL || Math.abs(app1.share - 0.5) <= Math.abs(own.share - 0.5);
console.log(`\nsame answer: ${answers.size === 1}; one upstream call each: ${sameCalls}; same time: ${sameTime}`);
process.exitCode = answers.size === 1 && sameCalls && sameTime ? 0 : 1;
