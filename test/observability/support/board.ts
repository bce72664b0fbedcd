// The names of metrics: those that a Grafana board asks for, and those that are served to Prometheus.

interface Panel {
  readonly targets?: readonly { readonly expr?: string }[];
  readonly panels?: readonly Panel[];
}

/** What Prometheus itself adds to each target that it reads. */
const OWN = ['up'];

/** The metrics in the expressions of a board. */
export function boardMetrics(json: string): string[] {
  const board = JSON.parse(json) as Panel;
  const names = expressionsOf(board).flatMap((expression) => metricsIn(expression));
  return [...new Set(names)].filter((name) => !OWN.includes(name)).sort();
}

function expressionsOf({ targets = [], panels = [] }: Panel): string[] {
  return [...targets.flatMap(({ expr }) => expr ?? []), ...panels.flatMap(expressionsOf)];
}

/** Words of PromQL that are neither labels nor functions: all metrics have an underscore in the demos. */
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

/** The names of what has a value in texts that Prometheus reads. */
export function servedMetrics(...texts: readonly string[]): ReadonlySet<string> {
  const lines = texts.flatMap((text) => text.split('\n'));
  return new Set(lines.flatMap((line) => /^([a-zA-Z_:][\w:]*)[{ ]/.exec(line)?.[1] ?? []));
}
