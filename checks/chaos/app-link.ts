// The links from an app to all servers that it connects to, which have their faults together.

import type { LinkFault } from './fault-plan.js';
import { Link, type Rewrite } from './link.js';

/** The servers that an app connects to. */
export interface Servers {
  /** Their ports on the loopback interface. */
  readonly ports: readonly number[];
  /** Whether the first one is a name server, whose answers name the ports of the others. */
  readonly hasNameServer: boolean;
}

export class AppLink {
  private constructor(private readonly links: readonly Link[]) {}

  /** Forwards from each of `ports` to the port of a server. */
  static async open(ports: readonly number[], { ports: servers, hasNameServer }: Servers): Promise<AppLink> {
    const names = servers.map((server, index) => [`127.0.0.1:${server}`, `127.0.0.1:${ports[index]}`] as const);
    const links: Link[] = [];
    try {
      for (const [index, server] of servers.entries()) {
        const newRewrite = hasNameServer && index === 0 ? () => renamed(names) : undefined;
        links.push(await Link.open(ports[index] as number, server, newRewrite));
      }
    } catch (error) {
      for (const link of links) await link.close();
      throw error;
    }
    return new AppLink(links);
  }

  suffer(fault: LinkFault): void {
    for (const link of this.links) link.suffer(fault);
  }

  heal(): void {
    for (const link of this.links) link.heal();
  }

  async close(): Promise<void> {
    for (const link of this.links) await link.close();
  }
}

const LENGTH_BYTES = 4;

/**
 * Replaces addresses in frames of the remoting protocol. All have the same length, since all ports have five digits, so the lengths of
 * frames stay right.
 */
export function renamed(names: readonly (readonly [string, string])[]): Rewrite {
  if (names.some(([from, to]) => from.length !== to.length)) throw new Error('these addresses differ in length');
  let held = Buffer.alloc(0);
  return (bytes) => {
    held = Buffer.concat([held, bytes]);
    let end = 0;
    while (held.length >= end + LENGTH_BYTES) {
      const next = end + LENGTH_BYTES + held.readUInt32BE(end);
      if (held.length < next) break;
      end = next;
    }
    const whole = Buffer.from(held.subarray(0, end));
    held = held.subarray(end);
    for (const [at, to] of placesOf(names, whole)) whole.write(to, at, 'latin1');
    return whole;
  };
}

/** Found before any is replaced: the new address of one may be the old one of another. */
function placesOf(names: readonly (readonly [string, string])[], bytes: Buffer): [number, string][] {
  return names.flatMap(([from, to]) => {
    const places: [number, string][] = [];
    for (let at = bytes.indexOf(from); at !== -1; at = bytes.indexOf(from, at + from.length)) places.push([at, to]);
    return places;
  });
}
