import { Controller, Get, NotFoundException, Param, Res } from '@nestjs/common';
import { ApiExcludeController } from '@nestjs/swagger';
import { readFileSync, readdirSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, extname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Public } from 'nestjs-xpay-auth';
import { pageHeaders } from '../page-headers.js';

/** The two methods of a response that Express and Fastify share. */
interface FileResponse {
  header(name: string, value: string): unknown;
  send(body: Buffer): unknown;
}

const TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.svg': 'image/svg+xml',
};

const HEADERS = {
  ...pageHeaders("style-src 'self'", "img-src 'self'", "require-trusted-types-for 'script'", "trusted-types 'none'"),
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
  'cache-control': 'no-cache',
};

/** Returns the files of the page by name. All files are read at boot, so no request can name a path of the disk. */
function readFiles(): ReadonlyMap<string, Buffer> {
  // This path is src/status/page both from src/status and from dist/status, where the compiled module is.
  const page = fileURLToPath(new URL('../../src/status/page/', import.meta.url));
  const charts = dirname(createRequire(import.meta.url).resolve('uplot'));
  return new Map([
    ...readdirSync(page).map((name) => [name, readFileSync(join(page, name))] as const),
    ...['uPlot.esm.js', 'uPlot.min.css'].map((name) => [name, readFileSync(join(charts, name))] as const),
  ]);
}

/** Serves the page itself, which holds no data. */
@ApiExcludeController()
@Public()
@Controller('status')
export class PageController {
  readonly #files = readFiles();

  @Get()
  page(@Res() response: FileResponse): void {
    this.#send('index.html', response);
  }

  @Get('page/:name')
  file(@Param('name') name: string, @Res() response: FileResponse): void {
    this.#send(name, response);
  }

  #send(name: string, response: FileResponse): void {
    const file = this.#files.get(name);
    const type = TYPES[extname(name)];
    if (file === undefined || type === undefined) throw new NotFoundException();
    for (const [header, value] of Object.entries(HEADERS)) response.header(header, value);
    response.header('content-type', type);
    response.send(file);
  }
}
