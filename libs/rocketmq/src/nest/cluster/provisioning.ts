// Creates the declared topics and consumer groups on the cluster, or compares them with it. declarations.ts decides what is declared;
// admin/ talks to the cluster.

import { placeholderIn } from '../../client/resource-errors.js';
import { TOPIC_TYPES } from '../../protocol/model/message.js';
import type { BackoffPolicy } from '../../support/backoff.js';
import { SystemClock } from '../../support/clock.js';
import { commandLine, UNKNOWN_NAME_SERVER } from '../../support/command-line.js';
import { type Deadline, withNotedEffects } from '../../support/deadline.js';
import { RocketMQError } from '../../support/errors.js';
import type { Logger } from '../../support/logger.js';
import { systemRandom } from '../../support/random.js';
import { retryUntil } from '../../support/retry.js';
import type { Admin } from './admin-access.js';
import type { Declarations, DeclaredGroup, DeclaredTopic } from './declarations.js';

type TopicDescription = NonNullable<Awaited<ReturnType<Admin['describeTopic']>>>;
type GroupDescription = NonNullable<Awaited<ReturnType<Admin['describeGroup']>>>;

/** The cluster lacks what the application declares, or differs from it. Nothing was changed. */
export class ProvisionError extends RocketMQError {
  constructor(
    /** What is missing or different, one sentence each. */
    readonly differences: readonly string[],
    /** The command that creates what is missing; several are joined by `&&`. Undefined where nothing is missing. */
    readonly command: string | undefined,
  ) {
    const text =
      `the cluster differs from what the application declares: ${differences.join('; ')}. Change one of them; with provision: ` +
      `'create' what is missing is made at start${command === undefined ? '' : `; to create it now, run${placeholderIn(command)}: ${command}`}`;
    super('PROVISION_MISMATCH', text, 'rejected', false);
  }
}

/** What provisioning works with. */
interface ProvisioningPort {
  readonly admin: Admin;
  readonly logger: Logger;
  /** The addresses of `admin`; undefined for a placeholder. */
  readonly nameServer?: string | undefined;
  /** The limit for all of it, in milliseconds. */
  readonly timeoutMs: number;
}

const RETRY: BackoffPolicy = { kind: 'exponential', initialMs: 100, maxMs: 2_000, multiplier: 2 };

/**
 * Creates what is missing. What exists stays unchanged, and a warning lists the differences. Any number of instances may run it at
 * the same time.
 * @throws what the admin connection throws; transient errors are retried
 */
export async function createDeclared(
  declared: Declarations,
  port: ProvisioningPort,
  signal: AbortSignal,
): Promise<void> {
  const found = await patiently(port, signal, (work) => work.create(declared));
  if (found.length === 0) return;
  const differences = found.map(({ problem }) => problem);
  const text = 'the cluster differs from what the application declares; existing topics and groups are left unchanged';
  port.logger.warn(text, { differences });
}

/**
 * Compares, and changes nothing.
 * @throws ProvisionError that lists all differences; otherwise as {@link createDeclared}
 */
export async function checkDeclared(
  declared: Declarations,
  port: ProvisioningPort,
  signal: AbortSignal,
): Promise<void> {
  const found = await patiently(port, signal, (work) => work.differences(declared));
  if (found.length === 0) return;
  const on = ['--name-server', port.nameServer ?? UNKNOWN_NAME_SERVER];
  const commands = found.flatMap(({ creation }) => (creation === undefined ? [] : [commandLine(...creation, ...on)]));
  const command = commands.length === 0 ? undefined : commands.join(' && ');
  throw new ProvisionError(
    found.map(({ problem }) => problem),
    command,
  );
}

interface Difference {
  /** A sentence. */
  readonly problem: string;
  /** The words of the command that creates what is missing; undefined where it is there, or cannot be created by a command. */
  readonly creation?: readonly string[];
}

