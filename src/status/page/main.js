import { Chart } from './charts.js';
import { numberText } from './format.js';
import { Rows } from './rows.js';
import { count, longest, mean, upstreamSentence } from './summaries.js';
import { failureOf, receiveFrames, send } from './stream.js';
import { showToken } from './token.js';

const MOST = { samples: 600, tokenEvents: 50, audit: 200 };
const at = (id) => document.getElementById(id);

const charts = [
  new Chart('callers', {
    floor: 5,
    summary: (samples, field) => (field === 'waiting' ? null : count(samples, field)),
    series: [
      { field: 'fromCache', label: 'Authenticated from cache', colour: '--from-cache' },
      { field: 'fromUpstream', label: 'Authenticated by the upstream', colour: '--from-upstream' },
      { field: 'rejected', label: 'Rejected (400, 401)', colour: '--rejected' },
      { field: 'limited', label: 'Rate-limited (429)', colour: '--limited' },
      { field: 'undecided', label: 'Failed (5xx)', colour: '--undecided' },
      { field: 'waiting', label: 'Queued', colour: '--waiting', dashed: true },
    ],
  }),
  new Chart('latency', {
    floor: 10,
    summary: (samples, field) => (field === 'maxMs' ? longest(samples) : mean(samples, field)),
    series: [
      { field: 'meanMs', label: 'Mean', colour: '--from-cache' },
      { field: 'maxMs', label: 'Longest', colour: '--waiting', dashed: true },
    ],
  }),
  new Chart('calls', {
    floor: 2,
    summary: count,
    series: [
      { field: 'calls', label: 'All requests', colour: '--from-upstream' },
      { field: 'failures', label: 'Failed requests', colour: '--undecided' },
    ],
  }),
];
const tokenEvents = new Rows('token-events', { most: MOST.tokenEvents, hasAddress: false, empty: 'No events yet.' });
const audit = new Rows('audit', { most: 100, hasAddress: true, empty: 'No events yet.' });

/** The state of the page. The bearer token is only here, so it is lost when the page is closed. */
const page = {
  token: undefined,
  frame: undefined,
  samples: [],
  tokenEvents: [],
  audit: [],
  aheadMs: 0,
  isPaused: false,
  said: {},
  stop: () => undefined,
};

function onFrame(frame) {
  const isNew = frame.type === 'snapshot';
  for (const [name, most] of Object.entries(MOST)) {
    page[name] = [...(isNew ? [] : page[name]), ...frame[name]].slice(-most);
  }
  page.frame = frame;
  page.aheadMs = frame.at - Date.now();
  connected('live', 'Live');
  if (at('status').hidden) {
    at('status').hidden = at('actions').hidden = false;
    at('login').hidden = true;
  }
  announceChanges(frame);
  if (!page.isPaused) render(isNew || frame.tokenEvents.length > 0, isNew || frame.audit.length > 0);
}

function render(hasTokenEvents, hasAudit) {
  const { frame, samples } = page;
  const { status, reasons } = frame.health;
  at('health').dataset.status = status;
  at('health').textContent = reasons.length === 0 ? 'Healthy.' : `${capitalized(status)}: ${reasons.join('; ')}`;
  at('sessions').textContent = numberText(frame.sessions);
  at('store').textContent = storeText(frame.store);
  at('callers-sentence').textContent = callersSentence(samples.at(-1));
  at('upstream-sentence').textContent = upstreamSentence(samples);
  showToken(frame.token, now());
  showTraffic(frame.traffic);
  if (at('status').hidden) return;
  for (const chart of charts) chart.update(samples);
  if (hasTokenEvents) tokenEvents.show(page.tokenEvents);
  if (hasAudit) audit.show(page.audit);
}

const now = () => Date.now() + page.aheadMs;
const capitalized = (text) => text[0].toUpperCase() + text.slice(1);

function storeText(store) {
  if (store === null) return 'none, memory of this process';
  const unreadable = store.unreadable > 0 ? `, ${store.unreadable} unreadable values` : '';
  return `${store.state}${store.reason ? `: ${store.reason}` : ''}${unreadable}`;
}

function callersSentence(sample) {
  if (sample === undefined) return 'No callers yet.';
  const { fromCache, fromUpstream, rejected, limited, undecided, waiting } = sample;
  const parts = [
    [fromCache, 'from cache'],
    [fromUpstream, 'by the upstream'],
    [rejected, 'rejected'],
    [limited, 'rate-limited'],
    [undecided, 'failed'],
    [waiting, 'queued'],
  ].filter(([count]) => count > 0);
  if (parts.length > 0)
    return `This second: ${parts.map(([count, what]) => `${numberText(count)} ${what}`).join(', ')}.`;
  const hasDemo = !at('traffic').hidden;
  return page.samples.some((one) => one.fromCache + one.fromUpstream + one.rejected > 0)
    ? 'No callers this second.'
    : `No callers yet.${hasDemo ? ' Start the demo traffic, or send a request.' : ''}`;
}

