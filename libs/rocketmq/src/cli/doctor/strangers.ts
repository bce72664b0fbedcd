// What listens on an address that is no proxy: looked at only when a proxy did not answer there.

import { connect } from 'node:net';
import { RemotingClient } from '../../admin/remoting-client.js';
import { type Address, addressText } from '../../client/endpoint.js';
import { abortReason } from '../../support/abort.js';
import { withDeadline } from '../../support/deadline.js';

/** In words, with what to do; undefined: not known. */
export interface Stranger {
  readonly what: string;
  readonly advice: string;
}

/** Long enough for a stranger to say a first word. */
const PATIENCE_MS = 1_500;

export async function strangerAt(address: Address, timeoutMs: number): Promise<Stranger | undefined> {
  const patienceMs = Math.min(timeoutMs, PATIENCE_MS);
  return (await remotingServerAt(address, patienceMs)) ?? (await httpServerAt(address, patienceMs));
}

/** By the question that a name server answers with its brokers, and any other server of the remoting protocol refuses. */
async function remotingServerAt(address: Address, timeoutMs: number): Promise<Stranger | undefined> {
  const client = new RemotingClient({ connectTimeoutMs: timeoutMs });
  const name = addressText(address);
  try {
    const answer = await withDeadline(`ask ${name}`, timeoutMs, undefined, (deadline) =>
      client.ask(name, { code: 106 }, deadline),
    );
    if (answer.code === 0) {
      return {
        what: 'a name server of RocketMQ (remoting protocol)',
        advice: `give the address of a proxy, which speaks gRPC, usually at port 8081; ${name} is what --admin takes`,
      };
    }
    return {
      what: 'a broker of RocketMQ (remoting protocol)',
      advice: 'give the address of a proxy, which speaks gRPC, usually at port 8081; brokers usually are at 10911',
    };
  } catch {
    return undefined;
  } finally {
    await client.close();
  }
}

async function httpServerAt({ host, port }: Address, timeoutMs: number): Promise<Stranger | undefined> {
  const socket = connect({ host, port });
  try {
    const word = await withDeadline('HTTP/1 greeting', timeoutMs, undefined, ({ signal }) => {
      return new Promise<string>((resolve, reject) => {
        socket.once('connect', () => socket.write(`HEAD / HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`));
        socket.once('data', (data) => resolve(data.toString('latin1')));
        socket.once('error', reject);
        socket.once('close', () => resolve(''));
        signal.addEventListener('abort', () => reject(abortReason(signal)), { once: true });
      });
    });
    if (!word.startsWith('HTTP/1')) return undefined;
    return {
      what: 'an HTTP/1 server',
      advice:
        'it is no RocketMQ proxy, or a proxy of the web stands before it that does not pass HTTP/2 on: mend the address',
    };
  } catch {
    return undefined;
  } finally {
    socket.destroy();
  }
}
