// Adds the order to the log lines and the span of a request or message.

import type { IncomingMessage, ServerResponse } from 'node:http';
import { type CallHandler, type ExecutionContext, Injectable, Logger, type NestInterceptor } from '@nestjs/common';
import { context as activeContext, trace } from '@opentelemetry/api';
import { getRPCMetadata } from '@opentelemetry/core';
import type { RocketMQContext } from 'nestjs-rocketmq';
import { tap } from 'rxjs';
import { addLogFields, type LogFields, logFieldsNow, withLogFields } from './log-fields.js';

/** An Express request with its route. */
type RoutedRequest = IncomingMessage & {
  readonly params?: { readonly id?: string };
  readonly route?: { readonly path?: string };
};

/** Logs one line for each handled message and each request that changes something. */
@Injectable()
export class OrderTrailInterceptor implements NestInterceptor {
  private readonly messages = new Logger('Messages');
  private readonly requests = new Logger('Requests');

  intercept(context: ExecutionContext, next: CallHandler): ReturnType<CallHandler['handle']> {
    return context.getType<string>() === 'rocketmq'
      ? this.handle(context.switchToRpc().getContext(), next)
      : this.answer(context.switchToHttp().getRequest(), context.switchToHttp().getResponse(), next);
  }

  /** The library logs a failure, with its reason. */
  private handle(received: RocketMQContext, next: CallHandler): ReturnType<CallHandler['handle']> {
    const { topic, messageId, deliveryAttempt: attempt } = received;
    const [orderId] = received.message.keys;
    const fields: LogFields = { topic, messageId, attempt, ...(orderId === undefined ? {} : { orderId }) };
    noteOrder(orderId);
    // The caller sees the end of the handler outside of its log context, so the fields are passed explicitly.
    const handled = tap({ complete: () => this.messages.log(`handled ${topic}`, fields) });
    return withLogFields(fields, () => next.handle().pipe(handled));
  }

  private answer(
    request: RoutedRequest,
    response: ServerResponse,
    next: CallHandler,
  ): ReturnType<CallHandler['handle']> {
    const { method, route, params } = request;
    nameRoute(route?.path);
    let orderId = params?.id;
    const note = (): void => {
      if (orderId !== undefined) addLogFields({ orderId });
      noteOrder(orderId);
    };
    note();
    if (method !== 'GET') {
      const { traceId } = logFieldsNow();
      response.once('finish', () => {
        const fields = { ...(orderId === undefined ? {} : { orderId }), ...(traceId === undefined ? {} : { traceId }) };
        this.requests.log(`answered ${method} ${route?.path}: ${response.statusCode}`, fields);
      });
    }
    const placed = (result: unknown): void => {
      // The response of POST /orders is the first to contain the id.
      if (orderId !== undefined || !hasId(result)) return;
      orderId = result.id;
      note();
    };
    return next.handle().pipe(tap(placed));
  }
}

/** Names requests by their route in spans and metrics, without the id in their path. */
function nameRoute(route: string | undefined): void {
  const metadata = getRPCMetadata(activeContext.active());
  if (metadata !== undefined && route !== undefined) metadata.route = route;
}

function noteOrder(orderId: string | undefined): void {
  if (orderId !== undefined) trace.getActiveSpan()?.setAttribute('order.id', orderId);
}

function hasId(result: unknown): result is { readonly id: string } {
  return typeof result === 'object' && result !== null && 'id' in result && typeof result.id === 'string';
}
