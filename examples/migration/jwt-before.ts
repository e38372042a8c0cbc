// before: jwt.strategy.ts
import {
  Body,
  Controller,
  Get,
  HttpCode,
  Injectable,
  Module,
  Post,
  Req,
  UnauthorizedException,
  UseGuards,
} from '@nestjs/common';
import { AuthGuard, PassportModule, PassportStrategy } from '@nestjs/passport';
import axios from 'axios';
import jwt from 'jsonwebtoken';
import { ExtractJwt, Strategy } from 'passport-jwt';

const JWT_SECRET = process.env['JWT_SECRET'] ?? 'only for this example';

type Answer = { success: { data: { user: { username: string } } } } | { error: { message: string } };

@Injectable()
export class JwtStrategy extends PassportStrategy(Strategy) {
  constructor() {
    super({ jwtFromRequest: ExtractJwt.fromAuthHeaderAsBearerToken(), secretOrKey: JWT_SECRET });
  }

  validate({ sub }: { sub: string }) {
    return { username: sub };
  }
}

@Controller()
export class SessionsController {
  @HttpCode(200)
  @Post('login')
  async login(@Body() { username, secretKey }: { username: string; secretKey: string }) {
    const url = `${process.env['XPAY_BASE_URL']}/client/authenticate`;
    const { data } = await axios.post<Answer>(url, { username, secretKey, isAPI: false });
    if ('error' in data) throw new UnauthorizedException();
    const { user } = data.success.data;
    return { accessToken: jwt.sign({}, JWT_SECRET, { subject: user.username, expiresIn: '12h' }) };
  }

  @UseGuards(AuthGuard('jwt'))
  @Get('me')
  me(@Req() { user }: { user: { username: string } }) {
    return { username: user.username };
  }
}

@Module({ imports: [PassportModule], controllers: [SessionsController], providers: [JwtStrategy] })
export class AppModule {}
