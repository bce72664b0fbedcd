// The broker's metrics, with the names and labels of Apache RocketMQ 5.5.0 for Prometheus (`metricsExporterType=PROM`).

import { BROKER_NAME, CLUSTER_NAME } from '../engine/server-names.js';
import type { Amount, Counted } from '../engine/traffic.js';
import type { Due } from '../store/records.js';
import { keys } from '../store/records.js';
import type { ControlContext } from './control-context.js';
import type { ClientState, LagState } from './control-views.js';
import { exposition, type Labels, type MetricFamily, type Sample } from './exposition.js';
import { lagOfGroup } from './lag.js';
import { allOf, nextTurn } from './pages.js';

const COMMON: Labels = { cluster: CLUSTER_NAME, node_type: 'broker', node_id: BROKER_NAME };
/** The real server's labels for its own topics and groups and for retry topics; this broker has none. */
const NOT_SYSTEM = { is_system: 'false' };

/** All metrics as text. */
export async function metricsText(broker: ControlContext): Promise<string> {
  const families = [...counts(broker), ...connections(broker), ...traffic(broker)];
  families.push(...(await waiting(broker)), ...(await lags(broker)));
  return exposition(families, COMMON);
}

function counts({ engine, store, storage }: ControlContext): MetricFamily[] {
  return [
    gauge('rocketmq_topic_number', 'Topics', [{ labels: {}, value: engine.topics().length }]),
    gauge('rocketmq_consumer_group_number', 'Consumer groups', [{ labels: {}, value: engine.groups().length }]),
    gauge('rocketmq_storage_size_bytes', 'Approximate number of stored bytes', [
      { labels: { storage_type: 'local', storage_medium: storage }, value: store.usedBytes() },
    ]),
  ];
}

function traffic({ engine }: ControlContext): MetricFamily[] {
  const { sent, handedOut, deadLetters, ends } = engine.traffic.counted;
  const incoming = (value: (amount: Amount) => number): Sample[] =>
    sent.map((one) => ({
      labels: { topic: one.topic, message_type: one.messageType, ...NOT_SYSTEM },
      value: value(one),
    }));
  const outgoing = (value: (amount: Amount) => number): Sample[] =>
    handedOut.map((one) => ({ labels: ofGroup(one), value: value(one) }));
  const ended = (resolution: string): Sample[] =>
    ends
      .filter((one) => one.resolution === resolution)
      .map(({ topic, messages }) => ({ labels: { topic }, value: messages }));
  return [
    counter('rocketmq_messages_in_total', 'Messages accepted since the start', incoming(messagesOf)),
    counter(
      'rocketmq_throughput_in_total',
      'Bytes of the bodies of accepted messages since the start',
      incoming(bytesOf),
    ),
    counter(
      'rocketmq_messages_out_total',
      'Deliveries to consumers since the start, including redeliveries',
      outgoing(messagesOf),
    ),
    counter(
      'rocketmq_throughput_out_total',
      'Bytes of the bodies of delivered messages since the start',
      outgoing(bytesOf),
    ),
    counter(
      'rocketmq_send_to_dlq_messages_total',
      'Messages that became dead letters since the start',
      deadLetters.map((one) => ({ labels: ofGroup(one), value: one.messages })),
    ),
    counter('rocketmq_commit_messages_total', 'Transactions committed since the start', ended('commit')),
    counter('rocketmq_rollback_messages_total', 'Transactions rolled back since the start', ended('rollback')),
  ];
}

