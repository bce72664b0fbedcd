// The version of Nest. The workspace has the newest; checks/pack runs specs on older ones.

import { Server } from '@nestjs/microservices';

/** In Nest 10, a microservice cannot inject its strategy, and servers have no hooks around handlers. */
export const isNest10 = !('setOnProcessingStartHook' in Server.prototype);
