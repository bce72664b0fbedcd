// Sends dead letters to their original topics again, at least once. An interrupted replay reports what was done.

import { isReservedProperty, REPLAY_GROUP_PROPERTY, replayGroupMark } from '../../protocol/model/names.js';
import { REQUEST_CODES } from '../../protocol/remoting/codes.js';
import {
  encodeProperties,
  longOf,
  type StoredMessageFields,
  SYS_FLAGS,
} from '../../protocol/remoting/stored-message.js';
import { offsetField } from '../../remoting/answers.js';
import type { ClusterAccess } from '../../remoting/cluster-access.js';
import { RemotingError } from '../../remoting/remoting-error.js';
import type { Deadline } from '../../support/deadline.js';
import { RocketMQError } from '../../support/errors.js';
import { anyObject, listWhere, type OwnChecks, rejected, trueOrFalse } from '../../support/options.js';
import type { BrokerFailure } from '../each-broker.js';
import { PROPERTIES } from '../messages/message-view.js';
import { type Destination, type Outcome, outcomesOf, REPLAY_PROPERTY, ReplayPass } from './dead-letter-destination.js';
import {
  checkPage,
  type DeadLetterPageOptions,
  type DeadLetterView,
  type ReplayPage,
  readReplayPage,
  SELECT_CHECKS,
  type SelectOptions,
} from './dead-letters.js';
import { type ExportedDeadLetter, storedOf } from './exported-dead-letters.js';

export interface ReplayOptions extends DeadLetterPageOptions, SelectOptions {
  /**
   * `next` of the replay before, or of its plan; or `positionOf()` of the dead letter to begin with. Default: the first page. `ILLEGAL_POSITION`
   * where the group has no such dead letter queue, or the queue ends before; nothing was sent then.
   */
  readonly after?: string;
  /**
   * Also replay those that were already replayed. Nothing is looked for then, so that one whose send was not answered is sent once more when the
   * replay continues, and may arrive twice. Default: false.
   */
  readonly again?: boolean;
  /**
   * Only the group that failed handles them: consumers of this library in other groups of the topic acknowledge them without calling a handler.
   * Consumers of other clients, and simple consumers, do not know of it and receive them as usual. Default: false, all groups of the topic handle them.
   */
  readonly onlyThisGroup?: boolean;
  /**
   * Send these instead of a page of the queue, also when it no longer has them: up to 100 of this group, from `exportDeadLetters()`. Without
   * `limit` and `after`. Default: a page of the queue.
   */
  readonly exported?: readonly ExportedDeadLetter[];
}

export const REPLAY_CHECKS: OwnChecks<ReplayOptions> = {
  ...SELECT_CHECKS,
  again: trueOrFalse,
  onlyThisGroup: trueOrFalse,
  exported: listWhere('exported dead letters', (one) => anyObject(one) === undefined),
};

/** A dead letter that was replayed: same body, tag, keys, properties and message id, as a first attempt. */
export interface ReplayedDeadLetter {
  readonly deadLetter: DeadLetterView;
  readonly topic: string;
  /** The broker, by name, and the queue in which the new message is stored. */
  readonly broker: string;
  readonly queueId: number;
  readonly queueOffset: number;
}

export interface ReplayResult {
  readonly replayed: readonly ReplayedDeadLetter[];
  /** Skipped, because the topic already has a message that was replayed from it. */
  readonly replayedBefore: readonly DeadLetterView[];
  /** Could not be sent: the original topic is unknown or deleted, or the broker rejected it. Another replay fails again. */
  readonly failed: readonly { readonly deadLetter: DeadLetterView; readonly error: RocketMQError }[];
  /**
   * `after` of the next call; undefined at the end, and with `exported`. It has the form `replay:POSITION,END,…`: where to continue, as
   * `positionOf()` names it, and by `broker/queue/offset` where the queues ended at the first call. So a caller that goes on to the end replays
   * what was there then, and nothing that has failed again since.
   */
  readonly next: string | undefined;
  /** Brokers whose dead letters could not be read. Empty when all answered. */
  readonly failures: readonly BrokerFailure[];
}

/**
 * A replay was interrupted: a server could not be reached, or the deadline passed. `done` has what was sent before; its `next`
 * begins with the dead letter at which the replay ended. If it is `inFlight`, continuing there sends it at most once more, and not at all if
 * its first copy is found; with `again`, it is always sent once more. With `exported`, the same call again continues.
 */
export class ReplayInterruptedError extends RocketMQError {
  constructor(
    what: string,
    readonly done: ReplayResult,
    cause: Error,
    /** The one that was sent and not answered: whether it is in its topic is unknown. Undefined when every send was answered. */
    readonly inFlight?: DeadLetterView,
  ) {
    const goOn = done.next === undefined ? 'the same call again continues' : 'continue with after = done.next';
    const message = `${what}: ${done.replayed.length} sent, then failed: ${cause.message}; ${goOn}`;
    super('REPLAY_INTERRUPTED', message, 'unknown', RocketMQError.is(cause) && cause.retryable, { cause });
  }
}

/** Properties that the server sets itself and that a new message must not contain, with these exceptions. */
const KEPT_PROPERTIES: ReadonlySet<string> = new Set([
  PROPERTIES.messageId,
  PROPERTIES.keys,
  PROPERTIES.tag,
  PROPERTIES.priority,
  PROPERTIES.liteTopic,
  PROPERTIES.bornHost,
  'BORN_TIMESTAMP',
  'PGROUP',
]);
/** The message is stored, possibly not yet on disk or on a slave. @see ResponseCode FLUSH_DISK_TIMEOUT, SLAVE_NOT_AVAILABLE, … */
const STORED_CODES: readonly number[] = [0, 10, 11, 12];

