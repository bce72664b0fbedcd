// The end of work that asks much at a time.

import { setMaxListeners } from 'node:events';

/** Node warns of a leak at eleven listeners; several groups are read at a time, with some requests each, and each listens. */
export function endingOfMany(): AbortController {
  const ending = new AbortController();
  setMaxListeners(0, ending.signal);
  return ending;
}
