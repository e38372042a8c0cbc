import { describe, it } from '@jest/globals';
import { test } from 'node:test';
import { stage } from '../../../examples/fourth-dialect/stage.js';

// …
export { describe, it, stage, test };
