import { clockText } from './format.js';

const TONES = {
  obtained: 'good',
  refreshed: 'good',
  adopted: 'good',
  verified: 'good',
  login: 'good',
  'refresh-failed': 'bad',
  rejected: 'bad',
  expired: 'bad',
  undecided: 'bad',
  refused: 'warn',
  denied: 'warn',
  revoked: 'warn',
  'locked-out': 'limit',
};

/** A list of events, newest first. */
export class Rows {
  #list;
  #most;
  #hasAddress;
  #empty;

  constructor(id, { most, hasAddress, empty }) {
    this.#list = document.getElementById(id);
    this.#most = most;
    this.#hasAddress = hasAddress;
    this.#empty = empty;
  }

  show(rows) {
    const items = rows.slice(-this.#most).toReversed();
    this.#list.replaceChildren(...(items.length === 0 ? [this.#emptyItem()] : items.map((row) => this.#item(row))));
  }

  #item({ at, type, username = '', address = '', detail }) {
    const item = document.createElement('li');
    const time = document.createElement('time');
    time.dateTime = new Date(at).toISOString();
    time.textContent = clockText(at);
    item.append(time, part('span', `kind ${TONES[type] ?? ''}`, type));
    if (this.#hasAddress) item.append(part('bdi', '', username), part('span', 'address', address));
    item.append(part('span', 'detail', detail));
    return item;
  }

  #emptyItem() {
    return part('li', 'empty', this.#empty);
  }
}

function part(name, className, text) {
  const element = document.createElement(name);
  element.className = className;
  element.textContent = text;
  return element;
}
