/**
 * The metrics and labels of a PromQL expression. Supports the part of the language that the dashboards and alert rules
 * use.
 */
export interface Spoken {
  readonly metrics: readonly string[];
  /** Matchers in braces: the label of a metric and its pattern. */
  readonly matchers: readonly Matcher[];
  /** The labels that an aggregation keeps; `undefined` without an aggregation. */
  readonly kept: readonly string[] | undefined;
}

export interface Matcher {
  readonly metric: string;
  readonly label: string;
  readonly isRegExp: boolean;
  readonly value: string;
}

const FUNCTION = /^(?:sum|min|max|rate|increase|histogram_quantile|by|and|le)$/;

export function spokenOf(expression: string): Spoken {
  const matchers: Matcher[] = [];
  const metrics = new Set<string>();
  const bare = expression.replace(/([a-z_]\w*)\{([^}]*)\}/g, (_whole, metric: string, inside: string) => {
    metrics.add(metric);
    for (const [, label = '', operator = '', value = ''] of inside.matchAll(/(\w+)\s*(=~|!=|!~|=)\s*"([^"]*)"/g)) {
      matchers.push({ metric, label, isRegExp: operator.endsWith('~'), value });
    }
    return '';
  });
  const aggregations = [...bare.matchAll(/\bby \(([^)]*)\)/g)].map(([, inside = '']) => inside.split(/,\s*/));
  const rest = bare.replace(/\bby \([^)]*\)/g, '').replace(/\[[^\]]*\]/g, '');
  for (const [word] of rest.matchAll(/[a-z_]\w*/g)) if (!FUNCTION.test(word)) metrics.add(word);
  const aggregates = /\b(?:sum|min|max)\b/.test(bare);
  return { metrics: [...metrics], matchers, kept: aggregates ? aggregations.flat() : undefined };
}

/** The series that Prometheus reads from a scrape, with the values of each of their labels. */
export function scraped(page: string): ReadonlyMap<string, ReadonlyMap<string, ReadonlySet<string>>> {
  const series = new Map<string, Map<string, Set<string>>>();
  for (const [, name = '', inside = ''] of page.matchAll(/^([a-z_]\w*)(?:\{(.*)\})? \S+$/gm)) {
    const labels = series.get(name) ?? new Map<string, Set<string>>();
    for (const [, label = '', value = ''] of inside.matchAll(/(\w+)="((?:[^"\\]|\\.)*)"/g)) {
      labels.set(label, (labels.get(label) ?? new Set()).add(value));
    }
    series.set(name, labels);
  }
  return series;
}
