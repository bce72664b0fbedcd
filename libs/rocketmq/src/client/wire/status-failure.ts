// The error for a gRPC status that ended a call, whichever transport it came by.

import { TransportError } from '../../support/errors.js';
import { GRPC_STATUS } from '../../support/grpc/status.js';

/** Nothing but the status is known: the server may have done the work. */
export function statusFailure(status: number, text: string, options?: ErrorOptions): TransportError {
  switch (status) {
    case GRPC_STATUS.unavailable:
      return new TransportError('UNAVAILABLE', text, 'unknown', true, options);
    case GRPC_STATUS.deadlineExceeded:
      return new TransportError('DEADLINE_EXCEEDED', text, 'unknown', true, options);
    case GRPC_STATUS.cancelled:
      return new TransportError('ABORTED', text, 'unknown', true, options);
    default:
      return new TransportError('RPC_FAILED', `${text} (gRPC status ${status})`, 'unknown', false, options);
  }
}
