import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { ConfigurationError } from './environment.js';
import { faultCheckpoint } from './fault-point.js';

let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'fault-point-'));
});

afterEach(() => {
  rmSync(folder, { recursive: true });
});

// Tests with real processes show that it kills; here the process must survive.
describe('faultCheckpoint', () => {
  it('is undefined unless the variable is set', () => {
    expect(faultCheckpoint({})).toBeUndefined();
  });

  it('needs a marker', () => {
    expect(() => faultCheckpoint({ DEMO_FAULT_POINT: 'half-sent' })).toThrow(ConfigurationError);
  });

  it('ignores other points and other topics', () => {
    const marker = join(folder, 'marker');
    const checkpoint = faultCheckpoint({ DEMO_FAULT_POINT: 'half-sent:order-paid', DEMO_FAULT_MARKER: marker });
    checkpoint?.('half-sent', { topic: 'order-created', messageId: '1' });
    checkpoint?.('transaction-ended', { topic: 'order-paid', messageId: '1' });
    expect(existsSync(marker)).toBe(false);
  });

  it('takes effect once: it does nothing if its marker exists', () => {
    const marker = join(folder, 'marker');
    writeFileSync(marker, '');
    const checkpoint = faultCheckpoint({ DEMO_FAULT_POINT: 'half-sent', DEMO_FAULT_MARKER: marker });
    checkpoint?.('half-sent', { topic: 'order-created', messageId: '1' });
  });
});
