/** The result of one check. */
export interface Finding {
  /** The name of the check, such as `dns`. */
  readonly check: string;
  readonly status: 'ok' | 'warning' | 'failure';
  readonly message: string;
  /** How to correct the finding. Each warning and each failure has a fix. */
  readonly fix?: string;
}

/** An option with its value as a text, and its origin. */
export interface ShownOption {
  readonly option: string;
  readonly value: string;
  readonly source: string;
}

/** Green, yellow and red (ECMA-48, SGR). `styleText` of Node is missing in versions that `doctor` has to report as too old. */
const COLOURS = { ok: 32, warning: 33, failure: 31 } as const;

/** Shorter secrets are not searched for, because their characters also occur in other words. */
const SHORTEST_HIDDEN = 4;

/** Collects findings, and prints them as text or as JSON, without secrets and control characters. */
export class Report {
  readonly findings: Finding[] = [];
  options: readonly ShownOption[] = [];
  /** The facts about a caller, by `whoami`. */
  caller: Readonly<Record<string, unknown>> | undefined;
  /** The longest first, because a short secret may be a part of a long one. */
  #secrets: readonly string[] = [];

  ok(check: string, message: string): void {
    this.findings.push({ check, status: 'ok', message });
  }

  warning(check: string, message: string, fix: string): void {
    this.findings.push({ check, status: 'warning', message, fix });
  }

  failure(check: string, message: string, fix: string): void {
    this.findings.push({ check, status: 'failure', message, fix });
  }

  get hasFailed(): boolean {
    return this.findings.some(({ status }) => status === 'failure');
  }

  /** From now on, replaces these secrets in everything that is printed. An upstream may repeat a secret in its answer. */
  hide(...secrets: (string | undefined)[]): void {
    const hidden = secrets.flatMap((secret = '') => (secret.length >= SHORTEST_HIDDEN ? [secret] : []));
    this.#secrets = [...this.#secrets, ...hidden].toSorted((one, other) => other.length - one.length);
  }

  toJson(command: string, version: string): string {
    const { options, caller, findings } = this;
    const ok = !this.hasFailed;
    const shown = { version, command, ok, ...(caller && { caller }), ...(options.length > 0 && { options }), findings };
    return JSON.stringify(shown, (_key, value: unknown) => (typeof value === 'string' ? this.#clean(value) : value), 2);
  }

  toText(heading: string, colours: boolean): string {
    const facts = Object.entries(this.caller ?? {}).map(([name, value]) => [
      name,
      Array.isArray(value) ? value.join(' ') : String(value),
    ]);
    const options = this.options.map(({ option, value, source }) => [option, value, source]);
    const checkWidth = Math.max(...this.findings.map(({ check }) => check.length));
    const findings = this.findings.flatMap(({ check, status, message, fix }) => {
      const padded = status.padEnd(7);
      const label = colours ? `\u001b[${COLOURS[status]}m${padded}\u001b[39m` : padded;
      const line = `${label}  ${check.padEnd(checkWidth)}  ${this.#clean(message)}`;
      return fix === undefined ? [line] : [line, `${' '.repeat(9 + checkWidth)}  Fix: ${this.#clean(fix)}`];
    });
    const parts = [[heading], this.#columns(facts), this.#columns(options), findings, [this.#summary()]];
    return parts.flatMap((lines) => (lines.length > 0 ? [lines.join('\n')] : [])).join('\n\n');
  }

  #summary(): string {
    const count = (status: Finding['status'], noun: string): string => {
      const { length } = this.findings.filter((finding) => finding.status === status);
      return `${length} ${noun}${length === 1 ? '' : 's'}`;
    };
    return `${count('failure', 'failure')}, ${count('warning', 'warning')}`;
  }

  #columns(rows: readonly (readonly string[])[]): string[] {
    const clean = rows.map((row) => row.map((cell) => this.#clean(cell)));
    const widths = (clean[0] ?? []).map((_cell, i) => Math.max(...clean.map((row) => row[i]?.length ?? 0)));
    return clean.map((row) =>
      row
        .map((cell, i) => cell.padEnd(widths[i] ?? 0))
        .join('  ')
        .trimEnd(),
    );
  }

  /** Also removes control characters: the text of an upstream must not change the terminal or begin a new line. */
  #clean(text: string): string {
    const safe = this.#secrets.reduce((rest, secret) => rest.replaceAll(secret, '[redacted]'), text);
    return safe.replace(/[\p{Cc}\p{Cf}\u2028\u2029]+/gu, ' ');
  }
}
