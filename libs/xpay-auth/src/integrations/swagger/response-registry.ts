import type { ReferenceObject, ResponseObject } from '@nestjs/swagger';
import { isDeepStrictEqual } from 'node:util';

/** `components.responses` of a document. */
export type SharedResponses = Record<string, ResponseObject | ReferenceObject>;

/**
 * Puts a response that operations share into `components.responses`, once. Returns a reference to it: by this name, or with a
 * number if another response has the name.
 */
export function shareResponse(shared: SharedResponses, name: string, response: ResponseObject): ReferenceObject {
  for (let number = 1; ; number++) {
    const numbered = number === 1 ? name : `${name}${number}`;
    shared[numbered] ??= response;
    if (isDeepStrictEqual(shared[numbered], response)) return { $ref: `#/components/responses/${numbered}` };
  }
}
