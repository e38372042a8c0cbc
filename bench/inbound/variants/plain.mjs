// The baselines.
import { hash, randomBytes } from 'node:crypto';
import { UseGuards } from '@nestjs/common';
import { basics } from '../callers.mjs';

const authorization = () => basics;

export const unguarded = () => ({ open: true, authorization });

/** The minimum for any guard: only Nest's own work for a guard. */
export const alwaysTrue = () => ({ open: true, marks: [UseGuards({ canActivate: () => true })], authorization });

/** The minimum for a guard that caches callers without storing their secrets: {@link alwaysTrue} and one digest. */
export const digestAlone = () => {
  const key = randomBytes(32).toString('base64');
  const canActivate = (context) => {
    const { authorization: header } = context.getArgByIndex(0).headers;
    return hash('sha256', key + header, 'binary').length > 0;
  };
  return { open: true, marks: [UseGuards({ canActivate })], authorization };
};
