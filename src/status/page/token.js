import { durationText, timeText } from './format.js';

const bar = document.querySelector('.bar');
const at = (id) => document.getElementById(id);

/** Shows the token at `now`, by the clock of the app. */
export function showToken(token, now) {
  at('refresh').hidden = at('token-facts').hidden = token === null;
  at('token-sentence').textContent = sentenceOf(token, now);
  at('token-life').hidden = !token?.parts;
  if (token === null) return;
  const { parts, failures, lastError } = token;
  at('next-refresh').textContent = nextRefreshText(token, now);
  at('failures').textContent = String(failures);
  at('last-error').textContent = lastError ?? 'none';
  at('lifetime').textContent = parts === undefined ? '–' : durationText(parts.to - parts.from);
  if (parts === undefined) return;
  const { from, freshUntil, usableUntil, to } = parts;
  const ends = { fresh: [from, freshUntil], stale: [freshUntil, usableUntil], expired: [usableUntil, to] };
  const current = stateAt(token, now);
  for (const [name, [start, end]] of Object.entries(ends)) {
    bar.querySelector(`.${name}`).style.flexGrow = String(Math.max(0, end - start) / (to - from));
    const row = document.querySelector(`.legend [data-part=${name}]`);
    row.querySelector('b').textContent = name === 'expired' ? `from ${timeText(start)}` : `until ${timeText(end)}`;
    if (name === current) row.setAttribute('aria-current', 'true');
    else row.removeAttribute('aria-current');
  }
  const share = Math.min(1, Math.max(0, (now - from) / (to - from)));
  bar.querySelector('.now').style.left = `${share * 100}%`;
}

/** The state between two frames. */
function stateAt({ state, parts }, now) {
  if (parts === undefined || state === 'none') return state;
  if (now >= parts.usableUntil) return 'expired';
  return state === 'fresh' && now >= parts.freshUntil ? 'stale' : state;
}

function nextRefreshText({ nextRefreshAt }, now) {
  if (nextRefreshAt === undefined) return 'none planned';
  return nextRefreshAt > now ? `in ${durationText(nextRefreshAt - now)}` : 'with the next call';
}

function sentenceOf(token, now) {
  if (token === null) return 'The app has no account, so it has no token. It only verifies callers.';
  const { failures, lastError, parts } = token;
  const failed = failures > 0 ? `Renewals fail: ${lastError}, ${failures} in a row. ` : '';
  switch (stateAt(token, now)) {
    case 'none':
      return failures > 0
        ? `${failed}There is no token.`
        : 'There is no token yet. The first call to the upstream obtains one.';
    case 'fresh':
      return `The token is fresh. ${failed || `It becomes stale in ${durationText((parts?.freshUntil ?? now) - now)}; the next call then renews it.`}`;
    case 'stale':
      return `The token is stale. ${failed || 'The next call renews it in the background. '}It is still handed out for ${durationText((parts?.usableUntil ?? now) - now)}.`;
    default:
      return failed
        ? `The token has expired. ${failed}Calls to the upstream fail.`
        : 'The token has expired. The next call waits for a new one.';
  }
}