function patiently<T>(
  { admin, timeoutMs }: ProvisioningPort,
  signal: AbortSignal,
  task: (work: Provisioning) => Promise<T>,
): Promise<T> {
  const pace = { clock: new SystemClock(), random: systemRandom, policy: RETRY };
  return withNotedEffects('provisioning', timeoutMs, signal, (deadline) =>
    retryUntil(deadline, pace, () => task(new Provisioning(admin, deadline))),
  );
}

class Provisioning {
  constructor(
    private readonly admin: Admin,
    private readonly deadline: Deadline,
  ) {}

  /** @returns the remaining differences */
  async create(declared: Declarations): Promise<Difference[]> {
    const masters = await this.masters();
    await Promise.all([
      ...declared.topics.map((topic) => this.createTopic(topic, masters)),
      ...declared.groups.map((group) => this.createGroup(group, masters)),
    ]);
    // Another instance may have created it in the meantime, possibly with other settings.
    return this.differences(declared, masters);
  }

  async differences({ topics, groups }: Declarations, known?: readonly string[]): Promise<Difference[]> {
    const masters = known ?? (await this.masters());
    const found = await Promise.all([
      ...topics.map(async (topic) => topicDifferences(topic, await this.describeTopic(topic), masters)),
      ...groups.map(async (group) => groupDifferences(group, await this.describeGroup(group), masters)),
    ]);
    return found.flat();
  }

  private async createTopic(topic: DeclaredTopic, masters: readonly string[]): Promise<void> {
    const { name, queues, handlers } = topic;
    if (topic.type === undefined && handlers.length === 0) return;
    const found = await this.describeTopic(topic);
    // A broker that joins gets the type that the others have, if a topic can be created with it.
    const type = topic.type ?? (found === undefined ? 'normal' : TOPIC_TYPES.find((one) => one === found.type));
    if (type === undefined) return;
    if (found !== undefined && !isOnlyMissing(topicDifferences(topic, found, masters), found.brokers, masters)) return;
    // Where it exists, an operator may have set another one since.
    const layout = found === undefined ? topic.layout : undefined;
    this.deadline.noteEffect();
    await this.admin.createTopic({ topic: name, type, queues, layout }, this.creation());
  }

  private async createGroup(group: DeclaredGroup, masters: readonly string[]): Promise<void> {
    const { name, ...wanted } = group;
    const found = await this.describeGroup(group);
    if (found !== undefined && !isOnlyMissing(groupDifferences(group, found, masters), found.brokers, masters)) return;
    this.deadline.noteEffect();
    await this.admin.createGroup({ consumerGroup: name, ...wanted }, this.creation());
  }

  private describeTopic({ name }: DeclaredTopic): Promise<TopicDescription | undefined> {
    return this.admin.describeTopic(name, this.deadline.callOptions());
  }

  private describeGroup({ name }: DeclaredGroup): Promise<GroupDescription | undefined> {
    return this.admin.describeGroup(name, this.deadline.callOptions());
  }

  private async masters(): Promise<string[]> {
    const { brokers } = await this.admin.brokerVersions(this.deadline.callOptions());
    return brokers.map(({ name }) => name);
  }

  /** What exists stays unchanged, also what another process has created in the meantime. */
  private creation() {
    return { ...this.deadline.callOptions(), ifExists: 'keep' as const };
  }
}

type Places = readonly { readonly name: string }[];

function missingOn(found: Places, masters: readonly string[]): string[] {
  return masters.filter((master) => !found.some(({ name }) => name === master));
}

function isOnlyMissing(differences: readonly Difference[], found: Places, masters: readonly string[]): boolean {
  return missingOn(found, masters).length > 0 && differences.length === 1;
}

function topicDifferences(
  topic: DeclaredTopic,
  found: TopicDescription | undefined,
  masters: readonly string[],
): Difference[] {
  const { name, type, queues, handlers } = topic;
  const about = handlers.length === 0 ? `topic "${name}"` : `topic "${name}" (handled by ${handlers.join(', ')})`;
  if (found === undefined) {
    const why =
      type === undefined && handlers.length === 0
        ? ' (its type is not declared, so it is not created: declare it with defineTopic)'
        : '';
    return [{ problem: `${about} does not exist${why}`, creation: topicCreation(topic) }];
  }
  const problems = [
    ...absence(about, found.brokers, masters),
    ...found.brokers.flatMap((broker) => [
      ...(type === undefined || fitsType(broker.type, type)
        ? []
        : [`${about} is of type ${broker.type} on ${broker.name}, declared as ${type}`]),
      ...(queues === undefined || broker.queues === queues
        ? []
        : [`${about} has ${broker.queues} queues on ${broker.name}, declared with ${queues}`]),
    ]),
  ];
  return problems.map((problem) => ({ problem }));
}

