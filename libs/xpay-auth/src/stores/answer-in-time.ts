import type { Clock } from '../core/clock.js';

/** The answer, or an error once `budgetMs` are over. `late` is given what arrives after that. */
export function answerInTime<T>(
  clock: Clock,
  budgetMs: number,
  answer: Promise<T>,
  late?: (answer: T) => void,
): Promise<T> {
  return new Promise<T>((resolve, reject) => {
    let gaveUp = false;
    const cancel = clock.setTimer(() => {
      gaveUp = true;
      reject(new Error(`no answer within ${budgetMs} ms`));
    }, budgetMs);
    const arrived = (value: T): void => {
      cancel();
      if (gaveUp) late?.(value);
      resolve(value);
    };
    const failed = (thrown: unknown): void => {
      cancel();
      reject(thrown);
    };
    answer.then(arrived, failed);
  });
}
