// How messages of a connection become bytes and names on the cluster, and back.

import type { BodyCodec } from './body-codec.js';
import type { MessageHooks } from './message-hooks.js';
import type { ResourceNames } from './resource-names.js';

/** How a connection converts messages: the codec for bodies, the names of topics, and the application's hooks. */
export interface MessageWire {
  readonly codec: BodyCodec;
  readonly names: ResourceNames;
  readonly hooks?: Pick<MessageHooks, 'outgoing' | 'incoming'>;
}
