import { createHmac } from 'node:crypto';
import { describe, expect, it } from '@jest/globals';
import { Signer } from './metadata.js';

const NOW_MS = Date.UTC(2026, 0, 2, 3, 4, 5, 6);
const CREDENTIALS = { accessKey: 'app', secretKey: 'geheim-ü' };

describe('a signer', () => {
  it('signs the time with the HMAC of the secret key', () => {
    const signature = createHmac('sha1', 'geheim-ü').update('20260102T030405Z').digest('hex').toUpperCase();
    expect(new Signer().sign(NOW_MS, CREDENTIALS)).toEqual({
      dateTime: '20260102T030405Z',
      authorization: `MQv2-HMAC-SHA1 Credential=app, SignedHeaders=x-mq-date-time, Signature=${signature}`,
    });
  });

  it('signs nothing without credentials, but still sends the time', () => {
    expect(new Signer().sign(NOW_MS, undefined)).toEqual({ dateTime: '20260102T030405Z', authorization: undefined });
  });

  it('signs once a second, and again when the key changes', () => {
    const signer = new Signer();
    const first = signer.sign(NOW_MS, CREDENTIALS);
    expect(signer.sign(NOW_MS + 993, CREDENTIALS)).toBe(first);
    expect(signer.sign(NOW_MS + 994, CREDENTIALS).dateTime).toBe('20260102T030406Z');
    expect(signer.sign(NOW_MS + 994, { ...CREDENTIALS, secretKey: 'other' }).authorization).not.toBe(
      signer.sign(NOW_MS + 994, CREDENTIALS).authorization,
    );
  });
});
