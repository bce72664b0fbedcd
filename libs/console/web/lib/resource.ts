// Data of a page: read when it opens and when its key changes, kept on the screen while it is read again.

import { useCallback, useEffect, useRef, useState } from 'preact/hooks';
import { type ApiError, get } from './api.js';
import { changes } from './changes.js';

export interface Resource<T> {
  /** The last answer; it stays while a newer one is on its way, and when that one fails. */
  readonly value: T | undefined;
  readonly error: ApiError | undefined;
  readonly isLoading: boolean;
  readonly reload: () => void;
}

/** @param path below `api/`; undefined reads nothing */
export function useResource<T>(path: string | undefined, refreshMs?: number): Resource<T> {
  const [state, setState] = useState<Omit<Resource<T>, 'reload'>>({
    value: undefined,
    error: undefined,
    isLoading: path !== undefined,
  });
  const [turn, setTurn] = useState(0);
  const isReading = useRef(false);
  const changed = changes.value;
  // A turn, and a change that was carried out, read again.
  useEffect(() => {
    if (path === undefined) return;
    const controller = new AbortController();
    const read = async (): Promise<void> => {
      isReading.current = true;
      try {
        const value = await get<T>(path, controller.signal);
        setState({ value, error: undefined, isLoading: false });
      } catch (error) {
        if (!controller.signal.aborted)
          setState(({ value }) => ({ value, error: error as ApiError, isLoading: false }));
      }
      if (!controller.signal.aborted) isReading.current = false;
    };
    setState((last) => ({ ...last, isLoading: true }));
    void read();
    return () => controller.abort();
  }, [path, turn, changed]);
  const reload = useCallback(() => setTurn((last) => last + 1), []);
  useEffect(() => {
    if (refreshMs === undefined) return;
    // A page that nobody looks at asks for nothing.
    // An answer that takes longer than a turn is waited for.
    const timer = setInterval(() => document.hidden || isReading.current || reload(), refreshMs);
    return () => clearInterval(timer);
  }, [refreshMs, reload]);
  return { ...state, reload };
}

interface Pages<P, T> extends Resource<P> {
  /** Of the first page and of those that were appended. */
  readonly items: readonly T[];
  /** Appends the next page; undefined when there is none. */
  readonly more: (() => void) | undefined;
  readonly isAppending: boolean;
  readonly appendError: ApiError | undefined;
}

/**
 * A list in pages. What is appended stays until the first page is read again, which then happens only on request: rows would move
 * under the eyes of the reader.
 * @param path below `api/`, with a query
 */
export function usePages<P extends { readonly next?: string }, T>(
  path: string,
  itemsOf: (page: P) => readonly T[],
  refreshMs?: number,
): Pages<P, T> {
  const [appended, setAppended] = useState<readonly P[]>([]);
  const [isAppending, setAppending] = useState(false);
  const [appendError, setAppendError] = useState<ApiError | undefined>();
  const first = useResource<P>(path, appended.length === 0 ? refreshMs : undefined);
  // What was appended belongs to the first page that was read.
  useEffect(() => setAppended([]), [first.value]);
  const all = first.value === undefined ? [] : [first.value, ...appended];
  const next = all.at(-1)?.next;
  const latest = useRef(first.value);
  latest.current = first.value;
  const append = async (after: string): Promise<void> => {
    const of = first.value;
    setAppending(true);
    try {
      const page = await get<P>(`${path}&after=${encodeURIComponent(after)}`, new AbortController().signal);
      if (latest.current === of) setAppended((list) => [...list, page]);
      setAppendError(undefined);
    } catch (failure) {
      setAppendError(failure as ApiError);
    }
    setAppending(false);
  };
  const more = next === undefined ? undefined : () => void append(next);
  return { ...first, items: all.flatMap((page) => itemsOf(page)), more, isAppending, appendError };
}
