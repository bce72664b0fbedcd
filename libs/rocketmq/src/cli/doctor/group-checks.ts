// Checks of one consumer group: its settings, connected consumers, lag and dead letters.

import type { GroupDescription } from '../../admin/groups/groups.js';
import type { RocketMQAdmin } from '../../admin/rocketmq-admin.js';
import { DEFAULT_RETRIES, isDeliverable, losesWhatIsReleased } from '../../remoting/group-config.js';
import { describeError } from '../../support/logger.js';
import { plural } from '../command.js';
import { byBroker, liteText, orderText, waitsOf } from '../group-command.js';
import { pauseOn } from '../group-pause-command.js';
import type { Check, CommandText } from './check.js';

/** The result of examining a group. */
export interface GroupFound {
  readonly exists: boolean;
  readonly checks: readonly Check[];
}

export async function checkGroup(admin: RocketMQAdmin, group: string, command: CommandText): Promise<GroupFound> {
  const check = { name: 'group', subject: group };
  try {
    const described = await admin.describeGroup(group);
    if (described === undefined) return { exists: false, checks: [{ ...check, ...missing(group, command) }] };
    const { maxDeliveryAttempts, backoff, brokers } = described;
    const { clients } = await admin.groupClients(group);
    const connected = plural(clients.length, 'consumer');
    const order = byBroker(brokers, orderText).text;
    const waits = brokers.some(({ keepsRules }) => keepsRules) ? `, ${backoff.kind} backoff` : '';
    const seen = `${order}, ${attemptsText(maxDeliveryAttempts)}${waits}, ${connected} connected`;
    const checks = [
      { ...check, status: 'ok' as const, seen, ...settingsProblem(described, command) },
      await lagCheck(admin, group, clients.length),
      await deadLetterCheck(admin, group, command),
    ];
    return { exists: true, checks };
  } catch (error) {
    return { exists: false, checks: [{ ...check, status: 'failed', seen: describeError(error) }] };
  }
}

function missing(group: string, command: CommandText): Omit<Check, 'name' | 'subject'> {
  return {
    status: 'failed',
    seen: 'does not exist',
    why: 'a proxy of 5.5.0 in local mode rejects consumers of a group that does not exist; other servers create the group, but never as an ordered one',
    advice: command('group', 'create', group),
  };
}

function attemptsText(maxDeliveryAttempts: number): string {
  return isDeliverable(maxDeliveryAttempts) ? plural(maxDeliveryAttempts, 'attempt') : 'no attempts';
}

/** What is wrong with the settings themselves; undefined if nothing is. */
function settingsProblem(described: GroupDescription, command: CommandText): Partial<Check> | undefined {
  const { consumerGroup, brokers } = described;
  const paused = pauseOn(described);
  if (paused !== undefined) {
    const why = 'the brokers deliver nothing to a paused group, whichever instances run';
    return { status: 'warning', seen: `paused ${paused}`, why, advice: command('group', 'resume', consumerGroup) };
  }
  const attempts = brokers
    .filter((one) => !one.keepsRules || isDeliverable(one.maxDeliveryAttempts))
    .map((one) => one.maxDeliveryAttempts);
  const order = brokers.some(({ fifo }) => fifo) ? ['--fifo'] : [];
  const most = String(Math.max(...(attempts.length > 0 ? attempts : [DEFAULT_RETRIES + 1])));
  const advice = command('group', 'create', consumerGroup, ...order, '--max-attempts', most, '--yes');
  const inWords = brokers.map(({ name, maxDeliveryAttempts, ...one }) => {
    return `${orderText(one)} with ${attemptsText(maxDeliveryAttempts)} on ${name}`;
  });
  // The command cannot set them, or not all of them.
  const others = {
    backoff: byBroker(brokers, ({ backoff }) => waitsOf(backoff)),
    lite: byBroker(brokers, ({ lite }) => liteText(lite)),
  };
  const differing = Object.entries(others).filter(([, { isSame }]) => !isSame);
  const seen = [inWords.join(', '), ...differing.map(([name, { text }]) => `${name}: ${text}`)].join('; ');
  if (attempts.length < brokers.length) {
    const why =
      'retryMaxTimes is below 0 or 2147483647: a proxy moves every message to the dead letters and delivers none, and consumers do not start';
    return { status: 'failed', seen, why, advice };
  }
  if (brokers.some(losesWhatIsReleased)) {
    const why =
      'in an ordered group each release counts as an attempt: with one, a deployment makes dead letters of messages that no handler has seen';
    const enough = String(Math.max(Number(most), DEFAULT_RETRIES + 1));
    const cure = command('group', 'create', consumerGroup, '--fifo', '--max-attempts', enough, '--yes');
    return { status: 'warning', seen, why, advice: cure };
  }
  const isAlike = byBroker(brokers, (one) => `${one.fifo} ${one.maxDeliveryAttempts}`).isSame;
  if (isAlike && differing.length === 0) return undefined;
  const why =
    'each broker goes by its own settings, and a proxy by those of any broker, so which of them apply to a message depends on chance';
  const given = [`consumerGroup: ${JSON.stringify(consumerGroup)}`, ...differing.map(([name]) => name)].join(', ');
  const call = `call admin.createGroup({ ${given} }, { ifExists: 'update' })`;
  const fixes = [...(isAlike ? [] : [advice]), ...(differing.length === 0 ? [] : [call])];
  return { status: 'warning', seen, why, advice: fixes.join('; then ') };
}

async function lagCheck(admin: RocketMQAdmin, group: string, consumers: number): Promise<Check> {
  const check = { name: 'lag', subject: group };
  const { lag, topics, failures } = await admin.groupLag(group);
  const most = [...topics].sort((left, right) => Number(right.lag - left.lag))[0];
  const where = lag > 0 && most !== undefined ? `, ${most.lag} of them in ${most.topic}` : '';
  const part = failures.length > 0 ? `; without ${failures.map(({ name }) => name).join(', ')}` : '';
  const seen = `${plural(lag, 'message')} behind${where}${part}`;
  if (lag === 0 || consumers > 0) return { ...check, status: 'ok', seen };
  const why = 'messages are waiting, and no consumer is connected to receive them';
  return {
    ...check,
    status: 'warning',
    seen,
    why,
    advice: 'start the consumers, or delete the group if it is no longer used',
  };
}

async function deadLetterCheck(admin: RocketMQAdmin, group: string, command: CommandText): Promise<Check> {
  const check = { name: 'dead letters', subject: group };
  const { total } = await admin.listDeadLetters(group, { limit: 1 });
  if (total === 0) return { ...check, status: 'ok', seen: 'none' };
  return {
    ...check,
    status: 'warning',
    seen: plural(total, 'dead letter'),
    why: 'these messages are no longer retried; the server deletes them after its retention time',
    advice: `${command('dlq', 'list', group)}, then preview: ${command('dlq', 'replay', group)}; the same with --yes replays them`,
  };
}
