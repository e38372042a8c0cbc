// serializer.ts
import { ClassSerializerInterceptor, Controller, Get, Module } from '@nestjs/common';
import { APP_INTERCEPTOR } from '@nestjs/core';
import { Exclude } from 'class-transformer';
import { Authenticated, CurrentUser, type Principal, XPayAuthModule } from 'nestjs-xpay-auth';

export class Profile {
  readonly username: string;
  @Exclude() readonly isAPI: boolean;

  constructor({ username, isAPI }: Principal) {
    this.username = username;
    this.isAPI = isAPI;
  }
}

@Authenticated()
@Controller()
export class ProfileController {
  @Get('profile')
  profile(@CurrentUser() caller: Principal) {
    return new Profile(caller);
  }

  @Get('caller')
  caller(@CurrentUser() caller: Principal) {
    return caller; // every field of the principal
  }
}

@Module({
  imports: [XPayAuthModule.forRoot()],
  controllers: [ProfileController],
  providers: [{ provide: APP_INTERCEPTOR, useClass: ClassSerializerInterceptor }],
})
export class AppModule {}
