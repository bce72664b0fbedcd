// Aborts many requests at once.

import { setMaxListeners } from 'node:events';

/** Node warns of a leak at eleven listeners; several groups are read at a time, with some requests each, and each listens. */
export function controllerForMany(): AbortController {
  const controller = new AbortController();
  setMaxListeners(0, controller.signal);
  return controller;
}
