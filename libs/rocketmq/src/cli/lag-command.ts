// `nestjs-rocketmq lag`: how many messages a consumer group is behind.

import { InvalidArgumentError, Option } from 'commander';
import type { LagHistory } from '../admin/messages/kept-lag.js';
import { SECOND_MS } from '../support/clock.js';
import { type AccessValues, accessOptions, commandOn, withAdmin } from './admin-access.js';
import {
  type AddCommand,
  assertGroupExists,
  assertTopicExists,
  CommandError,
  type CommandIo,
  plural,
  withExamples,
  wrongCall,
} from './command.js';
import { operationsTopicOption } from './failure-command.js';
import { print, reportFailures, table, timeText } from './output.js';

const NOT_STARTED =
  'it has not consumed anything yet and no consumer is connected; add --topic TOPIC to see what it will read';

/** As many requests as hours. */
const HISTORY_MS = 30_000;
const MAX_SHOWN = 3;

type Values = AccessValues & {
  topic?: string;
  queues?: boolean;
  failAbove?: number;
  history?: boolean;
  operationsTopic?: string;
};

export const addLagCommand: AddCommand = (program, io) => {
  const command = program
    .command('lag')
    .description(
      'Shows by topic how many messages a consumer group has not received yet. Messages in flight are counted for ordered groups only. For a topic that the group has not consumed yet, shows what it will read when it starts.',
    )
    .argument('<group>')
    .option('--topic <topic>', 'only this topic, even if the group has not consumed it yet')
    .option('--queues', 'show the lag by queue')
    .option('--fail-above <count>', 'exit with code 1 when the lag is above this number', numberOf)
    .addOption(
      new Option('--history', 'show the largest lag of each hour of the last week').conflicts([
        'topic',
        'queues',
        'failAbove',
      ]),
    )
    .addOption(operationsTopicOption());
  accessOptions(command).action(async (group: string, values: Values) => {
    if (values.history === true) return showHistory(group, values, io);
    const lag = await withAdmin(values, io, async (admin) => {
      const report = await admin.groupLag(group, { topic: values.topic });
      if (report.topics.length > 0) return report;
      // Otherwise a monitor of a misspelled group, or of no topic, would never raise an alarm.
      await assertGroupExists(admin, group, commandOn(values, 'group', 'list'));
      if (values.topic !== undefined) await assertTopicExists(admin, values.topic, commandOn(values, 'topic', 'list'));
      if (values.failAbove !== undefined)
        throw new CommandError(`the lag of group "${group}" is not known: ${NOT_STARTED}`);
      return report;
    });
    print(io, values, lag, () => {
      const head = `group ${group} is ${plural(lag.lag, 'message')} behind\n`;
      if (lag.topics.length === 0) return `${head}${NOT_STARTED}\n`;
      return head + (values.queues === true ? byQueue(lag.topics) : byTopic(lag.topics));
    });
    if (values.failAbove !== undefined && lag.lag > values.failAbove) io.fail();
    reportFailures(io, lag.failures);
  });
  withExamples(command, [
    ['lag billing', 'the lag by topic'],
    ['lag billing --topic orders --queues', 'the position of the group in each queue'],
    ['lag billing --topic orders --fail-above 1000 --json', 'for monitoring: exit code 1 above 1000 messages'],
    ['lag billing --history --operations-topic operations', 'the last week by hour, as its applications have kept it'],
  ]);
};

async function showHistory(group: string, values: Values, io: CommandIo): Promise<void> {
  const { operationsTopic } = values;
  if (operationsTopic === undefined)
    throw wrongCall('--history needs --operations-topic, the topic in which applications keep the lag of their groups');
  const history = await withAdmin(values, io, async (admin) => {
    const read = await admin.lagHistory(operationsTopic, group, { timeoutMs: Math.max(HISTORY_MS, values.timeout) });
    if (read.hours.length === 0 && read.failures.length === 0)
      await assertGroupExists(admin, group, commandOn(values, 'group', 'list'));
    return read;
  });
  print(io, values, history, () => historyText(history));
  reportFailures(io, history.failures);
}

function historyText({ consumerGroup, hours, unreadBeforeMs }: LagHistory): string {
  const unread =
    unreadBeforeMs === undefined ? '' : `; what is before ${timeText(unreadBeforeMs)} was not read in time`;
  if (hours.length === 0) return `no lag of group ${consumerGroup} was kept in the last week${unread}\n`;
  const rows = hours.map(({ atMs, lag, topics }) => {
    const behindMs = Math.max(0, ...topics.map(({ behindMs: own = 0 }) => own));
    const largest = topics.filter((one) => one.lag > 0).slice(0, MAX_SHOWN);
    const names = largest.map(({ topic, lag: own }) => `${topic} ${own}`).join(', ');
    return [timeText(atMs), lag, behindMs === 0 ? undefined : `${Math.round(behindMs / SECOND_MS)} s`, names];
  });
  return `${table(['PEAK AT', 'LAG', 'BEHIND', 'TOPICS'], rows)}${plural(hours.length, 'hour')}${unread}\n`;
}

type Topics = Awaited<ReturnType<import('../admin/rocketmq-admin.js').RocketMQAdmin['groupLag']>>['topics'];

function byTopic(topics: Topics): string {
  return table(
    ['TOPIC', 'LAG', 'RETRIES', 'QUEUES', 'CONSUMED UP TO'],
    topics.map(({ topic, lag, retries, queues }) => {
      const newest = Math.max(0, ...queues.map(({ lastTimestampMs = 0 }) => lastTimestampMs));
      const upTo = queues.some(({ hasStarted }) => hasStarted)
        ? timeText(newest === 0 ? undefined : newest)
        : 'not started';
      return [topic, lag, retries, queues.length, upTo];
    }),
  );
}

function byQueue(topics: Topics): string {
  return table(
    ['TOPIC', 'BROKER', 'QUEUE', 'GROUP AT', 'NEXT', 'LAG', 'CONSUMED UP TO'],
    topics.flatMap(({ topic, queues }) =>
      queues.map((one) => [
        topic,
        one.broker,
        one.queueId,
        one.consumerOffset,
        one.brokerOffset,
        one.lag,
        one.hasStarted ? timeText(one.lastTimestampMs) : 'not started',
      ]),
    ),
  );
}

function numberOf(text: string): number {
  if (/^\d+$/.test(text)) return Number(text);
  throw new InvalidArgumentError('It must be an integer from 0 on.');
}
