import type { Metadata, sendUnaryData, ServerDuplexStream, ServerReadableStream } from '@grpc/grpc-js';
import { Controller, Inject, Injectable } from '@nestjs/common';
import { Ctx, GrpcMethod, GrpcStreamCall, GrpcStreamMethod, Payload } from '@nestjs/microservices';
import { Authenticated, CurrentUser, OptionalAuth, type Principal, Public, Scopes } from 'nestjs-xpay-auth';
import { XPayHttpService } from 'nestjs-xpay-auth';
import { type Observable, Subject, last, map, of } from 'rxjs';

export interface Text {
  readonly text: string;
}

/** Sends the messages of the method Ticks. */
@Injectable()
export class Ticks {
  readonly sent = new Subject<string>();
}

const named = ({ username }: Principal): Text => ({ text: username });

/** One method for each kind of gRPC call, and for each kind of decorator. */
@Controller()
export class CallersController {
  constructor(
    @Inject(XPayHttpService) private readonly xpay: XPayHttpService,
    @Inject(Ticks) private readonly ticks: Ticks,
  ) {}

  @Scopes('tme_user')
  @GrpcMethod('Callers', 'Unary')
  unary(@CurrentUser() caller: Principal): Text {
    return named(caller);
  }

  @Scopes('tme_user')
  @GrpcMethod('Callers', 'ServerStream')
  serverStream(@CurrentUser() caller: Principal): Observable<Text> {
    return of(named(caller), named(caller));
  }

  @Scopes('tme_user')
  @GrpcStreamMethod('Callers', 'ClientStream')
  clientStream(@Payload() texts: Observable<Text>, @CurrentUser() caller: Principal): Observable<Text> {
    return texts.pipe(
      last(),
      map(() => named(caller)),
    );
  }

  @GrpcStreamMethod('Callers', 'Bidi')
  @Scopes('tme_user')
  bidi(@Payload() texts: Observable<Text>, @CurrentUser() caller: Principal): Observable<Text> {
    return texts.pipe(map(() => named(caller)));
  }

  @Scopes('tme_user')
  @GrpcStreamCall('Callers', 'CallClientStream')
  callClientStream(
    @Payload() call: ServerReadableStream<Text, Text>,
    @Ctx() callback: sendUnaryData<Text>,
    @CurrentUser() caller: Principal,
  ): void {
    call.on('data', () => undefined).on('end', () => callback(null, named(caller)));
  }

  @Scopes('tme_user')
  @GrpcStreamCall('Callers', 'CallBidi')
  callBidi(@Payload() call: ServerDuplexStream<Text, Text>, @CurrentUser() caller: Principal): void {
    call.on('data', () => call.write(named(caller))).on('end', () => call.end());
  }

  @Scopes('tme_admin')
  @GrpcMethod('Callers', 'Admin')
  admin(): Text {
    return { text: 'admin' };
  }

  @OptionalAuth()
  @GrpcMethod('Callers', 'Optional')
  optional(@CurrentUser() caller: Principal | undefined): Text {
    return { text: caller?.username ?? 'anonymous' };
  }

  @Public()
  @GrpcMethod('Callers', 'Open')
  open(): Text {
    return { text: 'open' };
  }

  @GrpcMethod('Callers', 'Undeclared')
  undeclared(): Text {
    return { text: 'undeclared' };
  }

  @Authenticated()
  @GrpcMethod('Callers', 'Authorization')
  authorization(_: Text, metadata: Metadata): Text {
    return { text: metadata.get('authorization').join() };
  }

  @Public()
  @GrpcMethod('Callers', 'Outbound')
  outbound(): Promise<unknown> {
    return this.xpay.post('/client/wallets/find');
  }

  @Public()
  @GrpcStreamCall('Callers', 'CallOutbound')
  callOutbound(): Promise<unknown> {
    return this.xpay.post('/client/wallets/find');
  }

  @Authenticated()
  @GrpcMethod('Callers', 'Ticks')
  ticking(@CurrentUser() { username }: Principal): Observable<Text> {
    return this.ticks.sent.pipe(map((tick) => ({ text: `${tick} ${username}` })));
  }
}
