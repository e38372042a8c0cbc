import { expect } from '@jest/globals';
import { Test } from '@nestjs/testing';
import { Principal, ScopesGuard, XPayAuthGuard, XPayHttpService } from 'nestjs-xpay-auth';
import { ReportsController } from '../../../examples/testing/reports.controller.js';

// …
export { Principal, ReportsController, ScopesGuard, Test, XPayAuthGuard, XPayHttpService, expect };
