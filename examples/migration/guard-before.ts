// before: guard.ts
import {
  type CanActivate,
  Controller,
  type ExecutionContext,
  ForbiddenException,
  Get,
  Injectable,
  Module,
  Req,
  UnauthorizedException,
  UseGuards,
} from '@nestjs/common';
import { Reflector } from '@nestjs/core';
import axios from 'axios';

interface Caller {
  readonly username: string;
  readonly scopes: readonly string[];
}
interface Request {
  readonly headers: { readonly authorization?: string };
  user?: Caller;
}
type Answer = { success: { data: { user: Caller } } } | { error: { message: string } };

export const Roles = Reflector.createDecorator<string[]>();

@Injectable()
export class XPayGuard implements CanActivate {
  constructor(private readonly reflector: Reflector) {}

  async canActivate(context: ExecutionContext): Promise<boolean> {
    const request = context.switchToHttp().getRequest<Request>();
    const [scheme, encoded = ''] = (request.headers.authorization ?? '').split(' ');
    if (scheme !== 'Basic') throw new UnauthorizedException();
    const [username, secretKey] = Buffer.from(encoded, 'base64').toString().split(':');
    const url = `${process.env['XPAY_BASE_URL']}/client/authenticate`;
    const { data } = await axios.post<Answer>(url, { username, secretKey, isAPI: true });
    if ('error' in data) throw new UnauthorizedException();
    request.user = data.success.data.user;
    const roles = this.reflector.get(Roles, context.getHandler()) ?? [];
    if (!roles.every((role) => request.user?.scopes.includes(role))) throw new ForbiddenException();
    return true;
  }
}

@UseGuards(XPayGuard)
@Controller()
export class ReportsController {
  @Roles(['tme_user'])
  @Get('me')
  me(@Req() { user }: { user: Caller }) {
    return { username: user.username };
  }

  @Roles(['tme_admin'])
  @Get('admin')
  admin() {
    return { report: 'admin' };
  }
}

@Module({ controllers: [ReportsController] })
export class AppModule {}
