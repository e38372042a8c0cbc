// graphql.ts
import { ApolloDriver, type ApolloDriverConfig } from '@nestjs/apollo';
import { Module } from '@nestjs/common';
import { GraphQLModule, Query, Resolver } from '@nestjs/graphql';
import { Authenticated, CurrentUser, type Principal, XPayAuthModule } from 'nestjs-xpay-auth';

@Resolver()
export class CallerResolver {
  @Authenticated()
  @Query(() => String)
  me(@CurrentUser() { username }: Principal): string {
    return username;
  }
}

@Module({
  imports: [
    XPayAuthModule.forRoot(),
    GraphQLModule.forRoot<ApolloDriverConfig>({
      driver: ApolloDriver,
      autoSchemaFile: true,
      context: () => ({ startedAt: Date.now() }), // the driver adds the request as `req`
    }),
  ],
  providers: [CallerResolver],
})
export class AppModule {}
