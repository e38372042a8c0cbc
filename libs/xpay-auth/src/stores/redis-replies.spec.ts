import { describe, expect, it } from '@jest/globals';
import { reasonOf } from './redis-replies.js';

const reply = (message: string): Error => Object.assign(new Error(message), { name: 'ReplyError' });

describe('the reason of a failed Redis command', () => {
  it.each([
    ['the code of a reply', reply('WRONGTYPE Operation against a key k-31416'), 'WRONGTYPE'],
    [
      'the reply to a connection beyond the limit',
      reply('ERR max number of clients reached'),
      'ERR max number of clients reached',
    ],
    ['only the code ERR', reply("ERR unknown command 'AUTHX', with args beginning with: 'pw-31416'"), 'ERR'],
    ['no text of a reply without a code', reply('pw-31416'), 'it answered with an error'],
    [
      'the code of an error of Node',
      Object.assign(new Error('connect pw-31416'), { code: 'ECONNREFUSED' }),
      'ECONNREFUSED',
    ],
    ['the first line of another error', new Error('Connection is closed.\nat pw-31416'), 'Connection is closed.'],
    ['nothing of a value that is no error', 'pw-31416', 'it failed'],
  ])('is %s', (_, thrown, reason) => {
    expect(reasonOf(thrown)).toBe(reason);
  });
});
