import { describe, expect, it } from '@jest/globals';
import { ConfigurationError } from '../environment.js';
import { logFormatOf } from './demo-logger.js';
import { spanTargetOf } from './span-target.js';

describe('the target of spans', () => {
  it.each([
    [{}, 'none'],
    [{ OTEL_EXPORTER_OTLP_ENDPOINT: '' }, 'none'],
    [{ OTEL_EXPORTER_OTLP_ENDPOINT: 'http://collector:4318' }, 'otlp'],
    [{ OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: 'https://collector/v1/traces' }, 'otlp'],
    [{ OTEL_EXPORTER_OTLP_ENDPOINT: 'http://collector:4318', OTEL_TRACES_EXPORTER: 'none' }, 'none'],
    [{ OTEL_TRACES_EXPORTER: 'console' }, 'console'],
    [{ OTEL_TRACES_EXPORTER: 'otlp', OTEL_EXPORTER_OTLP_PROTOCOL: 'http/protobuf' }, 'otlp'],
  ])('is by %j: %s', (env, target) => {
    expect(spanTargetOf(env)).toBe(target);
  });

  it.each([
    [{ OTEL_TRACES_EXPORTER: 'zipkin' }, 'OTEL_TRACES_EXPORTER must be one of otlp, console, none, not "zipkin"'],
    [{ OTEL_EXPORTER_OTLP_ENDPOINT: 'collector:4318' }, 'OTEL_EXPORTER_OTLP_ENDPOINT must be a URL'],
    [{ OTEL_EXPORTER_OTLP_PROTOCOL: 'grpc' }, 'OTEL_EXPORTER_OTLP_PROTOCOL must be http/protobuf'],
  ])('is rejected by %j', (env, message) => {
    expect(() => spanTargetOf(env)).toThrow(ConfigurationError);
    expect(() => spanTargetOf(env)).toThrow(message);
  });

  it('is rejected without quoting the endpoint', () => {
    const env = { OTEL_EXPORTER_OTLP_ENDPOINT: 'ftp://user:secret@collector' };
    expect(() => spanTargetOf(env)).toThrow(/^(?!.*secret)/);
  });
});

describe('the format of the log', () => {
  it('is text or json', () => {
    expect(logFormatOf({})).toBe('text');
    expect(logFormatOf({ LOG_FORMAT: 'json' })).toBe('json');
    expect(() => logFormatOf({ LOG_FORMAT: 'xml' })).toThrow('LOG_FORMAT must be text or json, not "xml"');
  });
});
