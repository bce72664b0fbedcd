// The leanest call that @grpc/grpc-js allows: constant metadata, bytes in and bytes out.

import { Client, credentials, Metadata } from '@grpc/grpc-js';

const DEADLINE_MS = 60_000;
const TELEMETRY_DEADLINE_MS = 3_600_000;
const asIs = (/** @type {Buffer} */ bytes) => bytes;

export const name = 'grpc-js';

/** @param {Uint8Array} payload */
export function prepare(payload) {
  return Buffer.from(payload);
}

/** @param {string} endpoints @param {Record<string, string>} headers @returns {Promise<import('./http2-wire.mjs').Calls>} */
export async function open(endpoints, headers) {
  const client = new Client(endpoints, credentials.createInsecure(), { 'grpc.max_receive_message_length': -1 });
  const metadata = new Metadata();
  for (const [key, value] of Object.entries(headers)) metadata.set(key, value);
  const deadline = () => ({ deadline: Date.now() + DEADLINE_MS });
  await new Promise((resolve, reject) =>
    client.waitForReady(Date.now() + DEADLINE_MS, (error) => (error ? reject(error) : resolve(undefined))),
  );
  return {
    unary(path, prepared, done) {
      client.makeUnaryRequest(path, asIs, asIs, prepared, metadata, deadline(), (error, response) => {
        if (error) throw error;
        if (response !== undefined) done(response);
      });
    },

    serverStream(path, prepared, onMessage, onEnd) {
      const stream = client.makeServerStreamRequest(path, asIs, asIs, prepared, metadata, deadline());
      stream.on('data', onMessage);
      stream.on('end', onEnd);
    },

    duplex(path, prepared, onMessage) {
      const options = { deadline: Date.now() + TELEMETRY_DEADLINE_MS };
      const stream = client.makeBidiStreamRequest(path, asIs, asIs, metadata, options);
      stream.on('data', onMessage);
      stream.write(prepared);
      return () => stream.end();
    },

    close: () => client.close(),
  };
}
