import type { ReferenceObject, ResponseObject } from '@nestjs/swagger';
import { isDeepStrictEqual } from 'node:util';

type Shelved = Record<string, ResponseObject | ReferenceObject>;

/** The responses that operations share, each in `components.responses` once, so that a document grows by a line for each. */
export class ResponseRegistry {
  readonly #shelved: Shelved;

  constructor(present: Readonly<Shelved> = {}) {
    this.#shelved = { ...present };
  }

  /** A reference to this response: by this name, or numbered where another has it. */
  put(name: string, response: ResponseObject): ReferenceObject {
    for (let number = 1; ; number++) {
      const numbered = number === 1 ? name : `${name}${number}`;
      const present = this.#shelved[numbered];
      if (present === undefined) this.#shelved[numbered] = response;
      else if (!isDeepStrictEqual(present, response)) continue;
      return { $ref: `#/components/responses/${numbered}` };
    }
  }

  all(): Shelved {
    return this.#shelved;
  }
}
