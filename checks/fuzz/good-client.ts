// A well-behaved client that runs next to the hostile ones.

import {
  authorization,
  type Credentials,
  dateTimeText,
  METADATA,
} from '../../libs/rocketmq/src/protocol/credentials/metadata.js';
import { Code } from '../../libs/rocketmq/src/protocol/grpc/generated/apache/rocketmq/v2/definition.js';
import { withDeadline } from '../../libs/rocketmq/src/support/deadline.js';
import { messagesIn } from '../../tools/wire/broker-wire.js';
import { consumerSettings, message, RawClient, receiveRequest, resource } from '../../tools/wire/raw-grpc-client.js';

/** Its own topic and group, as options of the broker's command line. */
export const GOOD_TOPIC = 'good:normal:1';
export const GOOD_GROUP = 'good:normal:16';
const NAME = 'good';
/** The time limit of its work, even on a busy machine. */
const DEADLINE_MS = 10_000;

/**
 * Connects, sends a message, receives and acks it. Requests are signed, which a broker without users ignores.
 * @throws Error that names the failed step, or the time-out
 */
export function serveGoodClient(endpoints: string, number: number, credentials: Credentials): Promise<void> {
  const dateTime = dateTimeText(Date.now());
  const signature = { [METADATA.dateTime]: dateTime, [METADATA.authorization]: authorization(credentials, dateTime) };
  const client = new RawClient(endpoints, `good-${number % 4}`, signature);
  const work = async (): Promise<void> => {
    await client.settle(consumerSettings(NAME));
    const { status } = await client.call('sendMessage', { messages: [message(NAME, `good-${number}`)] });
    if (status?.code !== Code.OK) throw new Error(`its send was answered with ${status?.code}: ${status?.message}`);
    const received = messagesIn(await client.receive(receiveRequest(NAME, NAME)));
    const [first] = received;
    if (first?.systemProperties?.messageId !== `good-${number}`) {
      throw new Error(`it received ${received.length} messages, the first is ${first?.systemProperties?.messageId}`);
    }
    const { messageId, receiptHandle = '' } = first.systemProperties;
    const ids = { group: resource(NAME), topic: resource(NAME) };
    const acked = await client.call('ackMessage', { ...ids, entries: [{ messageId, receiptHandle }] });
    if (acked.status?.code !== Code.OK) throw new Error(`its ack was answered with ${acked.status?.code}`);
    await client.call('notifyClientTermination', { group: resource(NAME) });
  };
  return withDeadline('the exchange of a good client', DEADLINE_MS, undefined, ({ signal }) => {
    const late = new Promise<never>((_, reject) =>
      signal.addEventListener('abort', () => reject(signal.reason), { once: true }),
    );
    return Promise.race([work(), late]);
  }).finally(() => client.close());
}
