// The routes of the control port for the process of the broker, without a port.

import { StoreFailure } from '../store/store-failure.js';
import { ControlError, type InsideControl } from './control-client.js';
import type { ControlContext } from './control-context.js';
import { Fields } from './control-input.js';
import { ControlRejection } from './control-rejection.js';
import { controlRoutes } from './control-requests.js';

/** What a `ControlClient` of this process calls. */
export function insideControl(broker: ControlContext): InsideControl {
  const routes = controlRoutes(broker);
  return async ({ method, path }, body) => {
    const [name = '', search = ''] = path.split('?', 2);
    const wanted = method === 'GET' ? 'read' : 'change';
    const route = routes.get(name)?.find(({ kind }) => kind === wanted);
    try {
      if (route === undefined) throw new ControlRejection(404, 'UNKNOWN_PATH', `the broker does not answer ${path}`);
      const fields =
        body === undefined
          ? Fields.ofQuery(new URLSearchParams(search))
          : Fields.ofBody(JSON.parse(body.toString()) as unknown);
      const { text, json } = await route.answer(fields);
      return Buffer.from(text?.body ?? JSON.stringify(json));
    } catch (error) {
      if (error instanceof ControlRejection) throw new ControlError(error.code, error.message, error.status);
      if (error instanceof StoreFailure) throw new ControlError('STORE_LOST', error.message, 503);
      throw error;
    }
  };
}
