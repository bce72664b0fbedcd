// The instruments: names, units and buckets are those of the Java client of Apache RocketMQ (its HistogramEnum and GaugeEnum), plus
// counters of this library. Labels are topics, groups, clients and outcomes only, nothing of single messages.

import type { Attributes, Counter, Histogram, Meter } from '@opentelemetry/api';
import type { ObservedConsumer } from '../consumer/model/consumer-telemetry.js';

const HISTOGRAMS = {
  sendCostTime: {
    name: 'rocketmq_send_cost_time',
    description: 'Duration of sends, all attempts included',
    bounds: [1, 5, 10, 20, 50, 200, 500],
  },
  deliveryLatency: {
    name: 'rocketmq_delivery_latency',
    description: 'Time from when the server sent messages until they arrived, by the clocks of both sides',
    bounds: [1, 5, 10, 20, 50, 200, 500],
  },
  awaitTime: {
    name: 'rocketmq_await_time',
    description: 'Time from the arrival of messages until their handlers started',
    bounds: [1, 5, 20, 100, 1_000, 5_000, 10_000],
  },
  processTime: {
    name: 'rocketmq_process_time',
    description: 'Duration of handlers',
    bounds: [1, 5, 10, 100, 1_000, 10_000, 60_000],
  },
} as const;

const COUNTERS = {
  retries: ['rocketmq_client_retries', 'Messages that are retried because their handler failed'],
  deadLetters: ['rocketmq_client_dead_letters', 'Messages that were dead-lettered'],
  lostLeases: [
    'rocketmq_client_lost_leases',
    'Messages whose lease was lost before they were settled, or had ended before they were received',
  ],
  transactions: ['rocketmq_client_transactions', 'Transactions by outcome'],
  transactionChecks: ['rocketmq_client_transaction_checks', 'Answers to transaction checks of the server'],
  lessDurable: [
    'rocketmq_client_less_durable_messages',
    'Messages that were stored less safely than their broker is configured to store',
  ],
  inboxHits: ['rocketmq_client_inbox_hits', 'Steps that were skipped because they had been done before'],
} as const;

/** The most closed consumers that wait for a last observation: without a reader they would never be observed. */
const MAX_LEAVING = 100;
/** The most topics that are remembered: names may come from outside, and failed sends to misspelled ones are measured, too. */
const MAX_TOPICS = 1_000;

/** The instruments of one meter. */
export class Metrics {
  readonly sendCostTime: Histogram;
  readonly deliveryLatency: Histogram;
  readonly awaitTime: Histogram;
  readonly processTime: Histogram;
  readonly retries: Counter;
  readonly deadLetters: Counter;
  readonly lostLeases: Counter;
  readonly transactions: Counter;
  readonly transactionChecks: Counter;
  readonly lessDurable: Counter;
  readonly inboxHits: Counter;
  private readonly consumers = new Set<ObservedConsumer>();
  /** To be observed for the last time: an SDK keeps reporting the last observation. */
  private readonly leaving = new Set<ObservedConsumer>();

  constructor(meter: Meter) {
    const histogram = ({ name, description, bounds }: (typeof HISTOGRAMS)[keyof typeof HISTOGRAMS]): Histogram =>
      meter.createHistogram(name, { description, unit: 'ms', advice: { explicitBucketBoundaries: [...bounds] } });
    const counter = ([name, description]: (typeof COUNTERS)[keyof typeof COUNTERS]): Counter =>
      meter.createCounter(name, { description });
    this.sendCostTime = histogram(HISTOGRAMS.sendCostTime);
    this.deliveryLatency = histogram(HISTOGRAMS.deliveryLatency);
    this.awaitTime = histogram(HISTOGRAMS.awaitTime);
    this.processTime = histogram(HISTOGRAMS.processTime);
    this.retries = counter(COUNTERS.retries);
    this.deadLetters = counter(COUNTERS.deadLetters);
    this.lostLeases = counter(COUNTERS.lostLeases);
    this.transactions = counter(COUNTERS.transactions);
    this.transactionChecks = counter(COUNTERS.transactionChecks);
    this.lessDurable = counter(COUNTERS.lessDurable);
    this.inboxHits = counter(COUNTERS.inboxHits);
    const messages = meter.createObservableGauge('rocketmq_consumer_cached_messages', {
      description: 'Messages received and not yet settled',
    });
    const bytes = meter.createObservableGauge('rocketmq_consumer_cached_bytes', {
      description: 'Bytes of the bodies of these messages',
      unit: 'By',
    });
    const heldUp = meter.createObservableGauge('rocketmq_client_held_up_queues', {
      description: 'Queues from which nothing more is received until a message is settled',
    });
    meter.addBatchObservableCallback(
      (result) =>
        this.observe((consumer, labels) => {
          result.observe(heldUp, consumer.heldUpQueues(), labels);
          for (const { topic, messages: count, bytes: size } of consumer.held()) {
            result.observe(messages, count, { topic, ...labels });
            result.observe(bytes, size, { topic, ...labels });
          }
        }),
      [messages, bytes, heldUp],
    );
  }

  /** Adds a consumer to the gauges. @returns a function that removes it */
  watch(consumer: ObservedConsumer): () => void {
    this.consumers.add(consumer);
    return () => {
      if (!this.consumers.delete(consumer)) return;
      this.leaving.add(consumer);
      const [oldest] = this.leaving;
      if (this.leaving.size > MAX_LEAVING && oldest !== undefined) this.leaving.delete(oldest);
    };
  }

  private observe(report: (consumer: ObservedConsumer, labels: Attributes) => void): void {
    for (const consumer of [...this.consumers, ...this.leaving]) {
      const { clientId, consumerGroup } = consumer;
      report(consumer, { client_id: clientId, consumer_group: consumerGroup });
    }
    this.leaving.clear();
  }
}

/** The labels of a topic. */
interface TopicLabels {
  readonly plain: Attributes;
  readonly success: Attributes;
  readonly failure: Attributes;
}

/** The labels of one client's measurements; they are cached, since every message needs some. */
export class ClientLabels {
  private readonly byTopic = new Map<string, TopicLabels>();

  constructor(private readonly client: { readonly clientId: string; readonly consumerGroup?: string }) {}

  of(topic: string): TopicLabels {
    let labels = this.byTopic.get(topic);
    if (labels === undefined) {
      const { clientId, consumerGroup } = this.client;
      const plain: Attributes = { topic, client_id: clientId };
      if (consumerGroup !== undefined) plain.consumer_group = consumerGroup;
      labels = {
        plain,
        success: { ...plain, invocation_status: 'success' },
        failure: { ...plain, invocation_status: 'failure' },
      };
      if (this.byTopic.size < MAX_TOPICS) this.byTopic.set(topic, labels);
    }
    return labels;
  }
}
