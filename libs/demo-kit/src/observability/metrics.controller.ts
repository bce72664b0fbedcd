// The metrics of this process, for Prometheus.

import type { IncomingMessage, ServerResponse } from 'node:http';
import { Controller, Get, Inject, Req, Res } from '@nestjs/common';

/** The Prometheus exporter of OpenTelemetry. */
export interface MetricsSource {
  getMetricsRequestHandler(request: IncomingMessage, response: ServerResponse): void;
}

export const METRICS_SOURCE = Symbol('metrics source');

@Controller('metrics')
export class MetricsController {
  constructor(@Inject(METRICS_SOURCE) private readonly source: MetricsSource) {}

  @Get()
  read(@Req() request: IncomingMessage, @Res() response: ServerResponse): void {
    this.source.getMetricsRequestHandler(request, response);
  }
}
