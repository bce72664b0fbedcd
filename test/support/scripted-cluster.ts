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

/** The servers of one spec file, closed together. */
export class ScriptedCluster {
  private readonly servers: ScriptedServer[] = [];

  /**
   * @returns a name server that knows the brokers as `broker-0`, `broker-1`, … of one cluster, each with 4 queues of a topic; `move` says
   * that a broker has another address now; `protect` takes the permission to write from all topics; `forget` makes the name server one that has just restarted and knows no topic
   */
  async start(brokers: readonly BrokerScript[]): Promise<{
    nameServer: ScriptedServer;
    brokers: ScriptedServer[];
    move: (index: number, address: string) => void;
    protect: () => void;
    forget: () => void;
  }> {
    let knowsTopics = true;
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
      const datas = names.map(entryOf).join(',');
      return code === 105
        ? { body: `{"brokerDatas":[${datas}],"queueDatas":${JSON.stringify(names.map(queuesOf))}}` }
        : {};
    });
    const move = (index: number, address: string): void => void addresses.splice(index, 1, address);
    const protect = (): void => {
      perm = 4;
    };
    const forget = (): void => {
      knowsTopics = false;
    };
    return { nameServer, brokers: started, move, protect, forget };
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
