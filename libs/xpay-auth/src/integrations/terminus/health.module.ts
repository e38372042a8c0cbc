import { Module } from '@nestjs/common';
import { HealthIndicatorService } from '@nestjs/terminus';
import { XPayHealthIndicator } from './health-indicator.js';

/** Import it beside `TerminusModule`, where the health routes are: it exports {@link XPayHealthIndicator}. */
@Module({ providers: [HealthIndicatorService, XPayHealthIndicator], exports: [XPayHealthIndicator] })
export class XPayHealthModule {}
