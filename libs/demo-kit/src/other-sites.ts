// Rejects requests from pages of other sites. Requests of the demos' own pages and of programs are served.

import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from 'node:http';
import { foreignHeader } from 'nestjs-rocketmq/broker';

/** Express middleware. */
type Middleware = (request: IncomingMessage, response: ServerResponse, next: () => void) => void;

/** Applies the rules of the broker's control port. Nothing is allowed across origins. */
export function rejectOtherSites(...names: readonly (string | undefined)[]): Middleware {
  const ownNames = names.filter((name) => name !== undefined);
  return (request, response, next) => {
    const problem = problemOf(request, ownNames);
    if (problem === undefined) return next();
    const body = { statusCode: 403, error: 'Forbidden', message: problem };
    response.writeHead(403, { 'content-type': 'application/json' }).end(JSON.stringify(body));
  };
}

function problemOf({ method, headers }: IncomingMessage, ownNames: readonly string[]): string | undefined {
  const foreign = foreignHeader(headers, ownNames);
  if (foreign === 'host') {
    return 'This name is not one of the demo. Ask by its address, by localhost, or by the name in HOST.';
  }
  const isReading = method === 'GET' || method === 'HEAD';
  if (foreign === 'origin' || (!isReading && isFromElsewhere(headers))) {
    return 'Pages of other sites may not use the demo.';
  }
  return undefined;
}

/** Browsers send this header over TLS and to localhost only. The control port does not use it: a change requires a content type that no form can send. */
function isFromElsewhere({ 'sec-fetch-site': site = 'none' }: IncomingHttpHeaders): boolean {
  return site !== 'none' && site !== 'same-origin';
}
