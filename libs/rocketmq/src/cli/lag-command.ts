// `nestjs-rocketmq lag`: how many messages a consumer group is behind.

import { InvalidArgumentError } from 'commander';
import { type AccessValues, accessOptions, commandOn, withAdmin } from './admin-access.js';
import { type AddCommand, assertGroupExists, assertTopicExists, plural, withExamples } from './command.js';
import { print, reportFailures, table, timeText } from './output.js';

const NOT_STARTED =
  'it has not consumed anything yet and no consumer is connected; add --topic TOPIC to see what it will read';

type Values = AccessValues & { topic?: string; queues?: boolean; failAbove?: number };

export const addLagCommand: AddCommand = (program, io) => {
  const command = program
    .command('lag')
    .description(
      'Shows by topic how many messages a consumer group has not received yet. Messages in flight are counted for ordered groups only. For a topic that the group has not consumed yet, shows what it will read when it starts.',
    )
    .argument('<group>')
    .option('--topic <topic>', 'only this topic, even if the group has not consumed it yet')
    .option('--queues', 'show the lag by queue')
    .option('--fail-above <count>', 'exit with code 1 when the lag is above this number', numberOf);
  accessOptions(command).action(async (group: string, values: Values) => {
    const lag = await withAdmin(values, io, async (admin) => {
      const report = await admin.groupLag(group, { topic: values.topic });
      if (report.topics.length > 0) return report;
      // Otherwise a monitor of a misspelled group, or of no topic, would never raise an alarm.
      await assertGroupExists(admin, group, commandOn(values, 'group', 'list'));
      if (values.topic !== undefined) await assertTopicExists(admin, values.topic, commandOn(values, 'topic', 'list'));
      if (values.failAbove !== undefined) throw new Error(`the lag of group "${group}" is not known: ${NOT_STARTED}`);
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
  ]);
};

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
