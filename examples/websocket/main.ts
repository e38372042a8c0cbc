import 'reflect-metadata';
import { Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { XPayAuthModule, XPaySessionService } from 'nestjs-xpay-auth';
import { demoAccounts, startXPayEmulator } from 'nestjs-xpay-auth/testing';
import { type Socket, io } from 'socket.io-client';
import { PricesGateway } from './prices.gateway.js';

// A socket.io gateway and an xPay emulator in the same process, with three clients that demonstrate it.

const accounts = demoAccounts();
const [user, , both] = accounts;
const xpay = await startXPayEmulator({ accounts });

@Module({
  imports: [XPayAuthModule.forRoot({ baseUrl: xpay.url, verification: { periodMs: 4_000 } })], // short, to show the end of a period
  providers: [PricesGateway],
})
class AppModule {}

const nest = await NestFactory.create(AppModule, { logger: ['warn', 'error'] });
await nest.listen(Number(process.env['PORT'] ?? 0), '127.0.0.1');
const url = await nest.getUrl();

/** Connects with this `auth` and prints every event. */
function connect(name: string, auth: object): Socket {
  const socket = io(url, { auth, transports: ['websocket'], reconnection: false });
  const print = (what: string, data?: unknown): void =>
    void process.stdout.write(`${name}: ${what} ${JSON.stringify(data) ?? ''}\n`);
  socket.on('connect', () => print('connected'));
  socket.on('disconnect', () => print('disconnected'));
  socket.onAny(print);
  return socket;
}

const once = (socket: Socket, event: string): Promise<void> =>
  new Promise((done) => void socket.once(event, () => done()));

const stranger = connect('stranger', { token: 'unknown' }); // gets the error and is disconnected
await once(stranger, 'disconnect');

const session = await nest.get(XPaySessionService).login(user ?? { username: '', secretKey: '' });
const reader = connect('reader', { token: session.accessToken });
const owner = connect('owner', { username: both?.username, secretKey: both?.secretKey });
await Promise.all([once(reader, 'welcome'), once(owner, 'welcome')]);

reader.emit('set', 1); // 403: insufficient_scope
await once(reader, 'exception');
owner.emit('set', 42); // both clients receive it
await Promise.all([once(reader, 'price'), once(owner, 'price')]);

await nest.get(XPaySessionService).logout(session.accessToken); // the reader's socket ends with its session
await once(reader, 'disconnect');
owner.emit('set', 43); // only the owner receives it
await once(owner, 'price');

owner.close();
await nest.close();
await xpay.stop();
