// environment.ts
import { Module } from '@nestjs/common';
import { ConfigModule } from '@nestjs/config';
import { XPayAuthModule } from 'nestjs-xpay-auth';
import { z } from 'zod';

const schema = z.looseObject({ DATABASE_URL: z.url() }); // z.object() would drop XPAY_BASE_URL

@Module({
  imports: [ConfigModule.forRoot({ validate: (variables) => schema.parse(variables) }), XPayAuthModule.forRoot()],
})
export class AppModule {}
