// Which Nest the tests run on. The workspace has the newest; test/pack runs specs on older ones.

import { Server } from '@nestjs/microservices';

/** A microservice of Nest 10 cannot inject its strategy, and its servers have no hooks around a handler. */
export const isNest10 = !('setOnProcessingStartHook' in Server.prototype);
