// Soak with an upstream that often fails: `node bench/soak/flapping.mjs` measures and writes the table of docs/resilience.md.
import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { SERVER_CORE } from '../machine/cores.mjs';
import { withProcesses } from '../machine/child.mjs';
import { prepare } from '../machine/ready.mjs';
import { startUpstream } from './flapping-upstream.mjs';

const { values } = parseArgs({
  options: {
    seconds: { type: 'string', default: '60' },
    loops: { type: 'string', default: '200' },
    pause: { type: 'string', default: '25' },
    seed: { type: 'string', default: '20' },
    'no-build': { type: 'boolean' },
    only: { type: 'string' },
  },
});
const [seconds, loops, pauseMs, seed] = [values.seconds, values.loops, values.pause, values.seed].map(Number);
const PEERS = {
  ours: '**ours**: `getToken()`',
  azure: '@azure/core-rest-pipeline, with settings for tokens of 2 s',
  badgateway: '@badgateway/oauth2-client',
};
const DOCUMENT = fileURLToPath(new URL('../../docs/resilience.md', import.meta.url));
const [BEGIN, END] = ['<!-- flapping: written by `node bench/soak/flapping.mjs` -->', '<!-- end of flapping -->'];
const LOOPS = fileURLToPath(new URL('flapping-loops.mjs', import.meta.url));

if (!values['no-build']) prepare({ app: false });
const rows = [
  ['library', 'calls', 'failed', 'expired tokens', 'requests to the upstream', 'longest call'],
  [':--', '--:', '--:', '--:', '--:', '--:'],
];
for (const [peer, name] of Object.entries(PEERS)) {
  if (values.only !== undefined && values.only !== peer) continue;
  const upstream = await startUpstream(seed);
  const { calls, failed, dead, slowestMs } = await withProcesses(async (start) => {
    const child = await start(LOOPS, { core: SERVER_CORE, args: [peer, upstream.url] });
    return child.ask('run', { loops, seconds, pauseMs });
  });
  const share = `${((100 * failed) / calls).toFixed(2)} %`;
  rows.push([name, calls.toLocaleString('en'), share, dead, upstream.requests(), `${slowestMs} ms`]);
  upstream.stop();
}
const table = rows.map((cells) => `| ${cells.join(' | ')} |`).join('\n');
console.log(table);
if (values.only === undefined) write();
process.exit();

function write() {
  const text = readFileSync(DOCUMENT, 'utf8');
  const [begin, end] = [text.indexOf(BEGIN), text.indexOf(END)];
  if (begin < 0 || end < begin) throw new Error(`docs/resilience.md lacks ${BEGIN} and ${END}`);
  writeFileSync(DOCUMENT, `${text.slice(0, begin)}${BEGIN}\n\n${table}\n\n${text.slice(end)}`);
}
