// The time line of a message: one lane for the producer and the broker, one for each group.

import { duration, time } from '../lib/format.js';
import { linkTo, place, setQuery } from '../lib/router.js';
import { nowMs } from '../lib/session.js';
import { type Scale, scaleOf } from '../lib/time-scale.js';
import type { Evidence, Lane, Span } from '../lib/trail.js';
import { Section, Switch } from '../ui/parts.js';

const EVIDENCE: Readonly<Record<Evidence, string>> = {
  broker: 'broker',
  producer: 'producer',
  application: 'this app',
  inferred: 'inferred',
};
/** Text after a bar that ends later would be cut. */
const LATE = 0.76;
const SCALES = [
  ['even', 'Long waits shortened'],
  ['linear', 'True to scale'],
] as const;

export function TrailView({ lanes }: { readonly lanes: readonly Lane[] }) {
  const chosen = place.value.query.get('scale') === 'linear' ? 'linear' : 'even';
  const times = lanes.flatMap(({ spans }) => spans.flatMap(({ fromMs, toMs = fromMs }) => [fromMs, toMs]));
  const scale = scaleOf(times, chosen === 'even');
  const [firstMs, lastMs] = [Math.min(...times), Math.max(...times)];
  return (
    <Section
      title="Trail"
      note={`${duration(lastMs - firstMs)} from first to last`}
      tools={
        <Switch
          label="Scale"
          options={SCALES}
          value={chosen}
          onChange={(one) => setQuery({ scale: one === 'even' ? '' : one })}
        />
      }
    >
      <div class="panel trail">
        <div class="step axis muted" aria-hidden="true">
          <span />
          <span class="lane">
            <span>{time(firstMs, nowMs.value)}</span>
            <span>{time(lastMs, nowMs.value)}</span>
          </span>
          <span />
        </div>
        {lanes.map((lane) => (
          <LaneView key={lane.group ?? ''} lane={lane} scale={scale} firstMs={firstMs} />
        ))}
      </div>
    </Section>
  );
}

interface LaneProps {
  readonly lane: Lane;
  readonly scale: Scale;
  readonly firstMs: number;
}

function LaneView({ lane: { group, state, tone, spans }, scale, firstMs }: LaneProps) {
  return (
    <div class="of">
      <h3>
        {group === undefined ? 'Producer and broker' : <a href={linkTo(['groups', group])}>{group}</a>}
        {state !== undefined && <span class={`chip ${tone ?? ''}`}>{state}</span>}
      </h3>
      <ol>
        {spans.map((span) => (
          <Step key={`${span.what} ${span.fromMs} ${span.proof}`} span={span} scale={scale} firstMs={firstMs} />
        ))}
      </ol>
    </div>
  );
}

/** Beside the bar where there is room: after it, before it, or at its end. */
function placeOfText(left: number, right: number): Readonly<Record<string, string>> {
  if (right <= LATE) return { left: `${right * 100}%` };
  return { right: left < 1 - LATE ? `calc(${(1 - right) * 100}% + 2px)` : `${(1 - left) * 100}%` };
}

function classOfText(left: number, right: number): string {
  if (right <= LATE) return 'when';
  return left < 1 - LATE ? 'when over' : 'when before';
}

function Step({ span, scale, firstMs }: { readonly span: Span; readonly scale: Scale; readonly firstMs: number }) {
  const { what, fromMs, toMs, evidence, proof, tone = '' } = span;
  const [left, right] = [scale(fromMs), scale(toMs ?? fromMs)];
  const lasted = toMs === undefined ? undefined : duration(toMs - fromMs);
  return (
    <li class="step">
      <span class={`what ${tone === 'bad' ? 'bad' : ''}`}>{what}</span>
      <span class="lane" title={`${time(fromMs, nowMs.value)}, ${duration(fromMs - firstMs)} after the first`}>
        <i
          class={`${toMs === undefined ? 'dot' : 'bar'} ${tone}`}
          style={{ left: `${left * 100}%`, width: toMs === undefined ? '' : `${Math.max(0, right - left) * 100}%` }}
        />
        <span class={`${classOfText(left, right)} ${tone}`} style={placeOfText(left, right)}>
          {lasted ?? time(fromMs, nowMs.value)}
        </span>
      </span>
      <span class="proof" title={proof}>
        <span class={`chip ${evidence}`}>{EVIDENCE[evidence]}</span>
      </span>
    </li>
  );
}
