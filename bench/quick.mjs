// `npm run bench:quick`: a short measurement of the ratios, compared with the recorded ones. It reports changes and never fails.
import { readResults } from './figures/results.mjs';
import { holdTo, LOAD_CORE } from './machine/cores.mjs';
import { prepare } from './machine/ready.mjs';

/** Relative noise of one short measurement. */
const WAVER = 0.05;

prepare({ app: false });
holdTo(LOAD_CORE);
const say = () => undefined;
const rows = [];
const recordedInbound = readResults('inbound');
const recordedOutbound = readResults('outbound');

try {
  const inbound = await import('./inbound/table.mjs');
  const { rows: measured } = await inbound.measure({ rounds: 1, pairs: 8, nodes: ['24'], others: [], say });
  for (const { platform, node, id, name, ratio } of measured) {
    const recorded = recordedInbound?.rows.find(
      (row) => row.id === id && row.platform === platform && row.node === node,
    );
    compare(`${platform}, ${name.replaceAll('**', '')}`, recorded?.ratio, ratio.median);
  }
  const outbound = await import('./outbound/table.mjs');
  const { rows: paces } = await outbound.measure({ rounds: 1, peers: ['ours'], crowds: false, say });
  const recorded = recordedOutbound?.rows.find(({ id }) => id === 'ours');
  compare('getToken(), ns scaled', recorded?.getNs, paces[0].getNs?.median, true);
  compare('peek(), ns scaled', recorded?.peekNs, paces[0].peekNs?.median, true);
} catch (failure) {
  console.log(`The measurement ended early: ${failure.message}`);
}

const moved = rows.filter(({ verdict }) => verdict === 'worse' || verdict === 'better');
for (const { what, recorded, now, verdict } of rows)
  console.log(`${verdict.padEnd(9)} ${what}: ${recorded} recorded, ${now} now`);
console.log(
  moved.length === 0
    ? 'Nothing moved.'
    : `${moved.length} of ${rows.length} moved; \`npm run bench\` measures exactly.`,
);
process.exit();

/** Whether a figure is outside the recorded range, widened by the noise. */
function compare(what, recorded, now, lessIsBetter = false) {
  const verdict = verdictOf(recorded, now, lessIsBetter);
  rows.push({ what, recorded: text(recorded?.median), now: text(now), verdict });
}

function text(value) {
  if (value === undefined) return 'nothing';
  return value < 10 ? value.toFixed(2) : String(Math.round(value));
}

function verdictOf(recorded, now, lessIsBetter) {
  if (recorded === undefined || now === undefined) return 'unknown';
  const [low, high] = [recorded.min * (1 - WAVER), recorded.max * (1 + WAVER)];
  if (now >= low && now <= high) return 'as before';
  return now < low === lessIsBetter ? 'better' : 'worse';
}
