import { describe, expect, it } from '@jest/globals';
import { upstreamWords } from './failure.js';

const secret = 'p+a&s "wörd"\\ of ada';

describe('upstreamWords', () => {
  it('are one short line', () => {
    expect(upstreamWords(' Missing\r\nCard\u2028Id ', [secret])).toBe('Missing Card Id');
    expect(upstreamWords('word '.repeat(100), [])).toHaveLength(200);
    expect(upstreamWords('  out of\r\norder\u2028now ', [])).toBe('out of order now');
  });

  it('cannot move the cursor of a terminal', () => {
    expect(upstreamWords('\u001b[2Jgone\u0000', [])).toBe('[2Jgone');
    expect(upstreamWords('paid\u202edeifirev ton\u2066', [])).toBe('paid deifirev ton');
  });

  it.each([undefined, null, 7, {}, [], '', '  \n', ' \n '])('are none in %j', (words) => {
    expect(upstreamWords(words, [])).toBeUndefined();
  });

  it.each([
    ['as it is', secret],
    ['in JSON', JSON.stringify({ secret })],
    ['in a form', new URLSearchParams({ secret }).toString()],
    ['percent-encoded', encodeURIComponent(secret)],
    ['percent-encoded in small letters', encodeURIComponent(secret).toLowerCase()],
    ['in base64', Buffer.from(secret).toString('base64')],
    ['in hex', Buffer.from(secret).toString('hex')],
    ['in capitals', secret.toUpperCase()],
    ['cut short', `${secret.slice(0, 8)}…`],
    ['but for its beginning', `…${secret.slice(-8)}`],
    ['behind the end of the line', `${'word '.repeat(100)}${secret}`],
    ['cut by the end of the line', `${'x '.repeat(97)}${secret}`],
  ])('B12 · are none where they repeat the secret %s', (_how, words) => {
    expect(upstreamWords(`You sent ${words}`, [secret])).toBeUndefined();
  });

  it.each([' ', '\n', '\0', '\u2028'])('B12 · are none where the secret stands behind a long run of %j', (blank) => {
    expect(upstreamWords(blank.repeat(5_000) + secret, [secret])).toBeUndefined();
  });

  it.each(['bad token eyJhbGciOiJIUzI1NiJ9', `no such key ${'0a'.repeat(20)}`])(
    'B13 · are none where they hold what looks like a token: %s',
    (words) => expect(upstreamWords(words, [])).toBeUndefined(),
  );

  it('B12 · are none where they repeat a short secret, and some where they share seven characters with a long one', () => {
    expect(upstreamWords('no such key: HUNT3R', ['hunt3r'])).toBeUndefined();
    expect(upstreamWords('no such key: hunt3rs', ['hunt3rs-and-gatherers'])).toBe('no such key: hunt3rs');
  });

  it('are not silenced by an empty secret', () => {
    expect(upstreamWords('Missing Card Id', [''])).toBe('Missing Card Id');
  });
});
