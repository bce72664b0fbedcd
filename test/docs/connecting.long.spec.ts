// What docs/guide/connecting.md says about the two ways of connecting.

import { describe, expect, it } from '@jest/globals';
import { UsageError } from 'nestjs-rocketmq';
import { Connection, type ConnectionOptions } from 'nestjs-rocketmq/client';
import { checkOptions } from '../../libs/rocketmq/src/nest/runtime/module-options.js';
import { exampleText } from '../../tools/documents.js';

const [PROXIES = '', NAME_SERVERS = ''] = [
  ...exampleText('docs/examples/fragments.ts#clusters').matchAll(/endpoints: '([^']+)'/g),
].map(([, endpoints]) => endpoints);

/** The option that a connection rejects; undefined when it accepts all. */
function rejected(options: Omit<ConnectionOptions, 'endpoints'>, endpoints = NAME_SERVERS): string | undefined {
  try {
    new Connection({ endpoints, ...options }).close();
    return undefined;
  } catch (error) {
    return error instanceof UsageError ? `${error.code} ${error.field}` : String(error);
  }
}

describe('connecting', () => {
  it('takes proxies and name servers', () => {
    expect(rejected({}, PROXIES)).toBeUndefined();
    expect(rejected({})).toBeUndefined();
    expect(rejected({}, 'name-server:ns-1:9876;name-server:ns-2:9876')).toBeUndefined();
    expect(rejected({ tls: true })).toBeUndefined();
  });

  it('rejects by name what means nothing without a proxy', () => {
    const options = { namespace: 'shop', transport: 'http2', useBootstrapEndpoints: true } as const;
    const each = Object.entries(options).map(([name, value]) => rejected({ [name]: value }));
    expect(each).toEqual(Object.keys(options).map((name) => `ILLEGAL_OPTION ${name}`));
    expect(rejected(options, PROXIES)).toBeUndefined();
  });

  it('administers by the name servers in the endpoints, unless others are given', () => {
    const nameServer = (options: { endpoints: string; nameServer?: string }) => checkOptions(options).nameServer;
    expect(nameServer({ endpoints: NAME_SERVERS })).toBe('ns-1:9876;ns-2:9876');
    expect(nameServer({ endpoints: NAME_SERVERS, nameServer: 'ns-3:9876' })).toBe('ns-3:9876');
    expect(nameServer({ endpoints: PROXIES })).toBeUndefined();
  });
});
