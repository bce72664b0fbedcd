// For specs only: a name server and brokers that answer as a test scripts them.

import type { Socket } from 'node:net';
import {
  type ScriptedReply,
  type ScriptedRequest,
  type ScriptedServer,
  startScriptedServer,
} from './scripted-remoting-server.js';

/** The answer of a broker; `silence` returns undefined, which leaves the request unanswered. */
export type BrokerScript = (request: ScriptedRequest, socket?: Socket) => ScriptedReply;

/** For `configure`. */
export const SILENCE = Symbol('silence');

/** The servers of one spec file, closed together. */
export class ScriptedCluster {
  private readonly servers: ScriptedServer[] = [];

  /**
   * @returns a name server that knows the brokers as `broker-0`, `broker-1`, … of one cluster, each with 4 queues of a topic; `move` says
   * that a broker has another address now; `protect` takes the permission to write from all topics; `forget` makes the name server one that has just restarted and knows no topic;
   * `hide` makes it one that knows no such broker, until `show`; `configure` sets the order configuration, or removes it, or leaves questions
   * for it unanswered
   */
  async start(brokers: readonly BrokerScript[]): Promise<{
    nameServer: ScriptedServer;
    brokers: ScriptedServer[];
    move: (index: number, address: string) => void;
    protect: () => void;
    forget: () => void;
    hide: (index: number) => void;
    show: (index: number) => void;
    configure: (order: string | undefined | typeof SILENCE) => void;
  }> {
    let knowsTopics = true;
    let order: string | undefined | typeof SILENCE;
    const hidden = new Set<string>();
    const started: ScriptedServer[] = [];
    for (const script of brokers) started.push(await this.server(script));
    const addresses = started.map(({ address }) => address);
    const names = addresses.map((_, index) => `broker-${index}`);
    const entryOf = (name: string, index: number) =>
      `{"brokerAddrs":{0:"${addresses[index]}"},"brokerName":"${name}","cluster":"main"}`;
    let perm = 6;
    const queuesOf = (brokerName: string) => ({ brokerName, perm, readQueueNums: 4, writeQueueNums: 4 });
    const nameServer = await this.server(({ code }) => {
      const table = names.map((name, index) => `"${name}":${entryOf(name, index)}`).join(',');
      if (code === 106) return { body: `{"brokerAddrTable":{${table}},"clusterAddrTable":{}}` };
      if (code === 105 && !knowsTopics) return { code: 17, remark: 'No topic route info in name server for the topic' };
      if (code === 101) {
        if (order === SILENCE) return undefined;
        return order === undefined ? { code: 22 } : { fields: { value: order } };
      }
      if (code !== 105) return {};
      const known = (name: string): boolean => !hidden.has(name);
      const datas = names.flatMap((name, index) => (known(name) ? [entryOf(name, index)] : [])).join(',');
      return { body: `{"brokerDatas":[${datas}],"queueDatas":${JSON.stringify(names.filter(known).map(queuesOf))}}` };
    });
    const hide = (index: number): void => void hidden.add(`broker-${index}`);
    const show = (index: number): void => void hidden.delete(`broker-${index}`);
    const configure = (text: string | undefined | typeof SILENCE): void => {
      order = text;
    };
    const move = (index: number, address: string): void => void addresses.splice(index, 1, address);
    const protect = (): void => {
      perm = 4;
    };
    const forget = (): void => {
      knowsTopics = false;
    };
    return { nameServer, brokers: started, move, protect, forget, hide, show, configure };
  }

  async close(): Promise<void> {
    for (const server of this.servers.splice(0)) await server.close();
  }

  /** Another server, which the name server does not know. */
  async server(script: BrokerScript): Promise<ScriptedServer> {
    const server = await startScriptedServer(script);
    this.servers.push(server);
    return server;
  }
}
