// Uses Fastify instead of Express. XPayAuthModule needs no change.
import { FastifyAdapter } from '@nestjs/platform-fastify';
import { XPayAuthModule } from 'nestjs-xpay-auth';
import { appWith, serve } from './app.js';

await serve(appWith([XPayAuthModule.forRoot()]), new FastifyAdapter());
