// Both sides of the library's HTTP/2, judged by implementations of others.

import { check } from '../check.js';
import type { Options } from '../options.js';

const PARTS = ['h2spec', 'grpc-go', 'grpc-java', 'nghttpx'] as const;

const OPTIONS = {
  only: { type: 'list', among: PARTS, default: PARTS, says: 'what judges' },
} as const satisfies Options;

export const HTTP2_CHECK = check({
  name: 'http2',
  says: "the embedded broker's HTTP/2 keeps the RFCs, and the client loses nothing to servers of others with small limits",
  judges: ['libs/rocketmq/src/http2', 'libs/rocketmq/src/broker/services/grpc-wire', 'libs/rocketmq/src/client/wire'],
  needs: 'Go, a module proxy, Java; nghttpx if there is one',
  options: OPTIONS,
  run: async (values, tools) => (await import('./main.js')).runHttp2(values, tools),
});
