import { ConsoleLogger } from '@nestjs/common';

/** The part of a warning of the library that names the settings of the two platforms. */
const SETTINGS_OF_PLATFORMS = "Set Express' `trust proxy` or Fastify's `trustProxy` to";

/** Logs like Nest, but names `TRUST_PROXY`, the variable of this app, in place of the settings that this app derives from it. */
export class AppLogger extends ConsoleLogger {
  override warn(message: unknown, ...rest: unknown[]): void {
    const text = typeof message === 'string' ? message.replace(SETTINGS_OF_PLATFORMS, 'Set TRUST_PROXY to') : message;
    super.warn(text, ...rest);
  }
}
