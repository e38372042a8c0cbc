/** Fields of every fault. */
export interface FaultTiming {
  /**
   * `true`: the upstream processes the request first (issues the token, makes the payment), and fails afterwards.
   * @default false
   */
  readonly processed?: boolean;
}

/** Seconds, or an HTTP date. */
export type RetryAfter = number | string;

/** A failure on the way to an upstream, inside it, or on the way back. */
export type Fault = FaultTiming &
  (
    | {
        /** The normal answer, later. */
        readonly kind: 'delay';
        /** The delay in ms, on the emulator's clock. */
        readonly ms: number;
        /** A fault after the delay. */
        readonly followedBy?: Fault;
      }
    | {
        /**
         * - `reset`: the connection is reset (TCP RST) instead of an answer. The library repeats a login once if its
         *   connection had carried another request, so two resets in a row are needed for such a login to fail
         * - `hang`: no answer until the emulator stops or the client disconnects
         * - `html502`: 502 with the HTML page of a proxy
         * - `empty`: 200 without a body
         * - `notJson`: 200 that declares JSON and is not
         */
        readonly kind: 'reset' | 'hang' | 'html502' | 'empty' | 'notJson';
      }
    | {
        /** 429, or 503. */
        readonly kind: 'rateLimited' | 'unavailable';
        /** Its `Retry-After`. @default absent */
        readonly retryAfter?: RetryAfter;
      }
    | {
        /** Any answer. */
        readonly kind: 'status';
        /** The HTTP status. */
        readonly status: number;
        /** Headers beside those every answer has. */
        readonly headers?: Readonly<Record<string, string>>;
        /** A string goes out as text, anything else as JSON. @default no body */
        readonly body?: unknown;
      }
    | {
        /** A redirect. */
        readonly kind: 'redirect';
        /** The target URL. */
        readonly location: string;
        /** The HTTP status; 307 makes clients send the body again. @default 307 */
        readonly status?: number;
      }
    | {
        /** 200 with very long valid JSON. */
        readonly kind: 'oversized';
        /** Its length in bytes. */
        readonly bytes: number;
        /** `false` sends it chunked, without `Content-Length`. @default true */
        readonly declareLength?: boolean;
      }
    | {
        /** The normal answer with another body. */
        readonly kind: 'transform';
        /** Takes the normal body and returns the other one. `undefined`: no body. */
        readonly transform: (body: unknown) => unknown;
      }
    | {
        /** The normal answer, or that of another fault, in an encoding other than UTF-8. */
        readonly kind: 'encoding';
        /** The encoding, by Node's name for it. */
        readonly encoding: 'latin1' | 'utf16le';
        /** The `charset` that `Content-Type` declares, true or not. @default none */
        readonly charset?: string;
      }
  );

/** The encoding of a body, and the `charset` in `Content-Type`. */
export type AnswerEncoding = Extract<Fault, { readonly kind: 'encoding' }>;

/** The faults of one request, combined. */
export type FaultPlan = ReturnType<typeof planFaults>;

/** Combines faults: delays add up, transforms apply in order, and the first fault that replaces the answer wins. */
export function planFaults(faults: readonly Fault[]) {
  const all = faults.flatMap(withFollowers);
  const transforms = all.flatMap((fault) => (fault.kind === 'transform' ? [fault.transform] : []));
  const delays = all.map((fault) => (fault.kind === 'delay' ? fault.ms : 0));
  return {
    delayMs: delays.reduce((sum, ms) => sum + ms, 0),
    processFirst: all.some(({ processed }) => processed === true),
    transforms,
    /** The first fault that replaces the normal answer. */
    ending: all.find((fault) => fault.kind !== 'delay' && fault.kind !== 'transform' && fault.kind !== 'encoding'),
    /** The first encoding. */
    encoding: all.find((fault) => fault.kind === 'encoding'),
  };
}

function withFollowers(fault: Fault): Fault[] {
  return fault.kind === 'delay' && fault.followedBy !== undefined
    ? [fault, ...withFollowers(fault.followedBy)]
    : [fault];
}
