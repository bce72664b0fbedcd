import { count, plural } from '../lib/format.js';
import { useResource } from '../lib/resource.js';
import { linkTo } from '../lib/router.js';
import type { BrokerProblem } from '../types.js';
import { Code, Failure, Problems, Section, Time, textsOf } from '../ui/parts.js';

const REFRESH_MS = 30_000;

/** As the console answers. */
interface Answer {
  readonly errors: readonly {
    readonly topic: string;
    readonly error: string;
    readonly errorName: string;
    readonly stack?: string;
    readonly retried: number;
    readonly deadLettered: number;
    readonly leftOut: number;
    readonly firstAtMs: number;
    readonly lastAtMs: number;
    readonly latest: { readonly messageId: string; readonly deliveryAttempt: number; readonly instance: string };
  }[];
  readonly mayBeMore: boolean;
  readonly failures: readonly BrokerProblem[];
}

/** What handlers threw in every instance; nothing where it is not kept. */
export function GroupFailures({ group }: { readonly group: string }) {
  const { value, error } = useResource<Answer>(`groups/${encodeURIComponent(group)}/failures`, REFRESH_MS);
  const { errors = [], failures = [], mayBeMore = false } = value ?? {};
  if (errors.length === 0 && failures.length === 0 && error === undefined) return null;
  const read = errors.reduce((sum, one) => sum + one.retried + one.deadLettered, 0);
  return (
    <Section
      title="Failures of all instances"
      note={`by error${mayBeMore ? `, of the last ${count(read)} that were kept` : ''}`}
    >
      {error !== undefined && <Failure error={error} />}
      <Problems list={textsOf(failures)} />
      {errors.map((one) => (
        <details key={`${one.topic} ${one.errorName}`} class="more">
          <summary>
            {plural(one.retried + one.deadLettered, 'time')} <strong>{one.errorName}</strong> in {one.topic}:{' '}
            {one.error}{' '}
            <span class="muted">
              {count(one.deadLettered)} dead-lettered, the last <Time ms={one.lastAtMs} isRelative />
              {one.leftOut > 0 && `, ${count(one.leftOut)} of any error not kept`}
            </span>
          </summary>
          <p>
            Latest: <a href={linkTo(['topics', one.topic, 'messages', one.latest.messageId])}>{one.latest.messageId}</a>
            , delivery {one.latest.deliveryAttempt}, on <span class="mono">{one.latest.instance}</span>. The first{' '}
            <Time ms={one.firstAtMs} isRelative />.
          </p>
          <Code label={`Stack of ${one.errorName}`}>{one.stack ?? one.error}</Code>
        </details>
      ))}
    </Section>
  );
}
