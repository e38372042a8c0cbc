import { expect } from '@jest/globals';
import { Test } from '@nestjs/testing';
import { Principal, XPayAuthGuard, XPayHttpService } from 'nestjs-xpay-auth';
import { ReportsController } from '../../../examples/testing/reports.controller.js';

// …
export { Principal, ReportsController, Test, XPayAuthGuard, XPayHttpService, expect };
