import type { Credentials, XPayAuthOptions } from 'nestjs-xpay-auth';
import type { ContextApp } from './context-app.js';
import { basic, bearer } from './start-app.js';

/** Credentials, or the bearer token of a session. */
export type Presented = Credentials | { readonly token: string };

/** A connection, or another object that several operations share. */
export interface Carrier extends AsyncDisposable {
  /**
   * Runs one operation that requires `tme_user`. Resolves to the username of its caller, or to the `errorCode`.
   *
   * @param presented ignored if the credentials are presented when the carrier is opened
   */
  run(presented?: Presented): Promise<unknown>;
}

export interface CarrierApp extends AsyncDisposable, Pick<ContextApp, 'xpay' | 'clock' | 'sessions'> {
  open(presented: Presented): Promise<Carrier>;
}

export interface CarrierKind {
  readonly name: string;
  /** Whether credentials are presented with each operation, or once when the carrier is opened. */
  readonly credentialsIn: 'operation' | 'opening';
  start(options?: XPayAuthOptions): Promise<CarrierApp>;
}

export const headersOf = (presented?: Presented): Record<string, string> => {
  if (presented === undefined) return {};
  return 'token' in presented ? bearer(presented.token) : basic(presented.username, presented.secretKey);
};

/** A response of any context, reduced to the caller or the failure. */
export interface Answered {
  readonly username?: string;
  readonly errorCode?: string;
  readonly data?: { readonly me?: string } | null;
  readonly errors?: readonly { readonly extensions?: { readonly errorCode?: string } }[];
}

export const outcomeOf = ({ username, errorCode, data, errors }: Answered): unknown =>
  username ?? errorCode ?? data?.me ?? errors?.[0]?.extensions?.errorCode;
