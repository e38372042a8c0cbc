/** What every fault may say besides its kind. */
interface FaultTiming {
  /**
   * `true`: the upstream does its work first (the token is minted, the payment made) and only then things go wrong.
   * @default false
   */
  readonly processed?: boolean;
}

/** Seconds, or an HTTP date. */
type RetryAfter = number | string;

/** Everything that can go wrong on the way to, inside or back from an upstream. */
export type Fault = FaultTiming &
  (
    | {
        /** Answers `ms` later, then as it would have; `followedBy` makes something else go wrong after the wait. */
        readonly kind: 'delay';
        readonly ms: number;
        readonly followedBy?: Fault;
      }
    /** The connection is reset (TCP RST) instead of an answer. */
    | { readonly kind: 'reset' }
    /** No answer until the emulator stops or the client gives up. */
    | { readonly kind: 'hang' }
    /** Any answer at all; a string body goes out as text, anything else as JSON. */
    | {
        readonly kind: 'status';
        readonly status: number;
        readonly headers?: Readonly<Record<string, string>>;
        readonly body?: unknown;
      }
    /** 502 with a proxy's HTML page. */
    | { readonly kind: 'html502' }
    /** 429, with `Retry-After` when given. */
    | { readonly kind: 'rateLimited'; readonly retryAfter?: RetryAfter }
    /** 503, with `Retry-After` when given. */
    | { readonly kind: 'unavailable'; readonly retryAfter?: RetryAfter }
    /** 200 with no body. */
    | { readonly kind: 'empty' }
    /** 200 that calls itself JSON and is not. */
    | { readonly kind: 'notJson' }
    /** A redirect; 307 makes clients send the body again. */
    | { readonly kind: 'redirect'; readonly location: string; readonly status?: number }
    /** 200 with `bytes` bytes of valid JSON; `declareLength: false` sends it chunked, without `Content-Length`. */
    | { readonly kind: 'oversized'; readonly bytes: number; readonly declareLength?: boolean }
    /** The normal answer with another body: what `transform` returns for it; `undefined` means no body. */
    | { readonly kind: 'transform'; readonly transform: (body: unknown) => unknown }
  );

/** What the faults of one request add up to. */
export interface FaultPlan {
  readonly delayMs: number;
  readonly processFirst: boolean;
  readonly transforms: readonly ((body: unknown) => unknown)[];
  /** The first fault that leaves no normal answer. */
  readonly ending: Exclude<Fault, { kind: 'delay' | 'transform' }> | undefined;
}

/** Adds faults up: delays sum, transforms apply in order, and the first one that replaces the answer wins. */
export function planFaults(faults: readonly Fault[]): FaultPlan {
  let delayMs = 0;
  let processFirst = false;
  let ending: FaultPlan['ending'];
  const transforms: ((body: unknown) => unknown)[] = [];
  for (const first of faults) {
    for (let fault: Fault | undefined = first; fault !== undefined;) {
      processFirst ||= fault.processed === true;
      const current: Fault = fault;
      fault = undefined;
      if (current.kind === 'delay') {
        delayMs += current.ms;
        fault = current.followedBy;
      } else if (current.kind === 'transform') transforms.push(current.transform);
      else ending ??= current;
    }
  }
  return { delayMs, processFirst, transforms, ending };
}
