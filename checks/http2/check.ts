// The HTTP/2 of the embedded broker, judged by a suite of others.

import { check } from '../check.js';
import type { Options } from '../options.js';

export const OPTIONS = {} as const satisfies Options;

export const HTTP2_CHECK = check({
  name: 'http2',
  says: "the embedded broker's HTTP/2 keeps the RFCs, as h2spec judges it in strict mode",
  judges: ['libs/rocketmq/src/http2', 'libs/rocketmq/src/broker/services/grpc-wire'],
  needs: 'Go, a module proxy',
  options: OPTIONS,
  run: async (values, tools) => (await import('./main.js')).runHttp2(values, tools),
});
