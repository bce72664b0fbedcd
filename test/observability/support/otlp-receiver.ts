// A collector that records spans, received by OTLP over HTTP with protobuf.

import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { gunzipSync } from 'node:zlib';
import { BinaryReader } from '@bufbuild/protobuf/wire';

/** The tested parts of a span. Ids are hexadecimal strings. */
export interface ReceivedSpan {
  readonly service: string;
  readonly name: string;
  readonly traceId: string;
  readonly spanId: string;
  /** Empty for the root span of a trace. */
  readonly parentSpanId: string;
  readonly attributes: Readonly<Record<string, string>>;
}

export class OtlpReceiver {
  readonly spans: ReceivedSpan[] = [];

  private constructor(private readonly server: Server) {}

  static async start(): Promise<OtlpReceiver> {
    const server = createServer(async (request, response) => {
      const chunks: Buffer[] = [];
      for await (const chunk of request) chunks.push(chunk);
      const body = Buffer.concat(chunks);
      const isZipped = request.headers['content-encoding'] === 'gzip';
      if (request.url === '/v1/traces') receiver.spans.push(...spansOf(isZipped ? gunzipSync(body) : body));
      // An empty response means that all spans were accepted.
      response.writeHead(request.url === '/v1/traces' ? 200 : 404, { 'content-type': 'application/x-protobuf' }).end();
    });
    const receiver = new OtlpReceiver(server);
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return receiver;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  async stop(): Promise<void> {
    const closed = new Promise((resolve) => this.server.close(resolve));
    this.server.closeAllConnections();
    await closed;
  }
}

// opentelemetry/proto/collector/trace/v1/trace_service.proto, trace/v1/trace.proto, common/v1/common.proto: the fields read here.
const REQUEST = { resourceSpans: 1 };
const RESOURCE_SPANS = { resource: 1, scopeSpans: 2 };
const RESOURCE = { attributes: 1 };
const SCOPE_SPANS = { spans: 2 };
const SPAN = { traceId: 1, spanId: 2, parentSpanId: 4, name: 5, attributes: 9 };
const KEY_VALUE = { key: 1, value: 2 };
const ANY_VALUE = { string: 1 };

function spansOf(body: Uint8Array): ReceivedSpan[] {
  return fieldsOf(body)(REQUEST.resourceSpans).flatMap((resourceSpans) => {
    const parts = fieldsOf(resourceSpans);
    const [resource] = parts(RESOURCE_SPANS.resource);
    const service = attributesOf(resource, RESOURCE.attributes)['service.name'] ?? '';
    const spans = parts(RESOURCE_SPANS.scopeSpans).flatMap((scope) => fieldsOf(scope)(SCOPE_SPANS.spans));
    return spans.map((span) => {
      const of = fieldsOf(span);
      const hex = (field: number): string => Buffer.from(of(field)[0] ?? []).toString('hex');
      return {
        service,
        name: textOf(of(SPAN.name)[0]),
        traceId: hex(SPAN.traceId),
        spanId: hex(SPAN.spanId),
        parentSpanId: hex(SPAN.parentSpanId),
        attributes: attributesOf(span, SPAN.attributes),
      };
    });
  });
}

/** The string attributes. */
function attributesOf(message: Uint8Array | undefined, field: number): Record<string, string> {
  if (message === undefined) return {};
  const pairs = fieldsOf(message)(field).flatMap((pair): [string, string][] => {
    const of = fieldsOf(pair);
    const [text] = of(KEY_VALUE.value).flatMap((value) => fieldsOf(value)(ANY_VALUE.string));
    return text === undefined ? [] : [[textOf(of(KEY_VALUE.key)[0]), textOf(text)]];
  });
  return Object.fromEntries(pairs);
}

const LENGTH_DELIMITED = 2;

/** The length-delimited fields of a message, by number. */
function fieldsOf(message: Uint8Array): (field: number) => Uint8Array[] {
  const found = new Map<number, Uint8Array[]>();
  const reader = new BinaryReader(message);
  while (reader.pos < reader.len) {
    const [field, type] = reader.tag();
    if (type === LENGTH_DELIMITED) found.set(field, [...(found.get(field) ?? []), reader.bytes()]);
    else reader.skip(type, field);
  }
  return (field) => found.get(field) ?? [];
}

function textOf(bytes: Uint8Array | undefined): string {
  return Buffer.from(bytes ?? []).toString('utf8');
}
