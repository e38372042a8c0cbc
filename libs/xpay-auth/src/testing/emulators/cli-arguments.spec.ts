import { describe, expect, it } from '@jest/globals';
import { readArguments, UsageError } from './cli-arguments.js';

describe('the emulators’ command line', () => {
  it('starts xPay on port 4010 with the lifetimes of the real upstream by default', () => {
    expect(readArguments([])).toEqual({ kind: 'start', dialect: 'xpay', port: 4010, lifeMs: undefined });
  });

  it('accepts a dialect, a port and a lifetime', () => {
    const args = ['--dialect', 'gift-stream', '--port=0', '--life', '5s'];
    expect(readArguments(args)).toEqual({ kind: 'start', dialect: 'gift-stream', port: 0, lifeMs: 5_000 });
  });

  it.each([
    ['500ms', 500],
    ['30m', 1_800_000],
    ['1h', 3_600_000],
    ['2d', 172_800_000],
  ])('reads %s as %p ms', (life, lifeMs) => {
    expect(readArguments(['--life', life])).toMatchObject({ lifeMs });
  });

  it('shows the help for --help and -h', () => {
    expect([readArguments(['--help']), readArguments(['-h'])]).toEqual([{ kind: 'help' }, { kind: 'help' }]);
  });

  it.each([
    ['--dialect', 'telegraph'],
    ['--port', '70000'],
    ['--port', 'ssh'],
    ['--life', '5'],
    ['--life', '0s'],
    ['--life', '-5s'],
    ['--port'],
    ['--frobnicate'],
    ['extra'],
  ])('rejects %s %s with a reason', (...args) => {
    expect(() => readArguments(args)).toThrow(UsageError);
  });
});
