import { randomBytes, randomUUID } from 'node:crypto';
import { type XPayCall, xpayError, xpaySuccess } from './xpay-envelope.js';
import type { WireAnswer } from './wire-message.js';

/** One transfer that was broadcast. On the real system it moves money. */
export interface XPayPayment {
  /** Ms since the epoch on the upstream's clock. */
  readonly at: number;
  /** The user name behind the token. */
  readonly username: string;
  /** The kind of transfer: the part of the path before `/confirm`. */
  readonly kind: 'tron' | 'token' | 'ln';
  /** The request's body. */
  readonly body: Readonly<Record<string, unknown>>;
}

type Body = Readonly<Record<string, unknown>>;
type Wallet = Body & { readonly username: string; readonly uuid: string; tag: string };
type Call = XPayCall & { readonly account: string };
type Route = (call: Call, body: Body, now: number) => WireAnswer;

/**
 * Wallets, bills and transfers, the calls that need a token (https://docs.xpay.stream/wallets/search-wallets and its
 * neighbours).
 */
export class XPayBusiness {
  readonly payments: XPayPayment[] = [];
  readonly #wallets = new Map<string, Wallet[]>();
  readonly #bills = new Map<unknown, Body>();

  /** @param walletsPerAccount number of wallets that each account owns at the start */
  constructor(private readonly walletsPerAccount: number) {}

  /** The routes by their path. */
  readonly routes: ReadonlyMap<string, Route> = new Map(
    Object.entries<Route>({
      '/client/wallets/find': (call, body, now) => page(call, this.#walletsOf(call.account, now), body),

      '/client/wallets/view': (call, body, now) => {
        const wallet = this.#walletsOf(call.account, now).find(({ uuid }) => uuid === body['wallet']);
        if (wallet === undefined) return xpayError(call, 'wallet not found', null);
        return xpaySuccess(call, 'Wallet Fetched', { ...wallet, resources: {}, bandwidth: 0, energy: 0 });
      },

      '/client/wallets/save': (call, body, now) => {
        const wallets = this.#walletsOf(call.account, now);
        const tag = typeof body['tag'] === 'string' ? body['tag'] : '';
        if (body['wallet'] === undefined) {
          const wallet = newWallet(call.account, tag, now);
          wallets.push(wallet);
          return xpaySuccess(call, 'Wallet Saved', wallet);
        }
        const wallet = wallets.find(({ uuid }) => uuid === body['wallet']);
        if (wallet === undefined) return xpayError(call, 'wallet not found', null);
        wallet.tag = tag;
        return xpaySuccess(call, 'Wallet Saved', { uuid: wallet.uuid, tag });
      },

      '/client/bills/find': (call, body) => page(call, [...this.#bills.values()], body),

      '/client/bills/view': (call, body) => {
        const bill = this.#bills.get(body['reference']);
        return bill === undefined ? xpayError(call, 'bill not found', null) : xpaySuccess(call, 'bill found', bill);
      },

      '/client/bills/save': (call, body, now) => {
        const missing = ['amount', 'reference'].filter((field) => body[field] === undefined);
        if (missing.length > 0) return xpayError(call, 'missing fields', { missing });
        const minutes = Number(body['expireInMinutes'] ?? 30);
        // The vendor's sample has `starting` one minute before `createdAt`, all three in ms.
        const bill = {
          uuid: randomUUID(),
          reference: body['reference'],
          amount: body['amount'],
          tag: body['tag'] ?? '',
          address: newAddress().base58,
          createdAt: now,
          starting: now - 60_000,
          until: now + minutes * 60_000,
        };
        this.#bills.set(body['reference'], bill);
        return xpaySuccess(call, 'bill created', bill);
      },

      '/client/bills/cancel': (call, body) => {
        if (body['reference'] === undefined) return xpayError(call, 'missing fields', { missing: ['reference'] });
        this.#bills.delete(body['reference']);
        return xpaySuccess(call, 'Bill Canceled', null);
      },

      ...this.#transfers('tron'),
      ...this.#transfers('token'),
      ...this.#transfers('ln'),
    }),
  );

  #transfers(kind: XPayPayment['kind']): Record<string, Route> {
    return {
      [`/client/wallets/send/${kind}/preview`]: preview,
      [`/client/wallets/send/${kind}/confirm`]: (call, body, now) => {
        this.payments.push({ at: now, username: call.account, kind, body });
        return preview(call, body, now);
      },
    };
  }

  #walletsOf(username: string, now: number): Wallet[] {
    let wallets = this.#wallets.get(username);
    if (wallets === undefined) {
      wallets = Array.from({ length: this.walletsPerAccount }, (_, at) => newWallet(username, `wallet-${at + 1}`, now));
      this.#wallets.set(username, wallets);
    }
    return wallets;
  }
}

const preview: Route = (call, body) => xpaySuccess(call, 'Transfer Preview', { ...body, isOTP: false });

/** `nextPage` is a sibling of `data`: the vendor names the flag but not its place. */
function page(call: XPayCall, all: readonly unknown[], body: Body): WireAnswer {
  const at = Math.max(1, Math.trunc(Number(body['page'] ?? 1)) || 1);
  const size = Math.max(1, Math.trunc(Number(body['pageSize'] ?? 10)) || 10);
  const nextPage = all.length > at * size;
  return xpaySuccess(call, 'Done', all.slice((at - 1) * size, at * size), 'ok', { nextPage });
}

function newAddress(): { base58: string; hex: string } {
  const bytes = randomBytes(33);
  const alphabet = '123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz';
  const base58 = `T${Array.from(bytes, (byte) => alphabet[byte % alphabet.length]).join('')}`;
  return { base58, hex: `41${bytes.subarray(0, 20).toString('hex')}` };
}

function newWallet(username: string, tag: string, now: number): Wallet {
  const balances = { tokenBalanceRaw: '0', tokenBalance: 0, tronBalanceSun: 0, tronBalance: 0 };
  return { address: newAddress(), username, uuid: randomUUID(), createdAt: now, tag, balances };
}
