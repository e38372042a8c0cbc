import type { INestApplication } from '@nestjs/common';
import { DocumentBuilder, SwaggerModule } from '@nestjs/swagger';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { setupXPaySecurity, withXPaySecurity } from 'nestjs-xpay-auth/swagger';
import { pageHeaders } from '../page-headers.js';

/**
 * Fixes text that Swagger UI 5 makes hard to read: header tables, dark text in dark mode, columns without a gap, pale
 * examples.
 */
const READABLE_HEADERS = `
  .swagger-ui table.headers td { padding-right: 1em }
  .swagger-ui table.headers .header-example { color: inherit }
  html.dark-mode .swagger-ui table.headers td { color: #e4e6e6 }`;

/** Swagger UI needs inline styles, and images in `data:` URLs. */
const HEADERS = pageHeaders("style-src 'self' 'unsafe-inline'", "img-src 'self' data:");

/**
 * Serves Swagger UI at `/docs`, and the document at `/docs-json` and `/docs-yaml`. Its files come from this app.
 * Credentials entered there are sent only to this app and lost when the page is closed. `GET /` redirects to `/docs`.
 */
export function serveDocs(app: INestApplication): void {
  const config = setupXPaySecurity(
    new DocumentBuilder()
      .setTitle('xPay auth')
      .setDescription(
        'Protects any site with xPay accounts. Try it: **Authorize** with Basic, or log in and use the token.',
      )
      .setOpenAPIVersion('3.1.0'),
  ).build();
  const document = () => withXPaySecurity(app, SwaggerModule.createDocument(app, config));
  app.use(({ url = '' }: IncomingMessage, response: ServerResponse, next: () => void) => {
    if (/^\/docs(?:$|[-/?])/.test(url)) response.setHeaders(new Map(Object.entries(HEADERS)));
    next();
  });
  const http = app.getHttpAdapter();
  // A route of the adapter is outside the controllers, so guards do not run for it.
  http.get('/', (_request: unknown, response: unknown) => http.redirect(response, 302, '/docs'));
  SwaggerModule.setup('docs', app, document, { customSiteTitle: 'xPay auth', customCss: READABLE_HEADERS });
}
