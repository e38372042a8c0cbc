// `npm run chaos`: runs three instances, a real Redis with a replica, nginx and the emulator, and injects faults for 15 min
// (`-- --seconds 60` for one). Prints the answers that the callers got. If no answer was wrong, writes them to
// docs/resilience.md (`-- --dry` does not change the document).
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import prettier from 'prettier';

const { values } = parseArgs({
  options: { seconds: { type: 'string', default: '900' }, dry: { type: 'boolean', default: false } },
});

const root = resolve(import.meta.dirname, '..');
const document = join(root, 'docs/resilience.md');
const [BEGIN, END] = ['<!-- chaos: written by `npm run chaos` -->', '<!-- end of chaos -->'];

const place = mkdtempSync(join(tmpdir(), 'chaos-'));
try {
  const file = join(place, 'report.json');
  const jest = join(root, 'node_modules/jest/bin/jest.js');
  const flags = ['--experimental-vm-modules', '--disable-warning=ExperimentalWarning', jest];
  const { status } = spawnSync(process.execPath, [...flags, 'test/chaos'], {
    cwd: root,
    stdio: ['ignore', 'ignore', 'inherit'],
    env: { ...process.env, CHAOS_SECONDS: values.seconds, CHAOS_REPORT: file },
  });
  if (!existsSync(file)) throw new Error('the run ended early');
  const text = sectionOf(JSON.parse(readFileSync(file, 'utf8')));
  console.log(text);
  if (status !== 0) throw new Error('there were wrong answers; the document was not changed');
  if (!values.dry) await write(text);
} catch (failure) {
  console.error(failure.message);
  process.exitCode = 1;
} finally {
  rmSync(place, { recursive: true, force: true });
}

async function write(section) {
  const text = readFileSync(document, 'utf8');
  const [begin, end] = [text.indexOf(BEGIN), text.indexOf(END)];
  if (begin < 0 || end < begin) throw new Error(`docs/resilience.md lacks ${BEGIN} and ${END}`);
  const written = `${text.slice(0, begin)}${BEGIN}\n\n${section}\n\n${text.slice(end)}`;
  const options = (await prettier.resolveConfig(document)) ?? {};
  writeFileSync(document, await prettier.format(written, { ...options, parser: 'markdown' }));
}

function sectionOf({ seconds, requests, wrong, scenarios, causes, faults, upstream }) {
  const unserved = scenarios.reduce((sum, { unavailable }) => sum + unavailable, 0);
  const when = new Date().toISOString().slice(0, 10);
  return [
    `${when}, Node ${process.version}, ${seconds} s: **${number(requests)} requests, ${number(wrong)} wrong answers**, ` +
      `${number(unserved)} not served (${((100 * unserved) / requests).toFixed(2)} %). The upstream received ` +
      `${number(upstream.ownToken)} logins of the app account, ${number(upstream.accounts)} logins of the 12 accounts known at ` +
      `run time, ${number(upstream.mistaken)} logins of the account with a wrong key, ${number(upstream.callers)} checks of ` +
      `callers, and ${number(upstream.api)} requests for wallets.`,
    table(
      ['request', 'correct', 'not served', 'wrong'],
      scenarios.map(({ scenario, right, unavailable, wrong: bad }) => [scenario, right, unavailable, bad].map(show)),
    ),
    table(
      ['cause', 'requests', 'last fault before the answer'],
      causes
        .map(({ cause, faults: during }) => ({ cause, during: descending(Object.entries(during)) }))
        .map(({ cause, during }) => [cause, during.reduce((sum, [, count]) => sum + count, 0), during])
        .toSorted(([, one], [, other]) => other - one)
        .map(([cause, count, during]) => [
          cause,
          number(count),
          during.map(([fault, n]) => `${fault}: ${number(n)}`).join('; '),
        ]),
    ),
    table(
      [
        'fault',
        'times',
        'requests not served until the next fault',
        'longest time from the end of the fault to the last failed request',
      ],
      faults
        .toSorted((one, other) => one.fault.localeCompare(other.fault))
        .map(({ fault, times, unavailable, worstRecoveryMs }) => [
          ...[fault, times, unavailable].map(show),
          `${(worstRecoveryMs / 1_000).toFixed(1)} s`,
        ]),
    ),
  ].join('\n\n');
}

function descending(counts) {
  return counts.toSorted(([, one], [, other]) => other - one);
}

function show(value) {
  return typeof value === 'number' ? number(value) : value;
}

function number(value) {
  return value.toLocaleString('en-GB');
}

function table(head, rows) {
  return [head, head.map((_, at) => (at === 0 ? '---' : '--:')), ...rows]
    .map((row) => `| ${row.join(' | ')} |`)
    .join('\n');
}
