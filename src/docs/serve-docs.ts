import type { INestApplication } from '@nestjs/common';
import { DocumentBuilder, SwaggerModule } from '@nestjs/swagger';
import { setupXPaySecurity, withXPaySecurity } from 'nestjs-xpay-auth/swagger';

/** What Swagger UI 5 leaves hard to read: tables of headers, dark on dark in dark mode, columns that touch, pale examples. */
const READABLE_HEADERS = `
  .swagger-ui table.headers td { padding-right: 1em }
  .swagger-ui table.headers .header-example { color: inherit }
  html.dark-mode .swagger-ui table.headers td { color: #e4e6e6 }`;

/**
 * Swagger UI at `/docs`, and what it shows at `/docs-json` and `/docs-yaml`. Its files come from this app, and what is
 * typed into it goes to this app alone and is gone when the page is closed.
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
  SwaggerModule.setup('docs', app, document, { customSiteTitle: 'xPay auth', customCss: READABLE_HEADERS });
}
