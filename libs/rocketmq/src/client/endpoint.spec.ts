import { describe, expect, it } from '@jest/globals';
import { AddressScheme } from '../protocol/grpc/generated/apache/rocketmq/v2/definition.js';
import { endpointKey, parseEndpoints, toWireEndpoints } from './endpoint.js';

describe('parseEndpoints', () => {
  it('parses one address or several, and IPv6 in brackets', () => {
    expect(parseEndpoints('a.example:8081; 10.0.0.2:8082').addresses).toEqual([
      { host: 'a.example', port: 8081 },
      { host: '10.0.0.2', port: 8082 },
    ]);
    expect(endpointKey(parseEndpoints('[::1]:8081'))).toBe('[::1]:8081');
  });

  it.each(['', ' ; ', 'localhost', 'localhost:0', 'localhost:70000', 'a b:1', 'host:80:81'])(
    'rejects %j by name',
    (text) => {
      expect(() => parseEndpoints(text)).toThrow('[ILLEGAL_ENDPOINTS]');
    },
  );

  it('rejects an embedded broker and says what starts one', () => {
    expect(() => parseEndpoints('embedded:')).toThrow(/Nest module or by TestBroker/);
  });
});

describe('toWireEndpoints', () => {
  it.each([
    ['127.0.0.1:1;10.0.0.1:2', AddressScheme.IPv4],
    ['[::1]:1', AddressScheme.IPv6],
    ['a.example:1;127.0.0.1:2', AddressScheme.DOMAIN_NAME],
  ])('gives %s its scheme', (text, scheme) => {
    expect(toWireEndpoints(parseEndpoints(text)).scheme).toBe(scheme);
  });

  it.each([
    'https://root:secret@host:1',
    'root:secret@host:8081',
    'name-server:root:secret@host',
    'a:secret;secret@host:1',
  ])('shows no password in the error for %s', (text) => {
    expect(() => parseEndpoints(text)).toThrow(/ILLEGAL_ENDPOINTS/);
    expect(() => parseEndpoints(text)).not.toThrow(/secret/);
  });
});
