/** What every fault may say besides its kind. */
export interface FaultTiming {
  /**
   * `true`: the upstream does its work first (the token is minted, the payment made) and only then things go wrong.
   * @default false
   */
  readonly processed?: boolean;
}

/** Seconds, or an HTTP date. */
export type RetryAfter = number | string;

/** Everything that can go wrong on the way to, inside or back from an upstream. */
export type Fault = FaultTiming &
  (
    | {
        /** Answers later, as it would have. */
        readonly kind: 'delay';
        /** How much later, on the emulator's clock. */
        readonly ms: number;
        /** What else goes wrong after the wait. */
        readonly followedBy?: Fault;
      }
    | {
        /** The connection is reset (TCP RST) instead of an answer. */
        readonly kind: 'reset';
      }
    | {
        /** No answer until the emulator stops or the client gives up. */
        readonly kind: 'hang';
      }
    | {
        /** Any answer at all. */
        readonly kind: 'status';
        /** The HTTP status. */
        readonly status: number;
        /** Headers beside those every answer has. */
        readonly headers?: Readonly<Record<string, string>>;
        /** A string goes out as text, anything else as JSON. @default no body */
        readonly body?: unknown;
      }
    | {
        /** 502 with a proxy's HTML page. */
        readonly kind: 'html502';
      }
    | {
        /** 429. */
        readonly kind: 'rateLimited';
        /** Its `Retry-After`. @default left out */
        readonly retryAfter?: RetryAfter;
      }
    | {
        /** 503. */
        readonly kind: 'unavailable';
        /** Its `Retry-After`. @default left out */
        readonly retryAfter?: RetryAfter;
      }
    | {
        /** 200 with no body. */
        readonly kind: 'empty';
      }
    | {
        /** 200 that calls itself JSON and is not. */
        readonly kind: 'notJson';
      }
    | {
        /** A redirect. */
        readonly kind: 'redirect';
        /** Where to. */
        readonly location: string;
        /** The HTTP status; 307 makes clients send the body again. @default 307 */
        readonly status?: number;
      }
    | {
        /** 200 with very much valid JSON. */
        readonly kind: 'oversized';
        /** How many bytes of it. */
        readonly bytes: number;
        /** `false` sends it chunked, without `Content-Length`. @default true */
        readonly declareLength?: boolean;
      }
    | {
        /** The normal answer with another body. */
        readonly kind: 'transform';
        /** Takes the normal body and returns the other one; `undefined` means no body. */
        readonly transform: (body: unknown) => unknown;
      }
    | {
        /** The answer as it would have been, that of another fault included, in another encoding than UTF-8. */
        readonly kind: 'encoding';
        /** The encoding, by Node's name for it. */
        readonly encoding: 'latin1' | 'utf16le';
        /** The `charset` that `Content-Type` declares, true or not. @default none */
        readonly charset?: string;
      }
  );

/** In which encoding a body is written, and which one `Content-Type` declares. */
export type AnswerEncoding = Extract<Fault, { readonly kind: 'encoding' }>;

/** What the faults of one request add up to. */
export interface FaultPlan {
  readonly delayMs: number;
  readonly processFirst: boolean;
  readonly transforms: readonly ((body: unknown) => unknown)[];
  /** The first fault that leaves no normal answer. */
  readonly ending: Exclude<Fault, { kind: 'delay' | 'transform' | 'encoding' }> | undefined;
  /** The first encoding that is asked for. */
  readonly encoding: AnswerEncoding | undefined;
}

/** Adds faults up: delays sum, transforms apply in order, and the first one that replaces the answer wins. */
export function planFaults(faults: readonly Fault[]): FaultPlan {
  let delayMs = 0;
  let processFirst = false;
  let ending: FaultPlan['ending'];
  let encoding: FaultPlan['encoding'];
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
      else if (current.kind === 'encoding') encoding ??= current;
      else ending ??= current;
    }
  }
  return { delayMs, processFirst, transforms, ending, encoding };
}
