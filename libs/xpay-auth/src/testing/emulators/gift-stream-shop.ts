import type { WireAnswer } from './wire-message.js';

/** The fields of a urlencoded body. */
export type Form = Readonly<Record<string, string>>;

/** One successful transaction. */
export interface GiftStreamTransaction {
  /** Ms since the epoch on the upstream's clock. */
  readonly at: number;
  /** The user name behind the token. */
  readonly username: string;
  /** '1' sale, '2' top-up, '3' refund. */
  readonly transactionType: string;
  /** The card. */
  readonly identifier: string;
  /** The amount, as it was sent. */
  readonly transactionTotal: string;
}

/** Makes an answer `{ message, timestamp, … }`. */
export type GiftStreamReply = (status: number, message: string, more?: Readonly<Record<string, unknown>>) => WireAnswer;

interface Card {
  readonly cardId: number;
  readonly identifier: string;
  readonly currencyCode: string;
  readonly siteLockedId: number;
  balance: number;
}

/** Cards, sites and transactions, the calls that need a token (https://developers.gift-stream.com/operation/operation-giftcard). */
export class GiftStreamShop {
  readonly transactions: GiftStreamTransaction[] = [];
  readonly #cards = new Map<string, Card>();
  readonly #sites = [
    { id: '1', name: 'Harbour Street', active: 1 },
    { id: '2', name: 'Station Arcade', active: 1 },
  ];

  /** `GET /giftcard/:id`. An unknown card is not an error: there are no records. */
  findCard(reply: GiftStreamReply, identifier: string): WireAnswer {
    if (identifier === '') return reply(400, 'Missing Card Id');
    const card = this.#cards.get(identifier);
    const data = card === undefined ? [] : [{ ...card, active: 1, expiryDate: '0000-00-00 00:00:00' }];
    return reply(200, 'OK', { records_returned: data.length, data });
  }

  /** `POST /giftcard`. */
  createCard(reply: GiftStreamReply, form: Form): WireAnswer {
    const missing = ['cardType', 'currencyCode'].find((field) => !form[field]);
    if (missing !== undefined) return reply(400, `Missing ${missing}`);
    const cardId = this.#cards.size + 1;
    const { identifier = `card-${cardId}`, currencyCode = '', siteId = 0, initialBalance = 0 } = form;
    const balance = Number(initialBalance);
    this.#cards.set(identifier, { cardId, identifier, currencyCode, siteLockedId: Number(siteId), balance });
    return reply(200, 'OK', { records_updated: 1, data: { cardId, ref: identifier } });
  }

  /** `POST /transaction`. */
  transact(reply: GiftStreamReply, username: string, form: Form, now: number): WireAnswer {
    const required = ['currencyCode', 'identifier', 'siteId', 'transactionTotal', 'transactionType'];
    const missing = required.find((field) => !form[field]);
    if (missing !== undefined) return reply(400, `Missing ${missing}`);
    const { identifier = '', transactionTotal = '', transactionType = '' } = form;
    const card = this.#cards.get(identifier);
    if (card === undefined) return reply(400, 'Invalid Card Id');
    const total = Number(transactionTotal);
    if (transactionType === '1' && card.balance < total) {
      const data = { result: 0, resultDesc: 'Insufficient Balance', remainToPay: total, cardBalance: card.balance };
      return reply(200, 'OK', { data });
    }
    card.balance += transactionType === '1' ? -total : total;
    this.transactions.push({ at: now, username, transactionType, identifier, transactionTotal });
    return reply(200, 'OK', { data: { result: 1, resultDesc: 'Approved', remainToPay: 0, cardBalance: card.balance } });
  }

  /** `GET /sites` and `GET /sites/:id`. There is no record for an unknown site. */
  findSites(reply: GiftStreamReply, id: string): WireAnswer {
    const data = this.#sites.filter((site) => id === '' || site.id === id);
    return reply(200, 'OK', { records_returned: data.length, data });
  }
}

/** A path segment, percent-decoded; '' if it is malformed. */
export function segmentOf(segment: string): string {
  try {
    return decodeURIComponent(segment);
  } catch {
    return '';
  }
}
