import { randomBytes, randomUUID } from 'node:crypto';
import type { WireAnswer } from './wire-message.js';
import { type XPayKnownCall, xpayError, xpaySuccess } from './xpay-envelope.js';
import { findAnswer } from './xpay-lists.js';

type Body = Readonly<Record<string, unknown>>;

/** The address of a wallet or a bill on the TRON network. */
export interface TronAddress {
  readonly base58: string;
  readonly hex: string;
}

/** A payment of a bill. */
interface BillTransaction {
  readonly txRef: string;
  readonly txID: string;
  readonly amount: number;
  readonly timestamp: number;
}

/** A bill. Times in ms since the epoch, amounts in 10⁻⁶ USD. */
interface Bill extends Body {
  readonly uuid: string;
  readonly username: string;
  /** UUID of the wallet that receives the payments. */
  readonly wallet: string;
  readonly address: TronAddress;
  readonly billRef: string;
  readonly billAmount: number;
  readonly tag: string;
  readonly until: number;
  paidAmount: number;
  closed: boolean;
  canceled: boolean;
  readonly txs: BillTransaction[];
}

const EMPTY: TronAddress = { base58: '', hex: '' };

/** Satoshis for one dollar, about the rate of the vendor's sample. */
const SATOSHIS_PER_DOLLAR = 1_645;

/**
 * Bills (https://docs.xpay.stream/billing/create-bill and its neighbours). Each account sees only its own bills. The vendor documents
 * no texts of errors; those here are the emulator's own.
 */
export class XPayBills {
  /** The bills of each account by their reference, oldest first. */
  readonly #bills = new Map<string, Map<string, Bill>>();

  save(call: XPayKnownCall, body: Body, now: number, wallet: string, address: TronAddress): WireAnswer {
    const billRef = referenceIn(body);
    const missing = [...(body['amount'] === undefined ? ['amount'] : []), ...(billRef === '' ? ['reference'] : [])];
    if (missing.length > 0) return xpayError(call, 'missing fields', { missing });
    // The vendor documents an unsigned integer. Its samples of the request have a text and a number.
    const billAmount = /^\d+$/.test(String(body['amount'])) ? Number(body['amount']) : NaN;
    const minutes = Number(body['expireInMinutes'] ?? 30);
    const invalid = [
      ...(Number.isSafeInteger(billAmount) ? [] : ['amount']),
      ...(minutes > 0 && Number.isFinite(minutes) ? [] : ['expireInMinutes']),
    ];
    if (invalid.length > 0) return xpayError(call, 'invalid fields', { invalid });
    const others = call.settings.sharedBillReferences ? [...this.#bills.values()] : [this.#of(call.account)];
    if (others.some((bills) => bills.has(billRef))) return xpayError(call, 'reference exists', { reference: billRef });

    const invoice = body['useLightning'] === true ? lightningInvoice(billAmount, now) : undefined;
    const bill: Bill = {
      uuid: randomUUID(),
      username: call.account,
      wallet,
      address: invoice === undefined ? address : EMPTY,
      createdAt: now,
      billRef,
      billAmount,
      paidAmount: 0,
      testnet: false,
      tag: typeof body['tag'] === 'string' ? body['tag'] : '',
      // One minute before `createdAt`, as in the vendor's sample.
      starting: now - 60_000,
      until: now + minutes * 60_000,
      closed: false,
      canceled: false,
      cooldown: 0,
      txs: [],
      ...(invoice && { lnInvoice: invoice.shown }),
      ...(body['callbackURL'] !== undefined && { callbackURL: body['callbackURL'] }),
      ...(body['email'] !== undefined && { email: body['email'] }),
    };
    this.#of(call.account).set(billRef, bill);
    const { base58, hex } = bill.address;
    const whole = invoice && { lnInvoice: { ...invoice.shown, ...invoice.shownOnce } };
    return xpaySuccess(call, 'bill created', { ...bill, address: base58, hex, ...whole });
  }

  view(call: XPayKnownCall, body: Body, now: number): WireAnswer {
    const bill = this.#current(call, now).get(referenceIn(body));
    return bill === undefined ? xpayError(call, 'bill not found', null) : xpaySuccess(call, 'bill found', bill);
  }

  find(call: XPayKnownCall, body: Body, now: number): WireAnswer {
    // The vendor's sample has a text as the address here, and an object in `view`.
    const shown = [...this.#current(call, now).values()].map((bill) => ({ ...bill, address: bill.address.base58 }));
    // The vendor calls the value of the field `wallet` a "bill UUID", so the UUIDs of the bill and of its wallet are searched.
    return findAnswer(call, shown, body, { wallet: ({ uuid, wallet }) => [uuid, wallet], tag: ({ tag }) => [tag] });
  }

  cancel(call: XPayKnownCall, body: Body, now: number): WireAnswer {
    const billRef = referenceIn(body);
    if (billRef === '') return xpayError(call, 'missing fields', { missing: ['reference'] });
    const bill = this.#current(call, now).get(billRef);
    const isActive = bill !== undefined && !bill.closed;
    if (!isActive && !call.settings.cancelsInactiveBills) {
      return xpayError(call, bill === undefined ? 'bill not found' : 'bill not active', null);
    }
    // In the vendor's sample a canceled bill is closed too.
    if (isActive) Object.assign(bill, { canceled: true, closed: true });
    return xpaySuccess(call, 'Bill Canceled', null);
  }

  /** Adds a payment. A bill that is paid in full is closed. Returns `false` if the account has no such bill. */
  pay(username: string, billRef: string, amount: number | undefined, now: number): boolean {
    const bill = this.#of(username).get(billRef);
    if (bill === undefined) return false;
    const paid = amount ?? bill.billAmount - bill.paidAmount;
    const txRef = randomBytes(12).toString('hex');
    bill.txs.push({ txRef, txID: randomBytes(32).toString('hex'), amount: paid, timestamp: now });
    bill.paidAmount += paid;
    bill.closed ||= bill.paidAmount >= bill.billAmount;
    return true;
  }

  /** The bills of the account of a call, closed at their end where the settings say so. */
  #current({ account, settings }: XPayKnownCall, now: number): Map<string, Bill> {
    const bills = this.#of(account);
    if (settings.closesExpiredBills) for (const bill of bills.values()) bill.closed ||= now >= bill.until;
    return bills;
  }

  #of(username: string): Map<string, Bill> {
    let bills = this.#bills.get(username);
    if (bills === undefined) this.#bills.set(username, (bills = new Map()));
    return bills;
  }
}

/** The reference in a body, a text or a number; '' without one. */
function referenceIn({ reference }: Body): string {
  return typeof reference === 'string' || typeof reference === 'number' ? String(reference) : '';
}

/** An invoice of Bitcoin's Lightning network. Its `createdAt` is in seconds, unlike that of the bill. */
function lightningInvoice(billAmount: number, now: number): { readonly shown: Body; readonly shownOnce: Body } {
  const dollars = billAmount / 1_000_000;
  const paymentHash = randomBytes(32).toString('hex');
  const shown = {
    createdAt: Math.floor(now / 1_000),
    paymentRequest: `lnbc1${randomBytes(120).toString('hex')}`,
    paymentHash,
    paymentStatus: 'PENDING',
    satoshis: Math.round(dollars * SATOSHIS_PER_DOLLAR),
    dollars,
  };
  return { shown, shownOnce: { externalId: paymentHash, paymentSecret: randomBytes(32).toString('hex') } };
}
