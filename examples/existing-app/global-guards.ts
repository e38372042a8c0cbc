// global-guards.ts
import { type CanActivate, type ExecutionContext, Injectable, Module } from '@nestjs/common';
import { APP_GUARD } from '@nestjs/core';
import { type Principal, XPayAuthModule } from 'nestjs-xpay-auth';

/** Runs before the guards of the library: the caller is not known yet. */
@Injectable()
export class MaintenanceGuard implements CanActivate {
  static closed = false;

  canActivate(): boolean {
    return !MaintenanceGuard.closed;
  }
}

/** Runs after the guards of the library: `request.user` is the caller. */
@Injectable()
export class SuspendedGuard implements CanActivate {
  canActivate(context: ExecutionContext): boolean {
    const { user } = context.switchToHttp().getRequest<{ user?: Principal }>();
    return user?.username !== 'suspended@example.test';
  }
}

@Module({ providers: [{ provide: APP_GUARD, useClass: SuspendedGuard }] })
export class AccountsModule {}

@Module({
  imports: [XPayAuthModule.forRoot({ globalGuards: true }), AccountsModule], // AccountsModule after XPayAuthModule
  providers: [{ provide: APP_GUARD, useClass: MaintenanceGuard }],
})
export class AppModule {}
