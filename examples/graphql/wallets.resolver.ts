import { Field, ID, ObjectType, Parent, Query, ResolveField, Resolver } from '@nestjs/graphql';
import { Authenticated, CurrentUser, type Principal, Scopes, XPayHttpService } from 'nestjs-xpay-auth';

@ObjectType()
export class Wallet {
  @Field(() => ID)
  uuid!: string;

  @Field()
  tag!: string;
}

@Resolver(() => Wallet)
export class WalletsResolver {
  constructor(private readonly xpay: XPayHttpService) {}

  @Authenticated()
  @Query(() => String)
  me(@CurrentUser() { username }: Principal): string {
    return username;
  }

  @Scopes('tme_user')
  @Query(() => [Wallet])
  wallets(): Promise<Wallet[]> {
    return this.xpay.post<Wallet[]>('/client/wallets/find', { page: 1, pageSize: 10 }); // with the app token
  }

  /** A field with a separate requirement, which needs `fieldResolverEnhancers: ['guards']`. */
  @Scopes('tme_admin')
  @ResolveField(() => String, { nullable: true })
  note(@Parent() { tag }: Wallet, @CurrentUser() { username }: Principal): string {
    return `${tag}, seen by ${username}`;
  }
}
