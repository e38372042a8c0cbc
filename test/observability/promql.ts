/** What an expression in PromQL speaks of; as much of the language as dashboards and alert rules here are written in. */
export interface Spoken {
  readonly metrics: readonly string[];
  /** What stands in braces: which label of which metric is to match what. */
  readonly matchers: readonly Matcher[];
  /** The labels that an aggregation keeps; `undefined` where nothing is aggregated. */
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

/** What Prometheus reads from a scrape: the names of series, with the values of each of their labels. */
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
