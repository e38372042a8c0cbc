import { isIPv6 } from 'node:net';

/** In place of an address: a connection whose peer the system cannot name (the `unknown` of RFC 7239 §6.2). */
export const UNKNOWN_ADDRESS = 'unknown';

const WITH_PORT = /^(?:\[(?<v6>[^\]]+)\]|(?<v4>\d{1,3}(?:\.\d{1,3}){3}))(?::\d+)?$/;
const MAPPED = /^::ffff:(?:(?<dotted>\d{1,3}(?:\.\d{1,3}){3})|(?<high>[\da-f]{1,4}):(?<low>[\da-f]{1,4}))$/;

/**
 * The network that an address is counted by: the address itself for IPv4, its /64 for IPv6, because a subscriber owns at least
 * that many addresses (RFC 6177). A port is left out: some proxies write one, and it differs with every connection.
 */
export function networkOf(address: string): string {
  const { v6, v4 } = WITH_PORT.exec(address)?.groups ?? {};
  const bare = (v6 ?? v4 ?? address).split('%')[0]?.toLowerCase() ?? '';
  const { dotted, high, low } = MAPPED.exec(bare)?.groups ?? {};
  if (dotted !== undefined) return dotted;
  if (high !== undefined && low !== undefined) return dottedOf(Number.parseInt(high, 16), Number.parseInt(low, 16));
  return isIPv6(bare) ? prefixOf(bare) : bare;
}

function dottedOf(high: number, low: number): string {
  return [high >> 8, high & 255, low >> 8, low & 255].join('.');
}

function prefixOf(address: string): string {
  const [head = '', tail] = address.split('::');
  const front = head === '' ? [] : head.split(':');
  const back = tail === undefined || tail === '' ? [] : tail.split(':');
  const gap = tail === undefined ? 0 : Math.max(0, 8 - front.length - back.length);
  const groups = [...front, ...Array<string>(gap).fill('0'), ...back].slice(0, 4);
  return `${groups.map((group) => Number.parseInt(group, 16).toString(16)).join(':')}::/64`;
}

/**
 * The user name without the differences that an upstream may ignore: case, width, accents, invisible characters, outer
 * spaces. For keys of counters and cooldowns only; the name itself is sent as it came.
 */
export function foldedUsername(username: string): string {
  return username
    .normalize('NFKD')
    .replace(/[\p{M}\p{Cf}]/gu, '')
    .trim()
    .toLowerCase();
}
