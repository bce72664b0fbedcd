// For specs only: a name server and brokers that answer as a test scripts them.

import {
  type ScriptedReply,
  type ScriptedRequest,
  type ScriptedServer,
  startScriptedServer,
} from './scripted-remoting-server.js';

/** The answer of a broker; `silence` returns undefined, which leaves the request unanswered. */
export type BrokerScript = (request: ScriptedRequest) => ScriptedReply;

/** The servers of one spec file, closed together. */
export class ScriptedCluster {
  private readonly servers: ScriptedServer[] = [];

  /** @returns a name server that knows the brokers as `broker-0`, `broker-1`, … of one cluster, each with 4 queues of a topic */
  async start(brokers: readonly BrokerScript[]): Promise<{ nameServer: ScriptedServer; brokers: ScriptedServer[] }> {
    const started: ScriptedServer[] = [];
    for (const script of brokers) started.push(await this.server(script));
    const entries = started.map(({ address }, index) => {
      const name = `broker-${index}`;
      return { name, json: `{"brokerAddrs":{0:"${address}"},"brokerName":"${name}","cluster":"main"}` };
    });
    const table = entries.map(({ name, json }) => `"${name}":${json}`).join(',');
    const queues = entries.map(({ name }) => ({ brokerName: name, writeQueueNums: 4 }));
    const datas = entries.map(({ json }) => json).join(',');
    const nameServer = await this.server(({ code }) => {
      if (code === 106) return { body: `{"brokerAddrTable":{${table}},"clusterAddrTable":{}}` };
      return code === 105 ? { body: `{"brokerDatas":[${datas}],"queueDatas":${JSON.stringify(queues)}}` } : {};
    });
    return { nameServer, brokers: started };
  }

  async close(): Promise<void> {
    for (const server of this.servers.splice(0)) await server.close();
  }

  private async server(script: BrokerScript): Promise<ScriptedServer> {
    const server = await startScriptedServer(script);
    this.servers.push(server);
    return server;
  }
}
