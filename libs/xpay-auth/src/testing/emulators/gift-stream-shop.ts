import type { WireAnswer, WireRequest } from './wire-message.js';

/** One transaction that went through. */
export interface GiftStreamTransaction {
  /** Ms since the epoch on the upstream's clock. */
  readonly at: number;
  /** Whose token it was. */
  readonly username: string;
  /** '1' sale, '2' top-up, '3' refund. */
  readonly transactionType: string;
  /** The card. */
  readonly identifier: string;
  /** The amount, as it was sent. */
  readonly transactionTotal: string;
}

/** Writes `{ message, timestamp, … }`. */
export type GiftStreamReply = (status: number, message: string, more?: Readonly<Record<string, unknown>>) => WireAnswer;

interface Card {
  readonly cardId: number;
  readonly identifier: string;
  readonly currencyCode: string;
  readonly siteLockedId: number;
  balance: number;
}

/** Cards, sites and transactions: what a token is for (https://developers.gift-stream.com/operation/operation-giftcard). */
export class GiftStreamShop {
  readonly transactions: GiftStreamTransaction[] = [];
  readonly #cards = new Map<string, Card>();
  readonly #sites = [
    { id: '1', name: 'Harbour Street', active: 1 },
    { id: '2', name: 'Station Arcade', active: 1 },
  ];

  /** `GET /giftcard/:id`; an unknown card is no error, it is no record. */
  findCard(reply: GiftStreamReply, identifier: string): WireAnswer {
    if (identifier === '') return reply(400, 'Missing Card Id');
    const card = this.#cards.get(identifier);
    const data = card === undefined ? [] : [{ ...card, active: 1, expiryDate: '0000-00-00 00:00:00' }];
    return reply(200, 'OK', { records_returned: data.length, data });
  }

  /** `POST /giftcard`. */
  createCard(reply: GiftStreamReply, form: URLSearchParams): WireAnswer {
    const missing = firstMissing(form, ['cardType', 'currencyCode']);
    if (missing !== undefined) return reply(400, `Missing ${missing}`);
    const cardId = this.#cards.size + 1;
    const identifier = form.get('identifier') ?? `card-${cardId}`;
    const card = {
      cardId,
      identifier,
      currencyCode: form.get('currencyCode') ?? '',
      siteLockedId: Number(form.get('siteId') ?? 0),
      balance: Number(form.get('initialBalance') ?? 0),
    };
    this.#cards.set(identifier, card);
    return reply(200, 'OK', { records_updated: 1, data: { cardId, ref: identifier } });
  }

  /** `POST /transaction`. */
  transact(reply: GiftStreamReply, username: string, form: URLSearchParams, now: number): WireAnswer {
    const required = ['currencyCode', 'identifier', 'siteId', 'transactionTotal', 'transactionType'];
    const missing = firstMissing(form, required);
    if (missing !== undefined) return reply(400, `Missing ${missing}`);
    const identifier = form.get('identifier') ?? '';
    const transactionTotal = form.get('transactionTotal') ?? '';
    const transactionType = form.get('transactionType') ?? '';
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

  /** `GET /sites` and `GET /sites/:id`; a site of somebody else is no record. */
  findSites(reply: GiftStreamReply, id: string): WireAnswer {
    const data = this.#sites.filter((site) => id === '' || site.id === id);
    return reply(200, 'OK', { records_returned: data.length, data });
  }
}

/** A segment of a path without its percent signs; '' when they make no sense. */
export function segmentOf(segment: string): string {
  try {
    return decodeURIComponent(segment);
  } catch {
    return '';
  }
}

/** The fields of an urlencoded body; a body of any other media type has none. */
export function formOf(request: WireRequest): URLSearchParams {
  return new URLSearchParams(
    request.mediaType === 'application/x-www-form-urlencoded' ? request.body.toString('utf8') : '',
  );
}

function firstMissing(form: URLSearchParams, fields: readonly string[]): string | undefined {
  return fields.find((field) => (form.get(field) ?? '') === '');
}
