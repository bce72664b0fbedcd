// Every change is made here: what is wanted, what it would do, and only then the button that does it.

import { signal } from '@preact/signals';
import type { ComponentChildren, ComponentType } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import { ApiError, execute, plan } from '../lib/api.js';
import { changes } from '../lib/changes.js';
import type { Outcome, Plan } from '../types.js';
import { Failure } from './parts.js';

export interface FormProps<F> {
  readonly form: F;
  readonly set: (changed: Partial<F>) => void;
}

interface ChangeRequest<F, P> {
  readonly title: string;
  readonly form: F;
  readonly Form?: ComponentType<FormProps<F>>;
  /** What is planned; undefined while something is missing. */
  readonly body: (form: F) => Readonly<Record<string, unknown>> | undefined;
  readonly preview: (preview: P, form: F) => ComponentChildren;
  /** What the button says; undefined when there is nothing to do. */
  readonly confirm: (preview: P, form: F) => string | undefined;
  /** The reason for the audit, where the form asks for it. */
  readonly reasonOf?: (form: F) => string;
  /** It cannot be taken back. */
  readonly isDangerous?: boolean;
  readonly result?: (outcome: Outcome) => ComponentChildren;
}

// biome-ignore lint/suspicious/noExplicitAny: each request fits itself; the dialog only passes its values on
const open = signal<ChangeRequest<any, any> | undefined>(undefined);
/** What screen readers say. */
const announced = signal('');

export function openChange<F, P>(request: ChangeRequest<F, P>): void {
  open.value = request;
}

type Stage =
  | { readonly kind: 'planning' }
  /** @param wanted what the plan is of */
  | { readonly kind: 'planned'; readonly plan: Plan; readonly wanted: string }
  | { readonly kind: 'executing'; readonly plan: Plan }
  | { readonly kind: 'failed'; readonly error: ApiError }
  | { readonly kind: 'done'; readonly outcome: Outcome };

/** For the audit. */
const MAX_REASON = 200;
const TYPING_MS = 300;
/** How long a plan is in sight, and nothing is typed, before Enter carries it out: what was typed ahead was meant for something else. */
const ARMING_MS = 500;
const TITLE_ID = 'change-title';

export function ChangeDialog() {
  const request = open.value;
  return (
    <>
      <div class="sr" aria-live="polite">
        {announced.value}
      </div>
      {request !== undefined && <Dialog key={request.title} request={request} />}
    </>
  );
}

