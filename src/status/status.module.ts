import { type DynamicModule, Module } from '@nestjs/common';
import { XPayHealthModule } from 'nestjs-xpay-auth/terminus';
import { FrameStreams } from './frame-streams.js';
import { PageController } from './page.controller.js';
import { StatusMeter } from './status-meter.js';
import { StatusRecorder, TRAFFIC, type Traffic } from './status-recorder.js';
import { AdminStatusController, DemoStatusController } from './status.controller.js';

export interface StatusOptions {
  /** Must be registered with the `MeterProvider` of the app before the app is created. */
  readonly meter: StatusMeter;
  /** Whether the data and the buttons are open to this machine, instead of administrators. */
  readonly demo: boolean;
  /** The traffic that the page can start. `undefined` outside demo mode. */
  readonly traffic: Traffic | undefined;
}

/** The live page `/status`. */
@Module({ imports: [XPayHealthModule] })
export class StatusModule {
  static forRoot({ meter, demo, traffic }: StatusOptions): DynamicModule {
    return {
      module: StatusModule,
      controllers: [PageController, demo ? DemoStatusController : AdminStatusController],
      providers: [
        StatusRecorder,
        FrameStreams,
        { provide: StatusMeter, useValue: meter },
        { provide: TRAFFIC, useValue: traffic },
      ],
    };
  }
}
