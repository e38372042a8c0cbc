import { randomBytes, randomUUID } from 'node:crypto';
import type { WireAnswer } from './wire-message.js';
import { type TronAddress, XPayBills } from './xpay-bills.js';
import { type XPayKnownCall, xpayError, xpaySuccess } from './xpay-envelope.js';
import { findAnswer } from './xpay-lists.js';

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
type Wallet = Body & { readonly uuid: string; readonly address: TronAddress; tag: string };
type Route = (call: XPayKnownCall, body: Body, now: number) => WireAnswer;

/**
 * Wallets, bills and transfers, the calls that need a token (https://docs.xpay.stream/wallets/search-wallets and its
 * neighbours).
 */
export class XPayBusiness {
  readonly payments: XPayPayment[] = [];
  readonly bills = new XPayBills();
  /** The wallets of each account, oldest first. */
  readonly #wallets = new Map<string, Wallet[]>();

  /** @param walletsPerAccount number of wallets that each account owns at the start */
  constructor(private readonly walletsPerAccount: number) {}

  /** The routes by their path. */
  readonly routes: ReadonlyMap<string, Route> = new Map(
    Object.entries<Route>({
      '/client/wallets/find': (call, body, now) =>
        findAnswer(call, this.#walletsOf(call.account, now), body, {
          wallet: ({ uuid }) => [uuid],
          tag: ({ tag }) => [tag],
          address: ({ address }) => Object.values(address),
        }),

      '/client/wallets/view': (call, body, now) => {
        const wallet = this.#walletsOf(call.account, now).find(({ uuid }) => uuid === body['wallet']);
        if (wallet === undefined) return xpayError(call, 'wallet not found', null);
        return xpaySuccess(call, 'Wallet Fetched', { ...wallet, ...RESOURCES });
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

      '/client/bills/find': (call, body, now) => this.bills.find(call, body, now),
      '/client/bills/view': (call, body, now) => this.bills.view(call, body, now),
      '/client/bills/cancel': (call, body, now) => this.bills.cancel(call, body, now),
      '/client/bills/save': (call, body, now) => {
        const [wallet] = this.#walletsOf(call.account, now);
        return this.bills.save(call, body, now, wallet?.uuid ?? randomUUID(), newAddress());
      },

      ...this.#transfers('tron'),
      ...this.#transfers('token'),
      ...this.#transfers('ln'),
    }),
  );

  #transfers(kind: XPayPayment['kind']): Record<string, Route> {
    return {
      [`/client/wallets/send/${kind}/preview`]: (call, body, now) => this.#preview(call, kind, body, now),
      [`/client/wallets/send/${kind}/confirm`]: (call, body, now) => {
        this.payments.push({ at: now, username: call.account, kind, body });
        return this.#preview(call, kind, body, now);
      },
    };
  }

  /** The vendor documents no check of the wallet, so the source of an unknown one is empty. */
  #preview(call: XPayKnownCall, kind: XPayPayment['kind'], body: Body, now: number): WireAnswer {
    const wallet = this.#walletsOf(call.account, now).find(({ uuid }) => uuid === body['wallet']);
    const source = wallet?.address.base58 ?? '';
    const { destination, amount, paymentRequest } = body;
    const transfer = kind === 'ln' ? { paymentRequest } : { destination, amount: Number(amount), ...COSTS };
    return xpaySuccess(call, 'Transfer Preview', { source, ...transfer, isOTP: false });
  }

  #walletsOf(username: string, now: number): Wallet[] {
    let wallets = this.#wallets.get(username);
    if (wallets === undefined) {
      const tags = Array.from({ length: this.walletsPerAccount }, (_, at) => `wallet-${at + 1}`);
      // The newest one comes first in a list.
      wallets = tags.toReversed().map((tag) => newWallet(username, tag, now));
      this.#wallets.set(username, wallets);
    }
    return wallets;
  }
}

/** The figures of TRON in the vendor's samples. */
const NETWORK = {
  freeNetLimit: 600,
  TotalNetLimit: 43_200_000_000,
  TotalNetWeight: 84_632_720_284,
  TotalEnergyLimit: 50_000_000_000_000,
  TotalEnergyWeight: 564_258_050_529,
};
const RESOURCES = { resources: NETWORK, bandwidth: 600, energy: 0 };
const COSTS = {
  requiredEnergy: 0,
  availableEnergy: 0,
  requiredBandwidthPoints: 100,
  availableBandwidthPoints: 600,
  feeSUN: 100_000,
  sunCostForBandwidth: 100_000,
  sunCostForEnergy: 0,
  accRes: NETWORK,
  dstRes: {},
};

function newAddress(): TronAddress {
  const bytes = randomBytes(33);
  const alphabet = '123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz';
  const base58 = `T${Array.from(bytes, (byte) => alphabet[byte % alphabet.length]).join('')}`;
  return { base58, hex: `41${bytes.subarray(0, 20).toString('hex').toUpperCase()}` };
}

function newWallet(username: string, tag: string, now: number): Wallet {
  const balances = { tokenBalanceRaw: 0, tokenBalance: 0, tronBalanceSun: 0, tronBalance: 0 };
  return { address: newAddress(), username, uuid: randomUUID(), createdAt: now, tag, balances };
}
