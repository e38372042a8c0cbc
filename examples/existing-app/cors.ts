// cors.ts
import type { INestApplication } from '@nestjs/common';

export function allowBrowsers(app: INestApplication): void {
  app.enableCors({
    origin: 'https://shop.example.test',
    allowedHeaders: ['Authorization', 'Content-Type'],
    exposedHeaders: ['WWW-Authenticate', 'Retry-After'], // otherwise a script of the site cannot read them
  });
}
