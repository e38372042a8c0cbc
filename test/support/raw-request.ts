import { connect } from 'node:net';

/** A response with every header line unchanged. HTTP clients do not show the original lines. */
export interface RawAnswer {
  readonly status: number;
  /** Header lines in their order, with names in lower case. Repeated headers are separate lines. */
  readonly lines: readonly (readonly [name: string, value: string])[];
  readonly body: string;
  /** Returns the values of all header lines of this name. */
  all(name: string): readonly string[];
}

/** Sends one GET with exactly these header lines, over a new socket. */
export async function rawGet(url: string, path: string, lines: readonly string[] = []): Promise<RawAnswer> {
  const { hostname, port } = new URL(url);
  const request = [`GET ${path} HTTP/1.1`, `host: ${hostname}:${port}`, 'connection: close', ...lines, '', ''];
  const socket = connect(Number(port), hostname);
  socket.write(Buffer.from(request.join('\r\n'), 'latin1'));
  const chunks: Buffer[] = [];
  for await (const chunk of socket) chunks.push(chunk as Buffer);
  return parse(Buffer.concat(chunks).toString('latin1'));
}

/** Returns the line `Authorization: Basic …` for any bytes. */
export function basicLine(bytes: Buffer | string): string {
  return `Authorization: Basic ${Buffer.from(bytes).toString('base64')}`;
}

function parse(text: string): RawAnswer {
  const end = text.indexOf('\r\n\r\n');
  const [statusLine = '', ...headerLines] = text.slice(0, end).split('\r\n');
  const lines = headerLines.map((line) => {
    const colon = line.indexOf(':');
    return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()] as const;
  });
  const all = (name: string): string[] => lines.filter(([each]) => each === name).map(([, value]) => value);
  return { status: Number(statusLine.split(' ')[1]), lines, body: text.slice(end + 4), all };
}
