// Faults that the library once had. The simulation must find each of them within its usual time.

/** Changes to one file. */
export interface Mutation {
  /** A description of the fault. */
  readonly fault: string;
  readonly file: string;
  /** Replacements: each key occurs exactly once in the file. */
  readonly edits: Readonly<Record<string, string>>;
}

/** Each answer of a server decides about one setting of the group on all servers. */
const decidesForAll = (setting: string): Mutation['edits'] => ({
  'this.known.set(endpointKey(server), { server, settings, confirmed, isGone: false });':
    'for (const key of new Set([endpointKey(server), ...this.known.keys()])) this.known.set(key, { server, confirmed, isGone: false, settings: ' +
    `{ ...(this.known.get(key)?.settings ?? settings), ${setting}: settings.${setting} } });`,
  // What is repeated to an ordered broker would make it the last one.
  'return !isDeepStrictEqual(confirmed, wasConfirmed);': 'return false;',
});

export const MUTATIONS: readonly Mutation[] = [
  {
    fault: 'a connection without stream ids is kept',
    file: 'client/wire/client-connection.ts',
    edits: {
      'if (this.http2.nextStreamId > LAST_STREAM_ID)': 'if (this.http2.nextStreamId < 0)',
      'return !this.left.aborted && this.http2.isUsable;':
        'return !this.left.aborted && this.http2.failure === undefined;',
    },
  },
  {
    fault: 'one impatient call judges the connection of all',
    file: 'client/endpoint-channel.ts',
    edits: {
      'const isAlive = await channel.isAlive(this.pingTimeoutMs);':
        'const isAlive = await channel.isAlive(Math.min(waitedMs / 2, MAX_PING_TIMEOUT_MS));',
    },
  },
  {
    fault: 'an announced end breaks off all calls in flight',
    file: 'client/endpoint-channel.ts',
    edits: { 'void this.retireConnection(connection);\n    // The new': 'connection.channel.close();\n    // The new' },
  },
  {
    fault: 'another instance ends a local transaction that runs',
    file: 'producer/transactions/transaction-bounds.ts',
    edits: { 'return nowMs < bornAtMs + this.timeoutMs + CLOCK_SKEW_MS;': 'return nowMs < bornAtMs;' },
  },
  {
    fault: 'deliveries that no handler has finished count as attempts',
    file: 'consumer/dispatch/delivery.ts',
    edits: {
      'const finished = this.keepsAttempt ? 0 : this.shared.finished.add(view, error);':
        'const finished = view.deliveryAttempt;',
    },
  },
  {
    fault: 'a time-out overrules the decision of a manual handler',
    file: 'consumer/listeners/handler-run.ts',
    edits: {
      'else resolve(context.decided ?? (timedOut === undefined ? result : failed(timedOut)));':
        'else resolve(timedOut === undefined ? result : failed(timedOut));',
    },
  },
  {
    fault: 'a request that is handled in the grace of a shutdown is not answered',
    file: 'nest/listening/answering.ts',
    edits: { '  if (!isShutdown(signal.reason)) return true;': '  return true;' },
  },
  {
    fault: 'bodies are unpacked without regard to the bound',
    file: 'consumer/receive/buffer-room.ts',
    edits: { 'if (this.isUnpacking || (this.growths > 0 && this.heldBytes >= this.maxBytes)) break;': '' },
  },
  {
    fault: 'leases follow the wall clock',
    file: 'support/clock.ts',
    edits: { 'return performance.now();': 'return Date.now();' },
  },
  {
    fault: 'a call with little time abandons a connection that is being made',
    file: 'client/endpoint-channel.ts',
    edits: { "return error.code !== 'DEADLINE_EXCEEDED' || waitedMs >= this.pingTimeoutMs;": 'return true;' },
  },
  {
    fault: 'a poll asks for messages by their packed size',
    file: 'consumer/receive/buffer-room.ts',
    edits: { 'if (!isPacked) largestBytes': 'largestBytes', 'this.expected.learn(grownBytes);': '' },
  },
  {
    fault: 'the broker that answers last decides about the order on all brokers',
    file: 'consumer/model/group-settings.ts',
    edits: decidesForAll('isFifo'),
  },
  {
    fault: 'the broker that answers last decides about the attempts on all brokers',
    file: 'consumer/model/group-settings.ts',
    edits: decidesForAll('maxAttempts'),
  },
  {
    fault: 'message groups are spread over the queues that are left',
    file: 'producer/sending/group-queue.ts',
    edits: {
      'const chosenByHash = placeOfMessageGroup(places.whole, group);':
        'const chosenByHash = placeOfMessageGroup(places.present, group);',
    },
  },
  {
    fault: 'the widest layout is forgotten while a broker is missing',
    file: 'client/layouts.ts',
    edits: {
      'if (earlier.every(({ brokerName }) => now.has(brokerName))) return present;':
        'if (now.size > 0) return present;',
    },
  },
  {
    fault: 'the layout that is declared or configured is not used',
    file: 'client/layouts.ts',
    edits: { 'const fixed = order ?? this.declared.get(topic);': 'const fixed = undefined as Layout | undefined;' },
  },
  {
    fault: 'leases count from when an answer is read',
    file: 'support/answer-age.ts',
    edits: {
      'ageMs({ askedAtMs, readAtMs, unreadForMs, answeredAtMs }: AnsweredRequest): number {':
        'ageMs({ askedAtMs, readAtMs, unreadForMs, answeredAtMs }: AnsweredRequest): number {\n    if (askedAtMs >= 0) return 0;',
    },
  },
  {
    fault: 'dead letters of other clients are rejected for their labels',
    file: 'consumer/dispatch/keep-dead-letter.ts',
    edits: {
      'if (!isTooLarge && (this.left !== undefined || !(failure instanceof UsageError))) return undefined;':
        'if (failure instanceof Error) return undefined;',
    },
  },
  {
    fault: 'messages of a group are sent without waiting for each other',
    file: 'producer/sending/send-turns.ts',
    edits: { "if (line.first === turn) turn.state = { kind: 'come' };": "turn.state = { kind: 'come' };" },
  },
  {
    fault: 'a group passes a message of a pulled queue that is not settled',
    file: 'gateway/pull/owned-queue.ts',
    edits: { 'for (const offset of this.entries.keys()) return offset;': '' },
  },
  {
    fault: 'who pulls a queue begins behind what came before it asked',
    file: 'gateway/pull/queue-puller.ts',
    edits: {
      '(await stored()) ?? (isRetry ? 0 : await this.requests.firstOffset(stored));':
        'await (isRetry ? stored() : this.requests.maxOffset()) ?? 0;',
    },
  },
  {
    fault: 'a pulled queue goes on at its offset when the broker has lost what was there',
    file: 'gateway/pull/queue-puller.ts',
    edits: { 'const to = Math.min(from, offset, end);': 'const to = Math.min(from, end);' },
  },
];
