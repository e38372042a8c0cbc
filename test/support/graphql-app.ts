import { ApolloDriver, type ApolloDriverConfig } from '@nestjs/apollo';
import { Inject, type Type } from '@nestjs/common';
import {
  Context,
  Field,
  type GraphQLDriver,
  GraphQLModule,
  Int,
  Mutation,
  ObjectType,
  Parent,
  Query,
  ResolveField,
  Resolver,
} from '@nestjs/graphql';
import type { GraphQLFormattedError } from 'graphql';
import {
  AnyScope,
  Authenticated,
  CurrentUser,
  OptionalAuth,
  type Principal,
  Public,
  Scopes,
  UseXPay,
  XPayHttpService,
} from 'nestjs-xpay-auth';
import { type ContextApp, type ContextSetting, startContextApp } from './context-app.js';

@ObjectType()
export class Wallet {
  @Field(() => Int)
  id!: number;
}

@Resolver(() => Wallet)
export class WalletResolver {
  @Public()
  @Query(() => [Wallet])
  wallets(): Wallet[] {
    return [{ id: 1 }, { id: 2 }, { id: 3 }];
  }

  @Scopes('tme_admin')
  @ResolveField(() => String)
  owner(@Parent() { id }: Wallet, @CurrentUser() { username }: Principal): string {
    return `${id} of ${username}`;
  }
}

@Resolver()
export class FieldsResolver {
  constructor(@Inject(XPayHttpService) private readonly xpay: XPayHttpService) {}

  @Authenticated()
  @Query(() => String)
  me(@CurrentUser() { username }: Principal): string {
    return username;
  }

  @Scopes('tme_user')
  @Query(() => String)
  user(): string {
    return 'user';
  }

  @Scopes('tme_admin')
  @Mutation(() => String)
  admin(): string {
    return 'admin';
  }

  @Scopes('tme_user')
  @Mutation(() => String, { nullable: true })
  pay(@CurrentUser() { username }: Principal): string {
    return username;
  }

  @AnyScope('tme_user', 'tme_admin')
  @Query(() => String)
  either(): string {
    return 'either';
  }

  @Scopes('tme_admin')
  @Query(() => String, { nullable: true })
  adminOrNull(): string {
    return 'admin';
  }

  @OptionalAuth()
  @Query(() => String)
  optional(@CurrentUser() caller: Principal | undefined): string {
    return caller?.username ?? 'nobody';
  }

  @Public()
  @Mutation(() => String, { nullable: true })
  anybody(@CurrentUser() { username }: Principal): string {
    return username;
  }

  @Public()
  @Mutation(() => String)
  header(@Context('req') { headers }: { headers: { authorization?: string } }): string {
    return headers.authorization ?? 'none';
  }

  @Public()
  @Query(() => String)
  open(): string {
    return 'open';
  }

  @Query(() => String)
  unmarked(): string {
    return 'unmarked';
  }

  @Query(() => String)
  unmarkedUser(@CurrentUser() { username }: Principal): string {
    return username;
  }

  @Public()
  @Query(() => String)
  async outbound(): Promise<string> {
    return JSON.stringify(await this.xpay.post('/client/wallets/find'));
  }
}

@UseXPay('two')
@Resolver()
export class SecondResolver {
  @Query(() => String)
  second(@CurrentUser() { instance }: Principal): string {
    return instance;
  }

  @Mutation(() => String)
  paySecond(@CurrentUser() { instance }: Principal): string {
    return instance;
  }
}

export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly data: Record<string, unknown> | null | undefined;
  readonly errors: readonly GraphQLFormattedError[];
}

export interface Api extends ContextApp {
  /** The arguments of formatError: the errors before they are serialized. */
  readonly thrown: unknown[];
  query(document: string, headers?: Record<string, string>): Promise<Answer>;
}

interface ApiSetting extends Omit<ContextSetting, 'providers'> {
  readonly graphql?: Partial<ApolloDriverConfig>;
  readonly resolvers?: readonly Type[];
  /** @default the driver of Apollo */
  readonly driver?: Type<GraphQLDriver>;
}

export async function startApi({
  graphql = {},
  resolvers = [FieldsResolver],
  driver = ApolloDriver,
  imports = [],
  ...rest
}: ApiSetting = {}): Promise<Api> {
  const thrown: unknown[] = [];
  const app = await startContextApp({
    ...rest,
    imports: [
      ...imports,
      GraphQLModule.forRoot<ApolloDriverConfig>({
        driver,
        autoSchemaFile: true,
        includeStacktraceInErrorResponses: false,
        formatError: (formatted, error) => {
          thrown.push(error);
          return formatted;
        },
        ...graphql,
      }),
    ],
    providers: [...resolvers],
  });
  return {
    ...app,
    thrown,
    query: async (query, headers = {}) => {
      const answer = await fetch(`${app.url}/graphql`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', ...headers },
        body: JSON.stringify({ query }),
      });
      const { data, errors = [] } = (await answer.json()) as Partial<Answer>;
      return { status: answer.status, headers: answer.headers, data, errors };
    },
  };
}