export async function replayDeadLetters(
  cluster: ClusterAccess,
  consumerGroup: string,
  options: ReplayOptions = {},
): Promise<ReplayResult> {
  return cluster.run(
    `replay dead letters of ${consumerGroup}`,
    options,
    async (deadline) => {
      const page = await lettersOf(cluster, consumerGroup, options, deadline);
      const replay = new Replay(cluster, deadline, consumerGroup, options);
      for (const { stored, deadLetter } of page.letters) {
        try {
          if (options.select !== undefined && !(await options.select(deadLetter))) continue;
          await replay.one(stored, deadLetter);
        } catch (error) {
          const done = { ...replay.result, next: page.continuesAt(deadLetter), failures: page.failures };
          throw new ReplayInterruptedError(deadline.what, done, error as Error, replay.inFlight);
        }
      }
      return { ...replay.result, next: page.next, failures: page.failures };
    },
    REPLAY_CHECKS,
  );
}

/** Those that were given, or else a page of the queue. @throws UsageError */
export async function lettersOf(
  cluster: ClusterAccess,
  consumerGroup: string,
  options: ReplayOptions,
  deadline: Deadline,
): Promise<ReplayPage> {
  const { exported, limit, after } = options;
  if (exported === undefined) return readReplayPage(cluster, consumerGroup, options, deadline);
  checkPage(consumerGroup, {});
  if (limit !== undefined || after !== undefined)
    throw rejected('exported', 'cannot be together with limit or after, which are of the queue; leave them out');
  const letters = await storedOf(consumerGroup, exported);
  return { letters, next: undefined, failures: [], continuesAt: () => undefined };
}

/** One replay, and what it has done so far. */
class Replay {
  private readonly outcomes: Outcome<ReplayedDeadLetter>[] = [];
  private readonly pass: ReplayPass;
  private readonly onlyFor: string | undefined;
  /** Sent, without an answer that says whether it is stored. */
  inFlight: DeadLetterView | undefined;

  constructor(
    private readonly cluster: ClusterAccess,
    private readonly deadline: Deadline,
    consumerGroup: string,
    { again, onlyThisGroup }: ReplayOptions,
  ) {
    this.onlyFor = onlyThisGroup === true ? consumerGroup : undefined;
    this.pass = new ReplayPass(cluster, deadline, again);
  }

  get result(): Pick<ReplayResult, 'replayed' | 'replayedBefore' | 'failed'> {
    const { done: replayed, ...rest } = outcomesOf(this.outcomes);
    return { replayed, ...rest };
  }

  /** @throws for a failure that would affect the following dead letters as well */
  async one(stored: StoredMessageFields, deadLetter: DeadLetterView): Promise<void> {
    const outcome = await this.pass.one(deadLetter, async (destination) => {
      try {
        return await this.send(stored, deadLetter, destination);
      } catch (error) {
        if (!RocketMQError.is(error) || error.outcome === 'unknown') this.inFlight = deadLetter;
        throw error;
      }
    });
    this.outcomes.push(outcome);
  }

  /** @see SendMessageRequestHeader of the server, request code 10 */
  private async send(
    stored: StoredMessageFields,
    deadLetter: DeadLetterView,
    destination: Destination,
  ): Promise<ReplayedDeadLetter> {
    const { topic, broker, queueId } = destination;
    const fields = {
      producerGroup: topic,
      topic,
      defaultTopic: 'TBW102',
      defaultTopicQueueNums: '4',
      queueId: String(queueId),
      sysFlag: String(stored.sysFlag & (SYS_FLAGS.compressed | SYS_FLAGS.compressionType)),
      bornTimestamp: String(longOf(stored.bornTimestampMs)),
      flag: String(stored.flag),
      properties: encodeProperties(propertiesToSend(stored, destination, this.onlyFor)),
      reconsumeTimes: '0',
      unitMode: 'false',
      batch: 'false',
    };
    const answer = await this.cluster.ask(
      broker,
      { code: REQUEST_CODES.sendMessage, fields, body: stored.body },
      this.deadline,
    );
    if (!STORED_CODES.includes(answer.code)) throw new RemotingError(this.deadline.what, broker.address, answer);
    const queueOffset = offsetField(answer, 'queueOffset', 0);
    return { deadLetter, topic, broker: broker.name, queueId: Number(answer.fields.queueId ?? 0), queueOffset };
  }
}

/** Without the properties of a delayed or transactional message, since it was delivered before it became a dead letter. */
function propertiesToSend(
  { properties }: StoredMessageFields,
  { topic, mark, messageId }: Destination,
  onlyFor: string | undefined,
): Map<string, string> {
  const kept = [...properties].filter(([name]) => KEPT_PROPERTIES.has(name) || !isReservedProperty(name));
  const sent = new Map(kept).set(PROPERTIES.messageId, messageId).set(REPLAY_PROPERTY, mark);
  // A dead letter of such a replay is its group's alone, too, unless it is replayed for all.
  sent.delete(REPLAY_GROUP_PROPERTY);
  if (onlyFor === undefined) return sent;
  return sent.set(REPLAY_GROUP_PROPERTY, replayGroupMark({ topic, messageId, consumerGroup: onlyFor }));
}
