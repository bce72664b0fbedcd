// One question to a name server: is this broker registered? A single frame of the remoting protocol, so that a real server
// can be started without the built library. Everything else about remoting is in libs/rocketmq/src/admin.

import { connect } from 'node:net';

const CLUSTER_INFO = 106;
const ANSWER_LIMIT_BYTES = 1024 * 1024;
const TIMEOUT_MS = 2000;

/**
 * @param port of the name server on this machine
 * @param brokerAddress as the broker registers it, `127.0.0.1:10911`
 * @returns false also when the name server does not answer
 */
export function isBrokerRegistered(port: number, brokerAddress: string): Promise<boolean> {
  return new Promise((resolve) => {
    let answer = Buffer.alloc(0);
    const socket = connect({ host: '127.0.0.1', port });
    const end = () => {
      socket.destroy();
      resolve(answer.includes(`"${brokerAddress}"`));
    };
    socket.setTimeout(TIMEOUT_MS, end);
    socket.once('error', end);
    socket.once('close', end);
    socket.once('connect', () => socket.write(question()));
    socket.on('data', (chunk) => {
      answer = Buffer.concat([answer, chunk]);
      const complete = answer.length >= 4 && answer.length >= 4 + answer.readUInt32BE(0);
      if (complete || answer.length > ANSWER_LIMIT_BYTES) end();
    });
  });
}

function question() {
  const fields = { code: CLUSTER_INFO, language: 'JAVA', version: 433, opaque: 1, flag: 0 };
  // RocketMQ-Rust closes the connection without the last two.
  const header = Buffer.from(JSON.stringify({ ...fields, extFields: {}, serializeTypeCurrentRPC: 'JSON' }));
  const lengths = Buffer.alloc(8);
  lengths.writeUInt32BE(4 + header.length, 0);
  lengths.writeUInt32BE(header.length, 4);
  return Buffer.concat([lengths, header]);
}