function topicCreation({ name, type = 'normal', queues, layout }: DeclaredTopic): readonly string[] {
  const counted = queues === undefined ? [] : ['--queues', String(queues)];
  const placed = layout === undefined ? [] : ['--layout', layout];
  return ['topic', 'create', name, '--type', type, ...counted, ...placed];
}

/** Whether a topic takes messages of a type. One of a broker of 4.x takes all. */
function fitsType(found: string, declared: string): boolean {
  return found === declared || found === 'any';
}

function groupDifferences(
  declared: DeclaredGroup,
  found: GroupDescription | undefined,
  masters: readonly string[],
): Difference[] {
  const about = `consumer group "${declared.name}"`;
  if (found === undefined) return [{ problem: `${about} does not exist`, creation: groupCreation(declared) }];
  const problems = [
    ...absence(about, found.brokers, masters),
    ...found.brokers.flatMap((broker) => deliveryDifferences(about, declared, broker)),
  ];
  return problems.map((problem) => ({ problem }));
}

/** No command sets a backoff. */
function groupCreation({
  name,
  fifo,
  maxDeliveryAttempts,
  backoff,
  lite,
}: DeclaredGroup): readonly string[] | undefined {
  if (backoff !== undefined) return undefined;
  const attempts = maxDeliveryAttempts === undefined ? [] : ['--max-attempts', String(maxDeliveryAttempts)];
  const bound = lite === undefined ? [] : ['--lite', lite.topic];
  return ['group', 'create', name, ...(fifo ? ['--fifo'] : []), ...attempts, ...bound];
}

function deliveryDifferences(
  about: string,
  { fifo, maxDeliveryAttempts, backoff, lite }: DeclaredGroup,
  found: GroupDescription['brokers'][number],
): string[] {
  const differences: string[] = [];
  // Brokers of 4.x leave order and backoff to the consumers.
  const { keepsRules } = found;
  const ordered = (isFifo: boolean): string => (isFifo ? 'ordered' : 'not ordered');
  if (keepsRules && found.fifo !== fifo) {
    differences.push(`${about} is ${ordered(found.fifo)} on ${found.name}, declared as ${ordered(fifo)}`);
  }
  if (maxDeliveryAttempts !== undefined && found.maxDeliveryAttempts !== maxDeliveryAttempts) {
    const text = `${about} has maxDeliveryAttempts ${found.maxDeliveryAttempts} on ${found.name}, declared with ${maxDeliveryAttempts}`;
    differences.push(text);
  }
  if (keepsRules && backoff !== undefined && inWords(found.backoff) !== inWords(backoff)) {
    differences.push(
      `${about} has the backoff ${inWords(found.backoff)} on ${found.name}, declared with ${inWords(backoff)}`,
    );
  }
  if (lite?.topic !== found.lite?.topic) {
    const bound = (topic: string | undefined): string =>
      topic === undefined ? 'an ordinary group' : `bound to the lite topics of "${topic}"`;
    differences.push(`${about} is ${bound(found.lite?.topic)} on ${found.name}, declared as ${bound(lite?.topic)}`);
  }
  return differences;
}

function absence(about: string, found: Places, masters: readonly string[]): string[] {
  const missing = missingOn(found, masters);
  return missing.length === 0 ? [] : [`${about} does not exist on ${missing.join(', ')}`];
}

function inWords(backoff: BackoffPolicy): string {
  if (backoff.kind === 'customized') return `[${backoff.nextMs.join(', ')}] ms`;
  return `${backoff.initialMs} ms × ${backoff.multiplier} up to ${backoff.maxMs} ms`;
}