function connections({ clients }: ControlContext): MetricFamily[] {
  const present = clients.all().filter(({ isConnected }) => isConnected);
  const origin = ({ language, protocol }: ClientState): Labels => ({
    language: language.toLowerCase(),
    protocol_type: protocol,
  });
  // A consumer by remoting has a producer of its own, too, and a real broker counts it.
  const producers = present.filter(({ kind, producerGroups }) => kind === 'producer' || producerGroups.length > 0);
  const consumers = present.flatMap((client) =>
    client.groups.map(
      (group): Labels => ({
        consumer_group: group,
        consume_mode: client.kind === 'pushConsumer' ? 'push' : 'pull',
        ...origin(client),
        ...NOT_SYSTEM,
      }),
    ),
  );
  return [
    gauge('rocketmq_producer_connections', 'Connected producers', tally(producers.map(origin))),
    gauge('rocketmq_consumer_connections', 'Connected consumers', tally(consumers)),
  ];
}

/** Read from the index by due time, without reading messages. */
async function waiting({ store }: ControlContext): Promise<MetricFamily[]> {
  const delayed = new Map<string, number>();
  const halves = new Map<string, number>();
  for await (const [, value] of allOf(store, keys.dues)) {
    const due = value as Due;
    if (due.kind === 'lease') continue;
    const counted = due.kind === 'delayed' ? delayed : halves;
    const topic = due.key[1] as string;
    counted.set(topic, (counted.get(topic) ?? 0) + 1);
  }
  const byTopic = (counted: ReadonlyMap<string, number>): Sample[] =>
    [...counted].map(([topic, value]) => ({ labels: { topic }, value }));
  return [
    gauge('rocketmq_timing_messages', 'Delayed messages that are not due yet', byTopic(delayed)),
    gauge('rocketmq_half_messages', 'Half messages whose transactions have not ended', byTopic(halves)),
  ];
}

async function lags({ engine, store, clock }: ControlContext): Promise<MetricFamily[]> {
  const all: LagState[] = [];
  for (const group of engine.groups()) {
    for (const lag of await lagOfGroup(store, group)) all.push(lag);
    await nextTurn();
  }
  const nowMs = clock.nowMs();
  const since = (atMs: number | undefined): number => (atMs === undefined ? 0 : Math.max(0, nowMs - atMs));
  const each = (value: (lag: LagState) => number): Sample[] =>
    all.map((lag) => ({ labels: ofGroup(lag), value: value(lag) }));
  return [
    gauge(
      'rocketmq_consumer_lag_messages',
      'Messages that a group has not settled',
      each(({ lag }) => lag),
    ),
    gauge(
      'rocketmq_consumer_ready_messages',
      'Messages that are ready for the next receives of a group',
      each(({ ready }) => ready),
    ),
    gauge(
      'rocketmq_consumer_inflight_messages',
      'Messages held by consumers or waiting for a retry',
      each(({ inFlight }) => inFlight),
    ),
    gauge(
      'rocketmq_consumer_lag_latency_milliseconds',
      'Milliseconds since the oldest unsettled message of a group was stored',
      each(({ oldestStoredAtMs }) => since(oldestStoredAtMs)),
    ),
    gauge(
      'rocketmq_consumer_queueing_latency_milliseconds',
      'Milliseconds since the oldest ready message of a group became ready',
      each(({ oldestReadyAtMs }) => since(oldestReadyAtMs)),
    ),
  ];
}

function ofGroup({ topic, group }: { readonly topic: string; readonly group: string }): Labels {
  return { topic, consumer_group: group, is_retry: 'false', ...NOT_SYSTEM };
}

function messagesOf({ messages }: Counted<object>): number {
  return messages;
}

function bytesOf({ bytes }: Counted<object>): number {
  return bytes;
}

/** Counts each set of labels. */
function tally(all: readonly Labels[]): Sample[] {
  const samples = new Map<string, { readonly labels: Labels; value: number }>();
  for (const labels of all) {
    const name = JSON.stringify(labels);
    const sample = samples.get(name) ?? { labels, value: 0 };
    sample.value++;
    samples.set(name, sample);
  }
  return [...samples.values()];
}

function gauge(name: string, help: string, samples: readonly Sample[]): MetricFamily {
  return { name, help, type: 'gauge', samples };
}

function counter(name: string, help: string, samples: readonly Sample[]): MetricFamily {
  return { name, help, type: 'counter', samples };
}
