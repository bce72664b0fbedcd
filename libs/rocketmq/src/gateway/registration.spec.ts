import { describe, expect, it } from '@jest/globals';
import { ClientType, Settings } from '../protocol/grpc/generated/apache/rocketmq/v2/definition.js';
import { abilitiesOf } from './broker-release.js';
import { heartbeatOf } from './registration.js';

/** Numbers of releases, as brokers send them. */
const [V_4_9_7, V_5_3_1, V_5_3_2] = [407, 475, 477];

const settings = Settings.fromPartial({
  clientType: ClientType.PUSH_CONSUMER,
  pubSub: {
    $case: 'subscription',
    value: { group: { name: 'readers' }, subscriptions: [{ topic: { name: 'orders' } }] },
  },
});

describe('the heartbeat of a consumer', () => {
  it.each([
    ['OTHER', '4.9.7', V_4_9_7],
    ['OTHER', '5.3.1', V_5_3_1],
    ['NODE_JS', '5.3.2', V_5_3_2],
  ])(
    'names the language %s to a broker of %s: one that does not know NODE_JS lists the client without any',
    (language, _, release) => {
      expect(heartbeatOf('client', settings, 0, abilitiesOf(release), 'pop').language).toBe(language);
    },
  );
});
