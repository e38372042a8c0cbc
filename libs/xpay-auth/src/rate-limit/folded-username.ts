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
