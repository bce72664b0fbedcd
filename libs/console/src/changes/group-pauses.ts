// Pauses a consumer group over all its instances, and resumes it.

import type { GroupPause } from 'nestjs-rocketmq/admin';
import type { Change, ChangeResult } from '../access/plans.js';
import { ConsoleRejection, type ConsoleRequest } from '../http/exchange.js';
import type { PageContext } from '../pages/context.js';
import { type Fields, wrong } from './fields.js';

const MAX_REASON = 500;
const MAX_NAME = 100;

export async function planPause({ admin, request }: PageContext, fields: Fields): Promise<Change> {
  const consumerGroup = fields.text('consumerGroup');
  const change = fields.text('change');
  if (change !== 'pause' && change !== 'resume') throw wrong('change must be pause or resume');
  const reason = change === 'pause' ? fields.text('reason', MAX_REASON) : undefined;
  fields.end();
  const { signal } = request;
  const described = await admin.describeGroup(consumerGroup, { signal });
  if (described === undefined)
    throw new ConsoleRejection(404, 'NO_GROUP', `consumer group ${consumerGroup} does not exist; nothing was changed`);
  const [lag, { clients, subscriptions, failures }] = await Promise.all([
    admin.groupLag(consumerGroup, { signal }),
    admin.groupClients(consumerGroup, { signal }),
  ]);
  // The rule must be asked about every topic.
  const [failure] = [...lag.failures, ...failures];
  if (failure !== undefined) throw failure.error;
  const topics = [...new Set([...lag.topics, ...subscriptions].map(({ topic }) => topic))].sort();
  const run = async (ending: AbortSignal): Promise<ChangeResult> => {
    const before = (await admin.describeGroup(consumerGroup, { signal: ending }))?.pause;
    if (reason === undefined) await admin.resumeGroup(consumerGroup, { signal: ending });
    else await admin.pauseGroup(consumerGroup, { reason, by: nameOf(request) }, { signal: ending });
    const replaced = reason === undefined || before === undefined ? '' : `; it was paused ${pauseText(before)}`;
    const text = `group ${consumerGroup} is ${reason === undefined ? 'resumed' : 'paused'}, over all instances${replaced}`;
    return { outcome: 'done', text, details: {} };
  };
  const target = { consumerGroup, change, ...(reason !== undefined && { reason }) };
  const preview = { pause: described.pause, consumers: clients.length };
  return { action: 'pause', target, topics, preview, exclusive: [`pause of ${consumerGroup}`], run };
}

/** As far as it is known. */
function pauseText({ reason, by, sinceMs }: GroupPause): string {
  const since = sinceMs === undefined ? '' : `since ${new Date(sinceMs).toISOString()} `;
  return `${since}${by === undefined ? '' : `by ${by} `}${reason === undefined ? 'without a reason' : `for: ${reason}`}`;
}

/** Who pauses it, for everybody who asks why it is paused. */
function nameOf({ viewer, remoteAddress }: ConsoleRequest): string {
  return (viewer ?? `the console, from ${remoteAddress ?? 'an unknown address'}`).slice(0, MAX_NAME);
}
