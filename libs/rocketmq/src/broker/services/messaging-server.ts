// The messaging service: maps each RPC to the service that handles it.

import type { BrokerContext } from './broker-context.js';
import { Clients } from './clients.js';
import { GrpcServer } from './grpc-server.js';
import type { LiteSubscriptions } from './lite-subscriptions.js';
import { Receiving } from './receiving.js';
import { Routes } from './routes.js';
import { Sending } from './sending.js';
import { Settling } from './settling.js';
import { Telemetry } from './telemetry.js';
import type { TransactionChecks } from './transaction-checks.js';

export function messagingServer(
  context: BrokerContext,
  checks: TransactionChecks,
  lite: LiteSubscriptions,
): GrpcServer {
  const routes = new Routes(context);
  const sending = new Sending(context, checks);
  const settling = new Settling(context);
  const clients = new Clients(context, lite);
  return new GrpcServer(context, {
    receiving: new Receiving(context, lite),
    telemetry: new Telemetry(context, lite),
    unary: {
      queryRoute: (request) => routes.queryRoute(request),
      queryAssignment: (request) => routes.queryAssignment(request),
      sendMessage: (request) => sending.sendMessage(request),
      recallMessage: (request) => sending.recallMessage(request),
      endTransaction: (request) => sending.endTransaction(request),
      ackMessage: (request) => settling.ackMessage(request),
      changeInvisibleDuration: (request) => settling.changeInvisibleDuration(request),
      forwardMessageToDeadLetterQueue: (request) => settling.forwardMessageToDeadLetterQueue(request),
      heartbeat: (request, call) => clients.heartbeat(request, call),
      syncLiteSubscription: (request, call) => lite.syncLiteSubscription(request, call),
      notifyClientTermination: (request, call) => clients.notifyClientTermination(request, call),
    },
  });
}
