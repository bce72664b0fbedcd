// Requests of clients of the remoting protocol, as they write them, for the topic `orders` and the group `shop`.

import type { RemotingFrame } from '../../libs/rocketmq/src/protocol/remoting/frame.js';
import { decodeStoredMessages, encodeProperties } from '../../libs/rocketmq/src/protocol/remoting/stored-message.js';

interface Sent {
  readonly topic?: string;
  readonly properties?: Record<string, string>;
  readonly fields?: Record<string, string>;
  readonly body?: string;
}

export const sendOf = ({ topic = 'orders', properties = {}, fields = {}, body = 'x' }: Sent = {}) => {
  const text = encodeProperties(Object.entries({ UNIQ_KEY: 'id', ...properties }));
  const letters = { a: 'pg', b: topic, c: 'TBW102', d: '4', e: '0', f: '0', g: '5', h: '0', i: text, j: '0' };
  return { code: 310, fields: { ...letters, ...fields }, body: Buffer.from(body) };
};

export const pullOf = (fields: Record<string, string> = {}) => {
  const where = { consumerGroup: 'shop', topic: 'orders', queueId: '0', queueOffset: '0', maxMsgNums: '32' };
  const filter = { sysFlag: '4', subscription: '*', expressionType: 'TAG', subVersion: '0' };
  return { code: 11, fields: { ...where, ...filter, ...fields } };
};

/** A pull that waits for messages. */
export const waitingPullOf = (fields: Record<string, string> = {}) =>
  pullOf({ sysFlag: '6', suspendTimeoutMillis: '20000', ...fields });

export const popOf = (fields: Record<string, string> = {}) => {
  const where = { consumerGroup: 'shop', topic: 'orders', queueId: '-1', maxMsgNums: '32', initMode: '0' };
  const how = { invisibleTime: '30000', pollTime: '0', bornTime: '0', expType: 'TAG', exp: '*', order: 'false' };
  return { code: 200_050, fields: { ...where, ...how, ...fields } };
};

/** @param subVersion a text for what is more than a number holds */
export const subscribed = (topic: string, subVersion: number | string = 1, subString = '*') => {
  return `{"topic":"${topic}","subString":"${subString}","expressionType":"TAG","subVersion":${subVersion}}`;
};

export const heartbeatOf = (
  clientId: string,
  subscriptions = [subscribed('orders')],
  { group = 'shop', messageModel = 'CLUSTERING', producer = 'pg' } = {},
) => {
  const how = `"consumeType":"CONSUME_PASSIVELY","messageModel":"${messageModel}"`;
  const consumer = `{"groupName":"${group}",${how},"subscriptionDataSet":[${subscriptions}]}`;
  const body = `{"clientID":"${clientId}","producerDataSet":[{"groupName":"${producer}"}],"consumerDataSet":[${consumer}]}`;
  return { code: 34, body: Buffer.from(body) };
};

/** Takes a message back to be retried, or given up. */
export const sendBackOf = (commitLogOffset: number, delayLevel: number, maxReconsumeTimes = 16) => {
  const where = { group: 'shop', originTopic: 'orders', offset: String(commitLogOffset) };
  const how = { delayLevel: String(delayLevel), maxReconsumeTimes: String(maxReconsumeTimes) };
  return { code: 36, fields: { ...where, ...how } };
};

/** The bodies in the answer to a pull or a pop. */
export const textsOf = ({ body }: RemotingFrame): string[] => decodeStoredMessages(body).map((one) => String(one.body));
