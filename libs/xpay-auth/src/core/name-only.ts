/**
 * What may be kept of an error that somebody else's code threw: its name and its code. Its message may quote what it
 * stumbled over (`JSON.parse` does, a vault's client might), and its other fields may hold anything.
 */
export function nameOnly(thrown: unknown): Error {
  if (!(thrown instanceof Error)) return new Error(`a thrown ${thrown === null ? 'null' : typeof thrown}`);
  const { name } = thrown;
  const code: unknown = 'code' in thrown ? thrown.code : undefined;
  const words = [name, code].filter(
    (word): word is string => typeof word === 'string' && /^[A-Za-z]\w{0,63}$/.test(word),
  );
  return new Error(words.join(' ') || 'an error');
}