// biome-ignore lint/suspicious/noExplicitAny: as above
function Dialog({ request }: { readonly request: ChangeRequest<any, any> }) {
  const dialog = useRef<HTMLDialogElement>(null);
  const [form, setForm] = useState(request.form);
  const [turn, setTurn] = useState(0);
  const [reason, setReason] = useState('');
  const [stage, setStage] = useState<Stage>({ kind: 'planning' });
  const main = useRef<HTMLButtonElement>(null);
  const latest = useRef(form);
  const isArmed = useRef(false);
  useEffect(() => {
    dialog.current?.showModal();
    const isComplete = request.body(request.form) !== undefined;
    const field = dialog.current?.querySelector<HTMLElement>('.inside :is(input, textarea, select)');
    (isComplete ? dialog.current?.querySelector('h2') : field)?.focus();
  }, [request]);
  // Then Enter carries it out, unless the focus was moved meanwhile.
  useEffect(() => {
    isArmed.current = false;
    if (stage.kind !== 'planned') return;
    const arm = (): void => {
      isArmed.current = true;
      if (document.activeElement?.id === TITLE_ID) main.current?.focus();
    };
    let timer = setTimeout(arm, ARMING_MS);
    const wait = (): void => {
      if (isArmed.current) return;
      clearTimeout(timer);
      timer = setTimeout(arm, ARMING_MS);
    };
    document.addEventListener('keydown', wait, true);
    return () => {
      clearTimeout(timer);
      document.removeEventListener('keydown', wait, true);
    };
  }, [stage]);
  /** A key that is held down was pressed for what was there before. */
  const rejectEarly = (event: KeyboardEvent): void => {
    const { key, repeat, target } = event;
    const submits = target === main.current || target instanceof HTMLInputElement;
    if (key === 'Enter' && submits && (repeat || !isArmed.current)) event.preventDefault();
  };
  const wanted = JSON.stringify(request.body(form));
  const isFirst = useRef(true);
  useEffect(() => {
    setStage({ kind: 'planning' });
    if (wanted === undefined) return;
    const controller = new AbortController();
    const ask = async (): Promise<void> => {
      try {
        const planned = await plan(JSON.parse(wanted), controller.signal);
        setStage({ kind: 'planned', plan: planned, wanted });
        announced.value = 'The plan is shown';
      } catch (error) {
        if (!controller.signal.aborted) setStage({ kind: 'failed', error: error as ApiError });
      }
    };
    const timer = setTimeout(() => void ask(), isFirst.current ? 0 : TYPING_MS);
    isFirst.current = false;
    return () => {
      clearTimeout(timer);
      controller.abort();
    };
  }, [wanted, turn]);
  const close = (): void => {
    open.value = undefined;
  };
  const carryOut = async (planned: Plan): Promise<void> => {
    setStage({ kind: 'executing', plan: planned });
    try {
      const outcome = await execute(planned, (request.reasonOf?.(form) ?? reason).slice(0, MAX_REASON));
      announced.value = outcome.text;
      setStage({ kind: 'done', outcome });
    } catch (error) {
      setStage({ kind: 'failed', error: error as ApiError });
    }
    changes.value++;
  };
  const known = stage.kind === 'planned' || stage.kind === 'executing' ? stage.plan : undefined;
  const label = known === undefined ? undefined : request.confirm(known.preview, form);
  const isPlanning = stage.kind === 'planning' && wanted !== undefined;
  const { Form } = request;
  return (
    <dialog ref={dialog} class="change" aria-labelledby={TITLE_ID} onClose={close} onKeyDown={rejectEarly}>
      <form
        method="dialog"
        onSubmit={(event) => {
          event.preventDefault();
          // The form may have changed since it was drawn.
          const isCurrent = stage.kind === 'planned' && stage.wanted === JSON.stringify(request.body(latest.current));
          if (isCurrent && label !== undefined) void carryOut(stage.plan);
        }}
      >
        <header>
          <h2 id={TITLE_ID} tabIndex={-1}>
            {request.title}
          </h2>
          <button type="button" class="quiet" onClick={() => dialog.current?.close()}>
            Close <kbd>Esc</kbd>
          </button>
        </header>
        <div class="inside">
          {Form !== undefined && stage.kind !== 'done' && (
            <fieldset class="fields" disabled={stage.kind === 'executing'}>
              <Form
                form={form}
                set={(changed) => {
                  latest.current = { ...latest.current, ...changed };
                  setForm(latest.current);
                }}
              />
            </fieldset>
          )}
          {stage.kind === 'planning' && (
            <p class="muted">{wanted === undefined ? 'Fill in what is missing to see the plan.' : 'Planning…'}</p>
          )}
          {stage.kind === 'failed' && <Failure error={stage.error} reload={() => setTurn(turn + 1)} />}
          {known !== undefined && request.preview(known.preview, form)}
          {stage.kind === 'done' && (
            <>
              <div class={stage.outcome.outcome === 'done' ? 'notice good' : 'notice'} role="status">
                {sentence(stage.outcome.text)}
              </div>
              {request.result?.(stage.outcome)}
            </>
          )}
        </div>
        <footer>
          {stage.kind !== 'done' && request.reasonOf === undefined && (
            <input
              class="reason"
              aria-label="Reason, for the audit"
              placeholder="Reason, for the audit"
              maxLength={MAX_REASON}
              value={reason}
              disabled={stage.kind === 'executing'}
              onInput={({ currentTarget }) => setReason(currentTarget.value)}
            />
          )}
          <button type="button" onClick={() => dialog.current?.close()}>
            {stage.kind === 'done' ? 'Close' : 'Cancel'}
          </button>
          {stage.kind !== 'done' && (
            <button
              ref={main}
              type="submit"
              class={request.isDangerous ? 'primary danger' : 'primary'}
              disabled={stage.kind !== 'planned' || label === undefined}
            >
              {stage.kind === 'executing' ? 'Working…' : isPlanning ? 'Planning…' : (label ?? 'Nothing to do')}
            </button>
          )}
        </footer>
      </form>
    </dialog>
  );
}

function sentence(text: string): string {
  const start = text.slice(0, 1).toUpperCase() + text.slice(1);
  return start.endsWith('.') ? start : `${start}.`;
}
