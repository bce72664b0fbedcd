// The names of metrics: those that a Grafana dashboard queries, and those that are served to Prometheus.

interface Panel {
  readonly targets?: readonly { readonly expr?: string }[];
  readonly panels?: readonly Panel[];
}

/** Metrics that Prometheus adds to each target. */
const OWN = ['up'];

/** The metrics in the expressions of a dashboard. */
export function boardMetrics(json: string): string[] {
  const board = JSON.parse(json) as Panel;
  const names = expressionsOf(board).flatMap((expression) => metricsIn(expression));
  return [...new Set(names)].filter((name) => !OWN.includes(name)).sort();
}

function expressionsOf({ targets = [], panels = [] }: Panel): string[] {
  return [...targets.flatMap(({ expr }) => expr ?? []), ...panels.flatMap(expressionsOf)];
}

/** The metric names in a PromQL expression: in the demos, all contain an underscore. */
function metricsIn(expression: string): string[] {
  const bare = expression
    .replaceAll(/"[^"]*"/g, '')
    .replaceAll(/\{[^}]*\}/g, '')
    .replaceAll(/\[[^\]]*\]/g, '')
    .replaceAll(/\b(by|without|on|ignoring|group_left|group_right)\s*\([^)]*\)/g, '');
  return (bare.match(/\b[a-zA-Z_:][\w:]*\b(?!\s*\()/g) ?? []).filter(
    (word) => word.includes('_') || OWN.includes(word),
  );
}

/** The names of the samples in the Prometheus text format. */
export function servedMetrics(...texts: readonly string[]): ReadonlySet<string> {
  const lines = texts.flatMap((text) => text.split('\n'));
  return new Set(lines.flatMap((line) => /^([a-zA-Z_:][\w:]*)[{ ]/.exec(line)?.[1] ?? []));
}