/** Tells a screen reader only what changed, because the numbers change every second. */
function announceChanges({ health, token }) {
  const said = { health: `The app is ${health.status}.`, token: token === null ? '' : `The token: ${token.state}.` };
  const changed = Object.keys(said).filter((key) => page.said[key] !== said[key] && said[key] !== '');
  if (changed.length > 0) at('announcements').textContent = changed.map((key) => said[key]).join(' ');
  page.said = said;
}

function connected(state, text) {
  const line = at('connection');
  if (line.dataset.state === state && line.textContent === text) return;
  if (state === 'lost') at('announcements').textContent = text;
  line.dataset.state = state;
  line.textContent = text;
}

function connect() {
  page.stop();
  page.stop = receiveFrames({
    token: page.token,
    onFrame,
    onLost: (reason) => connected('lost', `Connection lost. Connecting again… ${reason}`.trimEnd()),
    onRefused: async (response) => showLogin(page.token === undefined ? '' : await refusalOf(response)),
  });
}

async function refusalOf(response) {
  return response.status === 401 ? 'The session has ended. Log in again.' : await failureOf(response);
}

function showLogin(problem) {
  page.stop();
  page.token = undefined;
  for (const dialog of document.querySelectorAll('dialog')) dialog.close();
  at('status').hidden = at('actions').hidden = true;
  at('login').hidden = false;
  connected('connecting', 'Not logged in');
  at('login').querySelector('.problem').textContent = problem;
  at('login').querySelector('[name=username]').focus();
}

/** Sends a POST. Shows the problem, and returns `undefined`, if it fails. */
async function post(path, body, problem) {
  problem.textContent = '';
  const response = await send(path, { token: page.token, method: 'POST', body }).catch(() => undefined);
  if (response?.ok) return response;
  problem.textContent = response === undefined ? 'The app cannot be reached.' : await failureOf(response);
  return undefined;
}

/** Calls `submit` with the fields of a form instead of sending it. */
function onSubmit(form, submit) {
  form.addEventListener('submit', (event) => {
    event.preventDefault();
    void submit(Object.fromEntries(new FormData(form)), form.querySelector('.problem'));
  });
}

const loginForm = at('login').querySelector('form');
onSubmit(loginForm, async ({ username, secretKey }, problem) => {
  const response = await post('/auth/login', { username, secretKey }, problem);
  if (response === undefined) return;
  page.token = (await response.json()).accessToken;
  loginForm.reset();
  at('logout').hidden = false;
  connect();
});

at('logout').addEventListener('click', () => {
  void send('/auth/logout', { token: page.token, method: 'POST' }).catch(() => undefined);
  showLogin('');
});

/** Opens a dialog that sends a POST after a confirmation. */
function confirmed(name, path) {
  const dialog = at(`${name}-dialog`);
  const form = dialog.querySelector('form');
  at(name).addEventListener('click', () => {
    form.querySelector('.problem').textContent = '';
    form.reset();
    const names = page.audit.flatMap(({ username }) => username ?? []);
    // A name that the app has shortened, or without its control characters, is not the name of the user.
    const users = [...new Set(names.filter((name) => !/…$|\ufffd/.test(name)))].slice(-50);
    at('users').replaceChildren(...users.map((user) => new Option(user)));
    dialog.showModal();
  });
  dialog.querySelector('[data-cancel]').addEventListener('click', () => dialog.close());
  onSubmit(form, async (fields, problem) => {
    if ((await post(path, fields, problem)) !== undefined) dialog.close();
  });
}
confirmed('refresh', '/status/refresh');
confirmed('revoke', '/status/revoke');

function showTraffic(isRunning) {
  const button = at('traffic');
  button.hidden = isRunning === null;
  button.textContent = isRunning ? 'Stop demo traffic' : 'Start demo traffic';
  button.classList.toggle('primary', !isRunning);
}

at('traffic').addEventListener('click', () => {
  void post('/status/traffic', { isRunning: !page.frame.traffic }, at('announcements'));
});

at('pause').addEventListener('click', () => {
  page.isPaused = !page.isPaused;
  at('pause').setAttribute('aria-pressed', String(page.isPaused));
  if (!page.isPaused && page.frame !== undefined) render(true, true);
});

// The bar and the countdowns move between two frames.
setInterval(() => {
  if (page.frame !== undefined && !page.isPaused && !at('status').hidden) showToken(page.frame.token, now());
}, 250);

// A hidden page needs no data. It gets a snapshot when it is shown again.
document.addEventListener('visibilitychange', () => {
  if (at('login').hidden === false) return;
  if (document.hidden) page.stop();
  else connect();
});
connect();
