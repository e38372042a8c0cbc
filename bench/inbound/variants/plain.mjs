// What everybody is compared with.
import { UseGuards } from '@nestjs/common';
import { basic } from '../callers.mjs';

const authorization = () => basic;

export const unguarded = () => ({ open: true, authorization });

/** The floor of any guard: Nest's own part of the work. */
export const alwaysTrue = () => ({ open: true, marks: [UseGuards({ canActivate: () => true })], authorization });
